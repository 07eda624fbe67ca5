"""Does what the pretrained model knows fit this data? Measured, to explain, never to decide."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any, cast

from zenml_ftvr.approaches import refusal
from zenml_ftvr.data import rows_of_inputs
from zenml_ftvr.evaluate import scores_with_intervals
from zenml_ftvr.evaluate.forgetting import pretrained_head
from zenml_ftvr.models import (
    ResolvedModel,
    cached_features,
    tokenizer_view,
    train_tokenizer,
    twin_features,
)
from zenml_ftvr.models.baselines.ngram import fit_ngrams
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.pilot.folds import baseline_predictor, gap_between, head_predictor, out_of_fold
from zenml_ftvr.tasks import RowWork, work_for
from zenml_ftvr.tasks.causal_lm import CausalWork
from zenml_ftvr.train import Progress, silent
from zenml_ftvr.values import CausalLM, Metric, Task, metric_of
from zenml_ftvr.values.adequacy import Adequacy, Pieces, Predictability

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset
    from zenml_ftvr.profile import TokenizerView
    from zenml_ftvr.tasks import Answers
    from zenml_ftvr.values import Score

__all__ = ["LOOKED_AT_ROWS", "measure_adequacy"]

LOOKED_AT_ROWS = 1_000
"""Of the training split. A score on so many is known to 3 points, and a difference of paired scores
to about as much, which is small beside what a model that fits and one that does not differ by."""
FORETOLD_TEXTS = 64  # some ten thousand bytes: bits a byte are known to about a hundredth
UNBOUNDED = 1_024  # tokens of a text that is foretold where a model names no limit: a judgement
LEAST_TEXTS = 20  # half to train a tokenizer on, half to see how it cuts. A judgement
OWN_VOCABULARY = 8_000
"""Of the tokenizer that the base model's is compared with, at most: a quarter of BERT's 30,522, so
that where it cuts fewer pieces nevertheless, that is not for its size. A judgement."""


def measure_adequacy(
    dataset: Dataset,
    base: ResolvedModel,
    task: Task,
    device: str,
    seed: int,
    progress: Progress = silent,
) -> Adequacy:
    """Look at up to 1,000 training rows; nothing of the validation or test split is read."""
    started = time.monotonic()
    some = dataclasses.replace(dataset, train=dataset.train.take(_places(dataset, seed)))
    progress("looking at the base model", 0, 2)
    pieces, own_pieces = _pieces(some, base)
    progress("looking at the base model", 1, 2)
    found = Adequacy(n_rows=len(some.train), seconds=0.0, pieces=pieces, own_pieces=own_pieces)
    found = dataclasses.replace(found, predictability=_predictability(some, base, seed))
    if refusal("head", task) is None:
        found = _with_probes(found, some, base, task, device, seed)
    progress("looking at the base model", 2, 2)
    return dataclasses.replace(found, seconds=time.monotonic() - started)


def _places(dataset: Dataset, seed: int) -> list[int]:
    import numpy as np

    n = len(dataset.train)
    if n <= LOOKED_AT_ROWS:
        return list(range(n))
    chosen = np.random.default_rng(seed).choice(n, LOOKED_AT_ROWS, replace=False)
    return sorted(int(place) for place in chosen)


def _pieces(dataset: Dataset, base: ResolvedModel) -> tuple[Pieces | None, Pieces | None]:
    """Of the base model's tokenizer and of one of the data's own, on texts that neither saw."""
    from zenml_ftvr.profile import TokenizerView

    texts = [one for one in dataset.train.inputs if isinstance(one, str) and one.split()]
    if len(texts) < LEAST_TEXTS:
        return None, None
    learnt, looked_at = texts[::2], texts[1::2]
    view = tokenizer_view(base)
    tokenizer = train_tokenizer(learnt, OWN_VOCABULARY, 512)

    def encode(batch: list[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(batch, add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return ids

    own = TokenizerView(
        name="own",
        vocabulary_size=len(tokenizer),
        encode=encode,
        unknown_id=tokenizer.unk_token_id,
        n_special=0,
    )
    return _cut(looked_at, view), _cut(looked_at, own)


def _cut(texts: list[str], view: TokenizerView) -> Pieces:
    rows = view.encode(texts)
    n_pieces = sum(map(len, rows))
    unknown = sum(piece == view.unknown_id for row in rows for piece in row)
    return Pieces(
        per_word=n_pieces / sum(len(text.split()) for text in texts),
        unknown_share=unknown / max(1, n_pieces),
        vocabulary_size=view.vocabulary_size,
    )


def _predictability(dataset: Dataset, base: ResolvedModel, seed: int) -> Predictability | None:
    """Of a base model that was trained to foretell text, beside counts of bytes in other texts.

    Each text is begun with the model's first token, so that all of its bytes are foretold by both;
    the counts foretell its end too, which the model is not asked for.
    """
    head = pretrained_head(base)
    texts = [one for one in dataset.train.inputs if isinstance(one, str) and one.strip()]
    if head is None or head[0] != "causal loss" or len(texts) < LEAST_TEXTS:
        return None
    tokenizer = load_tokenizer(base.folder, base.source.allow)
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if first is None:
        return None
    most = base.architecture.max_positions or UNBOUNDED
    rows = [[first, *ids] for ids in tokenizer(texts[1::2], add_special_tokens=False)["input_ids"]]
    asked = [
        (ids, text) for ids, text in zip(rows, texts[1::2], strict=True) if 1 < len(ids) <= most
    ][:FORETOLD_TEXTS]
    if not asked:
        return None
    n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for _, text in asked)
    work = CausalWork(task=CausalLM())
    counts = fit_ngrams(work, rows_of_inputs(texts[::2], work.task), seed)
    counted = counts.outputs(rows_of_inputs([text for _, text in asked], work.task))
    return Predictability(
        by_model=_nats(head[1], [ids for ids, _ in asked]) / math.log(2) / n_bytes,
        by_ngrams=float(counted[:, 0].sum()) / math.log(2) / n_bytes,
        n_bytes=n_bytes,
    )


def _nats(model: Any, rows: list[list[int]]) -> float:
    """Negative log-likelihood of each row after its first token, summed."""
    import torch

    model.eval()
    total = 0.0
    with torch.inference_mode():
        for ids in rows:
            batch = torch.tensor([ids])
            logits = model(input_ids=batch, use_cache=False).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, batch[0, 1:], reduction="sum"))
    return total


def _with_probes(
    found: Adequacy, dataset: Dataset, base: ResolvedModel, task: Task, device: str, seed: int
) -> Adequacy:
    """With a head on the model's features, on a random twin's, and the baseline, out of fold."""
    work, metric = work_for(task, dataset), metric_of(task)
    rows = cast(RowWork, work)
    known = cached_features(base, dataset.train, task, device)
    blank = twin_features(base, dataset.train, task, device, seed)
    answers: list[Answers] = [
        out_of_fold(work, dataset, predict, seed, "a probe", silent)[0]
        for predict in (
            head_predictor(rows, dataset, known, seed),
            head_predictor(rows, dataset, blank, seed),
            baseline_predictor(work, dataset, seed),
        )
    ]
    probe, twin, without = answers
    return dataclasses.replace(
        found,
        probe=_score(probe, metric, seed),
        twin=_score(twin, metric, seed),
        without=_score(without, metric, seed),
        over_twin=gap_between(probe, twin, metric, seed),
        over_baseline=gap_between(probe, without, metric, seed),
    )


def _score(answers: Answers, metric: Metric, seed: int) -> Score:
    return scores_with_intervals(answers, [metric], seed)[0]
