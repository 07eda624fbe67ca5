"""The next token of a text, of an answer to a prompt, or of a turn in a conversation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.tasks.answers import Answers, LanguageAnswers
from zenml_ftvr.tasks.packing import IGNORED, Document, PackedRows, pack
from zenml_ftvr.tasks.predictions import TextPrediction
from zenml_ftvr.tasks.work import Collate, HeadKind, TargetScale
from zenml_ftvr.values import CausalLM, Metric, metrics_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Rows

    Sums = npt.NDArray[np.float64]

__all__ = [
    "CausalWork",
    "Span",
    "counts_of_batch",
    "documents_of",
    "learnt_bytes",
    "prompt_ids",
    "spans_of",
]

DOCUMENTS_AT_ONCE = 1_000  # a tokenizer's call: enough for its own parallelism
ASSISTANT = "assistant"  # the role whose turns are learnt
MARK = "{%generation"  # how a chat template marks what the assistant says, white space apart


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document, and whether it is to be learnt."""

    text: str
    learnt: bool


def spans_of(task: CausalLM, given: Any, wanted: Any) -> tuple[Span, ...]:
    """What a row gives and what it wants, in the order in which it is read."""
    match task.form:
        case "text":
            return (Span(given, True),)
        case "completion":
            return (Span(given, False), Span(wanted, True))
        case "chat":
            return tuple(Span(turn["content"], turn["role"] == ASSISTANT) for turn in given)


def learnt_bytes(spans: Sequence[Span]) -> int:
    """Of what is learnt, in UTF-8."""
    return sum(len(span.text.encode("utf-8", "surrogatepass")) for span in spans if span.learnt)


def documents_of(task: CausalLM, tokenizer: Any, rows: Rows) -> Iterator[Document]:
    """Each row as token ids and labels; what a text begins and ends with included.

    The end is learnt too, and counts as no byte. Raises `ConfigurationError` where the tokenizer
    cannot say where texts begin, or has no chat template.
    """
    if task.form == "chat":
        yield from _conversations(tokenizer, rows)
        return
    begin, end = _begin(tokenizer), _end(tokenizer)
    for batch in rows.batches(DOCUMENTS_AT_ONCE):
        all_spans = [
            spans_of(task, given, wanted)
            for given, wanted in zip(batch.inputs, batch.targets, strict=True)
        ]
        texts = [span.text for spans in all_spans for span in spans]
        encoded = iter(tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"])
        for spans in all_spans:
            ids, labels = [begin], [IGNORED]
            for span in spans:
                own = [*next(encoded), *([end] if span.learnt else [])]
                ids += own
                labels += own if span.learnt else [IGNORED] * len(own)
            yield Document(ids, labels, learnt_bytes(spans))


def _begin(tokenizer: Any) -> int:
    for token in (tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise ConfigurationError(
        "the tokenizer has no token that begins or ends a text (bos_token, "
        "eos_token), so that the first token of a text could not be foretold. Set one and save it "
        "with `tokenizer.save_pretrained(folder)`."
    )


def _end(tokenizer: Any) -> int:
    for token in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return int(token)
    return _begin(tokenizer)


def _template(tokenizer: Any) -> str:
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        raise ConfigurationError(
            "task.form is 'chat', but the tokenizer has no chat template. Choose a "
            "base model that was trained on conversations, set `tokenizer.chat_template` and save "
            "it, or write prompt and answer in two columns and use form: completion."
        )
    return str(tokenizer.get_chat_template())


def _conversations(tokenizer: Any, rows: Rows) -> Iterator[Document]:
    marks = MARK in _template(tokenizer).replace("{%-", "{%").replace(" ", "")
    task = CausalLM(form="chat")
    for batch in rows.batches(DOCUMENTS_AT_ONCE):
        for turns, row_id in zip(batch.inputs, batch.row_ids, strict=True):
            ids, learnt = (_by_marks if marks else _by_growing)(tokenizer, turns, row_id)
            if learnt and learnt[0]:  # something has to come before it
                ids, learnt = [_begin(tokenizer), *ids], [False, *learnt]
            labels = [
                token if taught else IGNORED for token, taught in zip(ids, learnt, strict=True)
            ]
            yield Document(ids, labels, learnt_bytes(spans_of(task, turns, None)))


def _by_marks(tokenizer: Any, turns: list[Any], row_id: str) -> tuple[list[int], list[bool]]:
    """Ids, and which of them the template marks as the assistant's."""
    made = tokenizer.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    return list(made["input_ids"]), [bool(one) for one in made["assistant_masks"]]


def _by_growing(tokenizer: Any, turns: list[Any], row_id: str) -> tuple[list[int], list[bool]]:
    """Ids, and which of them come with an assistant's turn: by rendering turn after turn."""
    whole = _rendered(tokenizer, turns)
    stretches = []
    for place, turn in enumerate(turns):
        if turn["role"] != ASSISTANT:
            continue
        before = _rendered(tokenizer, turns[:place], asks=True) if place else ""
        after = _rendered(tokenizer, turns[: place + 1])
        if not (after.startswith(before) and whole.startswith(after)):
            raise DataError(
                f"the chat template writes the turns before turn {place} of row '{row_id}' "
                f"differently once that turn is there, so that what the assistant says cannot be "
                f"told apart. Mark it in the template with {{% generation %}}."
            )
        stretches.append((len(before), len(after)))
    made = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    learnt = [
        any(start <= place[0] < end for start, end in stretches) and place[1] > place[0]
        for place in made["offset_mapping"]
    ]
    return list(made["input_ids"]), learnt


def _rendered(tokenizer: Any, turns: list[Any], *, asks: bool = False) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=asks))


def prompt_ids(task: CausalLM, tokenizer: Any, inputs: Sequence[Any]) -> list[list[int]]:
    """What a model is given to go on from."""
    if task.form == "chat":
        _template(tokenizer)
        rendered = [_rendered(tokenizer, list(turns), asks=True) for turns in inputs]
        made: list[list[int]] = tokenizer(rendered, add_special_tokens=False)["input_ids"]
        return made
    begin = _begin(tokenizer)
    encoded = tokenizer(list(inputs), add_special_tokens=False, verbose=False)["input_ids"]
    return [[begin, *ids] for ids in encoded]


def counts_of_batch(logits: Any, shifted: Any) -> Any:
    """Negative log-likelihood, learnt tokens and hits of each row, a tensor [rows, 3] of 64 bits.

    `logits` [rows, tokens, vocabulary] foretell the labels `shifted` [rows, tokens].
    """
    import torch
    from torch.nn.functional import cross_entropy

    counts = []
    for row, wanted in zip(logits, shifted, strict=True):  # one at a time: 32 bits of each logit
        learnt = wanted != IGNORED
        own, truth = row[learnt].float(), wanted[learnt]
        nll = cross_entropy(own, truth, reduction="none").double().sum()
        hits = (own.argmax(-1) == truth).sum().double()
        counts.append(torch.stack([nll, learnt.sum().double(), hits]))
    return torch.stack(counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalWork:
    """Causal language modelling on one data set."""

    task: CausalLM
    labels: tuple[str, ...] = ()
    scale: TargetScale = dataclasses.field(default_factory=TargetScale)
    shares_blocks: bool = True
    """Whether documents share a row: not where the model cannot keep them apart."""

    @property
    def head(self) -> HeadKind:
        return "causal-lm"

    @property
    def selects_by(self) -> Metric | Literal["loss"]:
        return "loss"

    @property
    def in_training(self) -> tuple[Metric, ...]:
        return metrics_of(self.task)

    def model_settings(self) -> dict[str, Any]:
        """None: the head is the pretrained one."""
        return {}

    def encode(self, processor: Any, rows: Rows) -> PackedRows:
        """Documents in blocks of the task's length."""
        documents = documents_of(self.task, processor, rows)
        return pack(documents, self.task.max_length, share=self.shares_blocks)

    def collator(self, processor: Any, model: Any) -> Collate:
        """Pads at the end. Where documents share a row no attention mask is given: transformers
        then keeps them apart by where positions begin anew, and padding comes after all that is
        learnt. Where they do not, the model may not know positions, and gets a mask."""
        fill = {"input_ids": processor.pad_token_id, "labels": IGNORED, "position_ids": 0}

        def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
            import torch

            longest = max(len(row["input_ids"]) for row in rows)
            batch: dict[str, Any] = {
                name: torch.tensor(
                    [row[name] + [filling] * (longest - len(row[name])) for row in rows]
                )
                for name, filling in fill.items()
            }
            if not self.shares_blocks:
                del batch["position_ids"]
                lengths = torch.tensor([len(row["input_ids"]) for row in rows])
                batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
            # A cache would make the model take a block for one document.
            return {**batch, "use_cache": False}

        return collate

    def reduced(self, logits: Any, labels: Any) -> Any:
        """Sums of each row, [rows, 3]."""
        first = logits[0] if isinstance(logits, tuple) else logits
        return counts_of_batch(first[:, :-1], labels[:, 1:])

    def answers_in_training(self, kept: Any, labels: Any, rows: Any) -> Answers:
        """All rows as one: batches come in another order than the rows."""
        import numpy as np

        nll, tokens, hits = np.asarray(kept, dtype=np.float64).sum(0, keepdims=True).T
        return LanguageAnswers(nll, tokens, np.asarray([rows.n_bytes]), hits)

    def answers(self, outputs: Sums, rows: Rows) -> Answers:
        """Outputs [rows, 4]: negative log-likelihood, tokens, bytes, hits."""
        nll, tokens, n_bytes, hits = outputs.T
        return LanguageAnswers(nll, tokens, n_bytes, hits)

    def predictions(self, outputs: Sequence[str], inputs: Sequence[Any]) -> list[Any]:
        """What was written to go on from each input."""
        return [TextPrediction(text=text) for text in outputs]
