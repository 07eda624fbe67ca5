"""Language models: how well each row's text is foretold, and what is written after a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import Rows
from zenml_ftvr.models.folder import Manifest, allowed_code
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.models.transformer import load_transformer
from zenml_ftvr.tasks.causal_lm import CausalWork, counts_of_batch, documents_of, prompt_ids
from zenml_ftvr.tasks.packing import IGNORED, Document

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["LanguageScorer", "Window", "windows_of", "written_after"]

LOGIT_BYTES = 2**28
"""Of a batch's logits, 256 MiB: a judgement. Memory then hardly depends on the vocabulary, and a
batch is large enough to keep a processor busy."""
MAX_BATCH = 32  # rows a forward pass, as for whole texts
DOCUMENTS_AT_ONCE = 256  # windows of so many are sorted by length: enough for even batches
NEW_TOKENS = 128
"""Most that is written after a prompt: about a hundred words, a paragraph. A judgement."""
UNBOUNDED = 4_096  # tokens of prompt and answer where a model names no limit: a judgement
OnRows = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a document that a model reads at once; labels of what is scored in it."""

    document: int
    ids: Sequence[int]
    labels: Sequence[int]


def windows_of(place: int, document: Document, size: int) -> Iterator[Window]:
    """Windows of at most `size` tokens, half a window apart; every token is scored once.

    After the first window each token is foretold from at least half a window of what is before it,
    at twice the cost of windows that do not overlap: the strided windows of transformers'
    documentation ("Perplexity of fixed-length models").
    """
    ids, labels = document.ids, document.labels
    yield Window(place, ids[:size], [IGNORED, *labels[1:size]])
    scored, stride = size, size // 2
    while scored < len(ids):
        end = min(scored + stride, len(ids))
        start = end - size
        unscored = [IGNORED] * (scored - start)
        yield Window(place, ids[start:end], [*unscored, *labels[scored:end]])
        scored = end


class LanguageScorer:
    """A trained decoder."""

    def __init__(self, folder: Path, manifest: Manifest, work: CausalWork, device: str) -> None:
        self._work = work
        self._tokenizer = load_tokenizer(folder, allowed_code(manifest))
        self._model = load_transformer(folder, manifest, work).to(device).eval()

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> npt.NDArray[np.float64]:
        """[rows, 4]: negative log-likelihood (natural), tokens, bytes and hits of what is learnt.

        A document longer than the task's length is read in windows of it, half a window apart.
        """
        import numpy as np

        size = self._work.task.max_length
        result = np.zeros((len(rows), 4))
        done = 0
        for part in rows.batches(DOCUMENTS_AT_ONCE):
            windows: list[Window] = []
            for document in documents_of(self._work.task, self._tokenizer, part):
                result[done, 2] = document.n_bytes
                windows += windows_of(done, document, size)
                done += 1
            self._score(windows, result)
            if on_rows is not None:
                on_rows(done, len(rows))
        return result

    def _score(self, windows: list[Window], result: npt.NDArray[np.float64]) -> None:
        """Add the counts of `windows` to the rows of `result`."""
        windows = sorted(windows, key=lambda one: len(one.ids), reverse=True)
        vocabulary = self._model.config.vocab_size
        start = 0
        while start < len(windows):
            longest = len(windows[start].ids)
            n = min(MAX_BATCH, max(1, LOGIT_BYTES // (4 * longest * vocabulary)))
            batch = windows[start : start + n]
            for window, counts in zip(batch, self._counts(batch), strict=True):
                result[window.document, [0, 1, 3]] += counts
            start += n

    def _counts(self, batch: list[Window]) -> npt.NDArray[np.float64]:
        import torch

        longest = max(len(window.ids) for window in batch)
        pad = self._tokenizer.pad_token_id

        def padded(rows: list[Sequence[int]], fill: int) -> Any:
            made = [[*row, *[fill] * (longest - len(row))] for row in rows]
            return torch.tensor(made, device=self._model.device)

        ids = padded([window.ids for window in batch], pad)
        labels = padded([window.labels for window in batch], IGNORED)
        mask = padded([[1] * len(window.ids) for window in batch], 0)
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            counts = counts_of_batch(logits[:, :-1], labels[:, 1:])
        result: npt.NDArray[np.float64] = counts.cpu().numpy()
        return result

    def written(self, rows: Rows) -> list[str]:
        """The likeliest next token, again and again, until the text ends or is long enough."""
        positions = getattr(self._model.config, "max_position_embeddings", None) or UNBOUNDED
        most_new = min(NEW_TOKENS, positions // 2)
        ids = prompt_ids(self._work.task, self._tokenizer, rows.inputs)
        # The start of a longer prompt is left out: what comes next follows from its end.
        ids = [one[-(min(positions, UNBOUNDED) - most_new) :] for one in ids]
        new = written_after(self._model, self._tokenizer, ids, most_new)
        return [str(self._tokenizer.decode(one, skip_special_tokens=True)) for one in new]


def written_after(
    model: Any, tokenizer: Any, ids: list[list[int]], most_new: int
) -> list[list[int]]:
    """New tokens after each row of `ids`, greedily; rows are padded on the left."""
    import torch

    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    result: list[list[int]] = [[] for _ in ids]
    for start in range(0, len(order), MAX_BATCH):
        chunk = order[start : start + MAX_BATCH]
        longest = max(len(ids[index]) for index in chunk)
        gaps = [longest - len(ids[index]) for index in chunk]
        rows = zip(gaps, chunk, strict=True)
        made = [[tokenizer.pad_token_id] * gap + ids[index] for gap, index in rows]
        mask = [[0] * gap + [1] * (longest - gap) for gap in gaps]
        with torch.inference_mode(), quiet():
            answer = model.generate(
                input_ids=torch.tensor(made, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                generation_config=_greedy(model, tokenizer, most_new),
            )
        for row, index in enumerate(chunk):
            result[index] = answer[row, longest:].tolist()
    return result


def _greedy(model: Any, tokenizer: Any, most_new: int) -> Any:
    from transformers import GenerationConfig

    own = model.generation_config.eos_token_id
    ends = {
        tokenizer.eos_token_id,
        tokenizer.sep_token_id,
        *(own if isinstance(own, list) else [own]),
    }
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=most_new,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted(end for end in ends if end is not None) or None,
        use_cache=True,
    )
