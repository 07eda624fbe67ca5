"""What decides the weights names the folder of a training, and stands on the model's card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.hardware import installed_versions
from zenml_ftvr.train import fingerprint as fingerprint_module
from zenml_ftvr.train import run_plan
from zenml_ftvr.train.attempts import run_folder
from zenml_ftvr.train.fingerprint import training_fingerprint
from zenml_ftvr.values import Approach, Hardware, Kind, Scratch, TrainingPlan


@pytest.fixture
def plan(plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach]) -> TrainingPlan:
    return plan_of(learns["full"], max_steps=4, eval_every_steps=2)


@pytest.mark.parametrize(
    "fields",
    [
        {"learning_rate": 1e-5},
        {"max_steps": 5},
        {"batch_size": 8},
        {"seed": 1},
        {"data_fingerprint": "0" * 64},
        {"model_fingerprint": "0" * 64},
    ],
)
def test_it_changes_with_what_decides_the_weights(
    fields: dict[str, Any], plan: TrainingPlan
) -> None:
    assert training_fingerprint(dataclasses.replace(plan, **fields)) != training_fingerprint(plan)


def test_it_stays_where_only_clock_and_wording_change(plan: TrainingPlan) -> None:
    other = dataclasses.replace(plan, wall_seconds=9.0, predicted_hours=1.0, reasons=("why",))
    assert training_fingerprint(other) == training_fingerprint(plan)


@pytest.mark.parametrize(
    ("name", "changes"), [("torch", True), ("transformers", True), ("wandb", False)]
)
def test_it_changes_with_the_versions_that_decide(
    name: str, changes: bool, plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training_fingerprint(plan)
    versions = {**installed_versions(), name: "0.0"}
    monkeypatch.setattr(fingerprint_module, "installed_versions", lambda: versions)
    assert (training_fingerprint(plan) != before) == changes


def test_texts_count_by_what_they_say_and_not_by_their_name(
    plan_of: Callable[..., TrainingPlan], tmp_path: Path
) -> None:
    def of(name: str, content: str) -> str:
        file = tmp_path / name
        file.write_text(content, encoding="utf-8")
        return training_fingerprint(plan_of(Scratch(pretrain_on=str(file))))

    first = of("one.txt", "a text\nand another\n")
    assert of("one.txt", "a text\nand one more\n") != first
    assert of("two.txt", "a text\nand another\n") == first
    assert training_fingerprint(plan_of(Scratch(pretrain_on="docstrings"))) != first


def test_it_names_the_folder_and_stands_on_the_card(
    plan: TrainingPlan, dataset: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    seen: list[str] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if done == 2:
            seen.extend(one.name for one in (tmp_path / "runs").iterdir() if one.is_dir())

    model = run_plan(
        plan, dataset, tmp_path / "model", hardware, progress=progress, runs=tmp_path / "runs"
    )
    assert model.fingerprint == training_fingerprint(plan)
    assert seen == [f"{model.fingerprint}-{plan.data_fingerprint[:16]}"]
    assert seen == [run_folder(plan, tmp_path / "runs").name]
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"Fingerprint of the training, versions included: {model.fingerprint}." in card
    assert f"data {plan.data_fingerprint}" in card
