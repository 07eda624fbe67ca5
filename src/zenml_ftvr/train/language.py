"""Rows to learn a language from: masked, continued, or restored; each a function of its number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from zenml_ftvr.train.order import batches_by_length

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "LanguageRows",
    "Objective",
    "Vocabulary",
    "collator",
    "frequency_loss",
    "sequences",
    "vocabulary_of",
]

Objective: TypeAlias = Literal["masked", "causal", "denoising"]
"""Masked tokens from both sides (Devlin et al. 2019, arXiv 1810.04805, 3.1), the next token from
those before, or the whole text from one with masks (Lewis et al. 2020, arXiv 1910.13461, 2.2)."""

MASKED_SHARE = 0.15  # of the tokens: Devlin et al. 2019, 3.1
BECOME_MASK, BECOME_RANDOM = 0.8, 0.1  # of those; the rest stay: the same
IGNORED = -100  # what transformers' losses leave out
TOKENISER_BATCH = 1_000  # texts a call: enough for the tokenizer's own parallelism


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The ids that masking needs."""

    pad_id: int
    mask_id: int | None
    marks: frozenset[int]
    """Ids that begin, end or pad a text: never masked."""
    ordinary: npt.NDArray[np.int64]
    """Ids of pieces of text."""


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """What masking needs of a tokenizer."""
    import numpy as np

    special = set(tokenizer.all_special_ids)
    return Vocabulary(
        pad_id=tokenizer.pad_token_id,
        mask_id=tokenizer.mask_token_id,
        marks=frozenset(special - {tokenizer.unk_token_id}),
        ordinary=np.asarray([one for one in range(len(tokenizer)) if one not in special]),
    )


def sequences(
    tokenizer: Any, texts: Sequence[str], max_length: int, objective: Objective
) -> list[list[int]]:
    """Token ids, at most `max_length` each, of all of `texts`: a longer text is cut into several.

    For `causal` the texts lie end to end with an end mark after each, so that no place is padded.
    """
    if objective == "causal":
        return _end_to_end(tokenizer, texts, max_length)
    marks = vocabulary_of(tokenizer).marks
    found: list[list[int]] = []
    for batch in _batches(texts):
        windows = tokenizer(
            batch, truncation=True, max_length=max_length, return_overflowing_tokens=True
        )["input_ids"]
        found.extend(ids for ids in windows if not marks.issuperset(ids))
    return found


def _batches(texts: Sequence[str]) -> list[list[str]]:
    return [
        list(texts[start : start + TOKENISER_BATCH])
        for start in range(0, len(texts), TOKENISER_BATCH)
    ]


def _end_to_end(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    end = tokenizer.eos_token_id
    flat: list[int] = []
    for batch in _batches(texts):
        for ids in tokenizer(batch, verbose=False)["input_ids"]:
            flat.extend(ids)
            if end is not None and (not ids or ids[-1] != end):
                flat.append(end)
    blocks = [flat[start : start + max_length] for start in range(0, len(flat), max_length)]
    # Of one token nothing can be predicted.
    return [block for block in blocks if len(block) > 1]


class LanguageRows:
    """A map-style data set of all epochs: item i is always the same, in any process, at any time.

    Order and masks are drawn from (seed, epoch, row), so that a run that goes on at step n sees
    what an undisturbed one saw there.
    """

    def __init__(
        self,
        ids: Sequence[list[int]],
        vocabulary: Vocabulary,
        objective: Objective,
        seed: int,
        *,
        epochs: float = 1.0,
        batch_size: int = 1,
    ) -> None:
        self._ids = ids
        self.vocabulary = vocabulary
        self.objective = objective
        self._seed = seed
        self._order = _order(ids, epochs, batch_size, seed)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        epoch, row = (int(number) for number in self._order[index])
        ids = self._ids[row]
        if self.objective == "causal":
            return {"input_ids": ids, "labels": ids}
        masked, labels = self._masked(ids, epoch, row)
        return {"input_ids": masked, "labels": labels if self.objective == "masked" else ids}

    def targets(self, index: int) -> npt.NDArray[np.int64]:
        """The tokens that item `index` asks for."""
        import numpy as np

        labels = np.asarray(self[index]["labels"])
        labels = labels[1:] if self.objective == "causal" else labels
        wanted: npt.NDArray[np.int64] = labels[labels != IGNORED]
        return wanted

    def _masked(self, ids: list[int], epoch: int, row: int) -> tuple[list[int], list[int]]:
        """Ids with some of them hidden, and what they were there; at least one is hidden."""
        import numpy as np

        known = self.vocabulary
        places = [place for place, one in enumerate(ids) if one not in known.marks]
        rng = np.random.default_rng((self._seed, epoch, row))
        n_hidden = max(1, round(MASKED_SHARE * len(places)))
        masked, labels = list(ids), [IGNORED] * len(ids)
        for place in rng.choice(places, n_hidden, replace=False):
            labels[place] = ids[place]
            draw = rng.random()
            if draw < BECOME_MASK:
                masked[place] = known.mask_id if known.mask_id is not None else ids[place]
            elif draw < BECOME_MASK + BECOME_RANDOM:
                masked[place] = int(rng.choice(known.ordinary))
        return masked, labels


def _order(
    ids: Sequence[list[int]], epochs: float, batch_size: int, seed: int
) -> npt.NDArray[np.int64]:
    """(epoch, row) of every item [items, 2]: shuffled, then batches of like length together."""
    import numpy as np

    lengths = np.asarray([len(one) for one in ids])
    n_items = max(1, round(epochs * len(ids)))
    parts = []
    for epoch in range(-(-n_items // len(ids))):
        rows = np.concatenate(batches_by_length(lengths, batch_size, seed, epoch))
        parts.append(np.stack([np.full(len(rows), epoch), rows], axis=1))
    order: npt.NDArray[np.int64] = np.concatenate(parts)[:n_items].astype(np.int64)
    return order


def frequency_loss(learnt_from: Sequence[list[int]], asked: LanguageRows) -> float:
    """Mean negative log-likelihood, in nats, of what `asked` asks for, by frequency alone.

    Of each token by how often it is in `learnt_from` (plus one), whatever stands around it: what a
    model must go below before it has learnt anything of how tokens follow from each other.
    """
    import numpy as np

    wanted = np.concatenate([asked.targets(index) for index in range(len(asked))])
    flat = np.concatenate([np.asarray(ids) for ids in learnt_from])
    if asked.objective == "masked":
        flat = flat[~np.isin(flat, list(asked.vocabulary.marks))]
    counts = np.bincount(flat, minlength=int(wanted.max()) + 1) + 1.0
    return float(-np.log(counts[wanted] / counts.sum()).mean())


def collator(vocabulary: Vocabulary) -> Callable[[list[dict[str, list[int]]]], dict[str, Any]]:
    """Pads each batch to its own longest row, on the right; what is padded has no loss."""

    def together(rows: list[dict[str, list[int]]]) -> dict[str, Any]:
        import torch

        longest = max(len(row["input_ids"]) for row in rows)

        def padded(values: list[list[int]], filler: int) -> Any:
            return torch.tensor([one + [filler] * (longest - len(one)) for one in values])

        ids = [row["input_ids"] for row in rows]
        return {
            "input_ids": padded(ids, vocabulary.pad_id),
            "attention_mask": padded([[1] * len(one) for one in ids], 0),
            "labels": padded([row["labels"] for row in rows], IGNORED),
        }

    return together
