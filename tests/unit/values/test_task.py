"""Tasks as users write them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import (
    CausalLM,
    ImageClassification,
    Metric,
    Seq2Seq,
    Task,
    TaskKind,
    TextClassification,
    TokenClassification,
    metric_of,
    metrics_of,
)

TASKS: list[Task] = [
    TextClassification(),
    TextClassification(target="multi"),
    TextClassification(target="regression"),
    TokenClassification(),
    CausalLM(),
    CausalLM(form="completion"),
    CausalLM(form="chat"),
    Seq2Seq(),
    ImageClassification(),
]


def test_every_kind_is_here() -> None:
    assert {task.kind for task in TASKS} == set(get_args(TaskKind))


@pytest.mark.parametrize("task", TASKS)
def test_a_task_comes_back_as_it_was_written(task: Task) -> None:
    of_tasks = TypeAdapter(Task)
    assert of_tasks.validate_python(of_tasks.dump_python(task)) == task


@pytest.mark.parametrize("task", TASKS)
def test_each_of_its_metrics_may_be_asked_for_and_no_other(task: Task) -> None:
    kind = type(task)
    options = {name: getattr(task, name) for name in ("target", "form") if hasattr(task, name)}
    for metric in get_args(Metric):
        if metric in metrics_of(task):
            assert metric_of(kind(metric=metric, **options)) == metric
            continue
        with pytest.raises(ConfigurationError, match=f"{kind.__name__}.metric is '{metric}'"):
            kind(metric=metric, **options)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TextClassification(max_length=4), r"max_length is 4; .* between 8 and 8192"),
        (lambda: TokenClassification(max_length=9_000), r"max_length is 9000"),
        (lambda: CausalLM(max_length=0), r"CausalLM.max_length is 0"),
        (lambda: Seq2Seq(max_target_length=7), r"Seq2Seq.max_target_length is 7"),
        (lambda: ImageClassification(image_size=3), r"image_size is 3; .* between 4 and 1024"),
        (lambda: ImageClassification(image_size=2_000), r"image_size is 2000"),
        (lambda: TextClassification(target="mutli"), r"target is 'mutli'.*multi"),
        (lambda: CausalLM(form="chats"), r"form is 'chats'.*chat"),
        (lambda: TextClassification(metric="acuracy"), r"metric is 'acuracy'.*accuracy"),
        (lambda: TokenClassification(metric="entity-f1"), r"metric is 'entity-f1'.*entity_f1"),
    ],
)
def test_an_error_names_the_field_the_value_and_what_is_right(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"kind": "token-clasification"}, "token-classification"),
        ({"kind": "image-classification", "max_length": 64}, "max_length"),
        ({"kind": "text-classification", "targets": "multi"}, "targets"),
    ],
)
def test_an_unknown_kind_or_key_is_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigurationError, ValidationError), match=said):
        TypeAdapter(Task).validate_python(written)
