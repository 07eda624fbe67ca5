"""The lines that load a model: they are Python, for any folder and kind."""

from __future__ import annotations

import ast
import dataclasses

import hand_made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.report import usage_lines
from zenml_ftvr.values import (
    KINDS,
    Approach,
    Baseline,
    CausalLM,
    Contrastive,
    Full,
    Head,
    Kind,
    Lora,
    Partial,
    Scratch,
    TextClassification,
    TrainedModel,
)

APPROACHES: dict[Kind, Approach] = {
    "baseline": Baseline(),
    "head": Head(),
    "contrastive": Contrastive(),
    "partial": Partial(),
    "full": Full(),
    "lora": Lora(),
    "scratch": Scratch(),
}


def of_kind(kind: Kind) -> TrainedModel:
    model = hand_made.trained_model("full")
    plan = dataclasses.replace(model.plan, approach=APPROACHES[kind])
    return dataclasses.replace(model, plan=plan)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(path=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_folder_survives_into_the_lines(kind: Kind, path: str) -> None:
    for lines in usage_lines(of_kind(kind), path):
        constants = [
            node.value for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Constant)
        ]
        assert path in constants


@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_lines_do_without_this_package(kind: Kind) -> None:
    ours, plain = usage_lines(of_kind(kind), "/models/m")
    assert "zenml_ftvr" in ours
    assert "zenml_ftvr" not in plain


def test_the_plain_lines_cut_texts_where_training_did() -> None:
    model = of_kind("full")
    task = dataclasses.replace(model.plan.task, max_length=96)
    cut = dataclasses.replace(model, plan=dataclasses.replace(model.plan, task=task))
    assert "max_length=96" in usage_lines(cut, "/models/m")[1]


def test_an_adapter_is_loaded_onto_a_base_with_its_number_of_classes() -> None:
    assert "num_labels=4" in usage_lines(of_kind("lora"), "/models/m")[1]


def test_what_a_language_model_writes_begins_and_goes_on_as_with_this_package() -> None:
    for form in ("text", "completion"):
        lines = usage_lines(_of_task(CausalLM(form=form)), "/models/m")[1]
        assert "[begin, *ids]" in lines
        assert "do_sample=False" in lines
        assert "[1]:]" in lines  # the answer alone, without what was asked
    chat = usage_lines(_of_task(CausalLM(form="chat")), "/models/m")[1]
    assert "begin" not in chat.replace("begins", "")
    assert "apply_chat_template" in chat


def test_a_baseline_of_label_sets_says_labels_and_not_ones_and_noughts() -> None:
    task = TextClassification(target="multi")
    plan = dataclasses.replace(of_kind("baseline").plan, task=task)
    lines = usage_lines(dataclasses.replace(of_kind("baseline"), plan=plan), "/models/m")[1]
    assert "zip(labels, row)" in lines


def _of_task(task: CausalLM) -> TrainedModel:
    model = of_kind("full")
    return dataclasses.replace(model, plan=dataclasses.replace(model.plan, task=task))
