"""From an approach to a plan: steps, schedule, and how the numbers came about."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from zenml_ftvr.approaches import (
    NEEDS_BASE_MODEL,
    NEURAL_LOOP,
    WARMUP_SHARE,
    WEIGHT_DECAY,
    Architecture,
    TrainingFacts,
    most_tokens,
    resolve,
    scratch,
)
from zenml_ftvr.values import (
    Approach,
    Baseline,
    CausalLM,
    Contrastive,
    DataProfile,
    Full,
    Head,
    Limits,
    Lora,
    ModelSource,
    Partial,
    Scratch,
    Seq2Seq,
    Task,
    TokenClassification,
    TrainingPlan,
    are_spans,
    metrics_of,
)

__all__ = [
    "EVALUATIONS",
    "PlanBasis",
    "ample_steps",
    "make_plan",
    "plan_basis",
    "training_facts",
    "with_metric",
]

EVALUATIONS = 6
"""Looks at the validation split during a training. Each costs a forward pass over it, about 2 % of
a four-epoch training at the default split; fewer would leave the curve without a shape."""

CHARACTERS_PER_WORD = 6
"""Space included: English words have 4.8 letters in running text (Norvig 2013, norvig.com/mayzner).
Text without spaces is counted by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBasis:
    """What the plans of all approaches share."""

    task: Task
    source: ModelSource | None
    model_fingerprint: str | None
    data_fingerprint: str
    labels: tuple[str, ...]
    facts: TrainingFacts
    seed: int
    n_encoded: int = 0
    """Training rows whose features are at hand, from the cross-validation of `head`."""
    limits: Limits = field(default_factory=Limits)
    unlabelled_words: tuple[tuple[str, int], ...] = ()
    """Of each text that an approach is to be pretrained on: its name, and how many words it has."""

    @property
    def max_length(self) -> int:
        """Tokens that a text is cut at."""
        return most_tokens(self.task)

    def resized(
        self, n_train: int, n_validation: int | None = None, n_test: int | None = None
    ) -> PlanBasis:
        """The same with `n_train` rows to train on; None keeps the other splits as they are."""
        facts = self.facts
        return dataclasses.replace(
            self,
            facts=dataclasses.replace(
                facts,
                n_train=n_train,
                n_validation=facts.n_validation if n_validation is None else n_validation,
                n_test=facts.n_test if n_test is None else n_test,
                n_words=max(1, round(facts.n_words * n_train / facts.n_train)),
                target_bits=None
                if facts.target_bits is None
                else facts.target_bits * n_train / facts.n_train,
            ),
            n_encoded=min(self.n_encoded, n_train),
        )


CHARACTERS_PER_TOKEN = 4
"""Of English, as GPT-2's tokenizer and its successors cut it: OpenAI's help centre, "What are
tokens and how to count them". Used where no base model's tokenizer has counted."""


def _packing(profile: DataProfile, task: Task) -> float:
    """Rows of a training for each row of the data: documents of a language model share blocks, and
    a long one fills several; of all other tasks 1."""
    if not isinstance(task, CausalLM):
        return 1.0
    tokens = profile.characters.mean * profile.n_train / CHARACTERS_PER_TOKEN
    if profile.tokens is not None:
        tokens = profile.tokens.total_train_tokens
    return tokens / task.max_length / profile.n_train


def training_facts(
    profile: DataProfile, task: Task, architecture: Architecture | None = None
) -> TrainingFacts:
    """What default hyperparameters follow from, read off the profile."""
    words = max(profile.words.mean, profile.characters.mean / CHARACTERS_PER_WORD)
    packing = _packing(profile, task)
    mean_tokens, longest_tokens = _row_tokens(profile, task)
    return TrainingFacts(
        n_train=math.ceil(profile.n_train * packing),
        n_validation=math.ceil(profile.n_validation * packing),
        n_test=math.ceil(profile.n_test * packing),
        n_classes=profile.n_classes,
        n_words=round(profile.n_train * _words_read(words, task)),
        n_layers=None if architecture is None else architecture.layers,
        architecture=architecture,
        form=scratch.form_of(task),
        alphabet=profile.alphabet,
        mean_tokens=mean_tokens,
        longest_tokens=longest_tokens,
    )


def _row_tokens(profile: DataProfile, task: Task) -> tuple[float | None, int | None]:
    """Tokens of the mean and of the longest training row, after truncation."""
    seen = profile.tokens
    if seen is None or isinstance(task, CausalLM | Seq2Seq):
        return None, None
    longest = math.ceil(seen.tokens.maximum)
    if seen.max_length is not None:
        longest = min(seen.max_length, longest)
    return seen.tokens.mean * (1 - seen.truncated_share), longest


def _words_read(words: float, task: Task) -> float:
    """Of a text of so many words: those that are not cut off; of a language model's none are."""
    return words if isinstance(task, CausalLM) else min(words, most_tokens(task))


def plan_basis(
    profile: DataProfile,
    task: Task,
    source: ModelSource | None,
    model_fingerprint: str | None,
    seed: int,
    architecture: Architecture | None = None,
) -> PlanBasis:
    """The basis that a profile gives; `architecture` is of the base model."""
    return PlanBasis(
        task=with_metric(task, profile),
        source=source,
        model_fingerprint=model_fingerprint,
        data_fingerprint=profile.fingerprint,
        labels=tuple(count.label for count in profile.classes),
        facts=training_facts(profile, task, architecture),
        seed=seed,
    )


IMBALANCED_SHARE = 0.4
"""Of an even share. A class with less is a minority as Google's machine learning course grades them
("Imbalanced datasets": mild from 40 % of all rows down, moderate from 20 % of two classes down,
which is 0.4 of an even share)."""


def with_metric(task: Task, profile: DataProfile) -> Task:
    """The task with what it is judged by: the user's choice, or what suits the data."""
    if task.metric is not None:
        return task
    metric = metrics_of(task)[0]
    if metric == "accuracy" and profile.has_classes:
        rarest = min(count.train for count in profile.classes) / profile.n_train
        if rarest < IMBALANCED_SHARE / profile.n_classes:
            metric = "macro_f1"
    if isinstance(task, TokenClassification) and not are_spans(
        one.label for one in profile.classes
    ):
        metric = "token_accuracy"
    return dataclasses.replace(task, metric=metric)


def ample_steps(approach: Approach, n_train: int) -> int:
    """Optimiser steps of a resolved approach at all its epochs; 0 for those that are solved."""
    match approach:
        case Baseline() | Head():
            return 0
        case Contrastive():
            return max(1, math.ceil((approach.pairs or 1) / (approach.batch_size or 1)))
        case Partial() | Full() | Lora() | Scratch():
            epochs, batch_size = approach.epochs or 1.0, approach.batch_size or 1
            return max(1, math.ceil(epochs * n_train / min(batch_size, n_train)))


def make_plan(
    approach: Approach,
    basis: PlanBasis,
    *,
    max_steps: int | None = None,
    wall_seconds: float | None = None,
    predicted_hours: float | None = None,
    notes: Sequence[str] = (),
) -> TrainingPlan:
    """The plan of one approach; knobs that are still open are filled.

    `max_steps` None takes all epochs. `notes` come before the approach's own reasons.
    """
    resolved, reasons = resolve(approach, basis.facts)
    needs_model = resolved.kind in NEEDS_BASE_MODEL
    steps, batch_size, learning_rate = 0, basis.facts.n_train, None
    match resolved:
        case Contrastive():
            steps = ample_steps(resolved, basis.facts.n_train) if max_steps is None else max_steps
            batch_size = resolved.batch_size or 1
            learning_rate = resolved.learning_rate
        case Partial() | Full() | Lora() | Scratch():
            steps = ample_steps(resolved, basis.facts.n_train) if max_steps is None else max_steps
            batch_size = min(resolved.batch_size or 1, basis.facts.n_train)
            learning_rate = resolved.learning_rate
        case Baseline() | Head():
            pass
    return TrainingPlan(
        approach=resolved,
        task=basis.task,
        model=basis.source if needs_model else None,
        model_fingerprint=basis.model_fingerprint if needs_model else None,
        data_fingerprint=basis.data_fingerprint,
        labels=basis.labels,
        max_steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=round(WARMUP_SHARE * steps),
        weight_decay=WEIGHT_DECAY if resolved.kind in NEURAL_LOOP else 0.0,
        eval_every_steps=max(1, math.ceil(steps / EVALUATIONS)),
        seed=basis.seed,
        wall_seconds=wall_seconds,
        predicted_hours=predicted_hours,
        reasons=(*notes, *reasons),
    )
