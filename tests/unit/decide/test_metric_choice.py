"""What a task is judged by, where the user did not say."""

from __future__ import annotations

import dataclasses

import pytest
from hand_made import data_profile

from zenml_ftvr.decide.plan import with_metric
from zenml_ftvr.values import (
    ClassCount,
    DataProfile,
    ImageClassification,
    Task,
    TextClassification,
    TokenClassification,
    metric_of,
    metrics_of,
)


def profile_of(**rows: int) -> DataProfile:
    """Training rows of each class; of tags, rows that have the tag."""
    return _profile(dict(rows))


def _profile(rows: dict[str, int]) -> DataProfile:
    return dataclasses.replace(
        data_profile(),
        n_train=sum(rows.values()),
        classes=tuple(
            ClassCount(label=label, train=n, validation=10, test=10) for label, n in rows.items()
        ),
    )


CLASSES: list[Task] = [TextClassification(), ImageClassification()]


@pytest.mark.parametrize("task", CLASSES)
@pytest.mark.parametrize(
    ("rows", "metric"),
    [
        ({"a": 100, "b": 100}, "accuracy"),
        ({"a": 160, "b": 40}, "accuracy"),  # 0.4 of an even share
        ({"a": 161, "b": 39}, "macro_f1"),
        ({"a": 100, "b": 100, "c": 100, "d": 31}, "macro_f1"),
        ({"a": 100, "b": 100, "c": 100, "d": 34}, "accuracy"),
    ],
)
def test_a_class_far_below_its_even_share_asks_for_the_mean_over_classes(
    task: Task, rows: dict[str, int], metric: str
) -> None:
    assert with_metric(task, _profile(rows)).metric == metric


@pytest.mark.parametrize("task", CLASSES)
def test_what_the_user_said_stays(task: Task) -> None:
    said = dataclasses.replace(task, metric="mcc")
    assert with_metric(said, profile_of(a=190, b=10)) == said


@pytest.mark.parametrize(
    ("tags", "metric"),
    [
        (("O", "B-PER", "I-PER"), "entity_f1"),
        (("O", "S-LOC", "E-LOC"), "entity_f1"),
        (("NOUN", "VERB", "DET"), "token_accuracy"),
        (("O", "BAD", "IRON"), "token_accuracy"),
    ],
)
def test_tags_that_are_spans_are_judged_by_spans(tags: tuple[str, ...], metric: str) -> None:
    profile = _profile(dict.fromkeys(tags, 50))
    assert with_metric(TokenClassification(), profile).metric == metric


@pytest.mark.parametrize(
    ("target", "metric"), [("multi", "micro_f1"), ("regression", "r2"), ("single", "accuracy")]
)
def test_balance_says_nothing_of_label_sets_and_numbers(target: str, metric: str) -> None:
    task = TextClassification(target=target)  # type: ignore[arg-type]
    rows = {"a": 100, "b": 100} if target == "single" else {"a": 195, "b": 5}
    assert with_metric(task, _profile(rows)).metric == metric


def test_the_choice_is_one_of_what_is_reported() -> None:
    for task in (*CLASSES, TokenClassification(), TextClassification(target="multi")):
        chosen = with_metric(task, profile_of(a=190, b=10))
        assert metric_of(chosen) in metrics_of(task)
        assert dataclasses.replace(chosen, metric=None) == task
