"""A few real steps of every arm; what cannot be calibrated says why."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.api import basis_for, profile_dataset
from zenml_ftvr.data import Dataset
from zenml_ftvr.decide import PlanBasis
from zenml_ftvr.models import ResolvedModel, resolve
from zenml_ftvr.pilot import calibrate
from zenml_ftvr.values import (
    KINDS,
    Approach,
    Baseline,
    Budget,
    Calibration,
    Full,
    Hardware,
    Head,
    Kind,
    Lora,
    ModelSource,
    Request,
    Scratch,
    TextClassification,
    TrainedModel,
)


@pytest.fixture(scope="module")
def base(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


@pytest.fixture(scope="module")
def basis_of(
    dataset: Dataset, base: ResolvedModel, task: TextClassification
) -> Callable[..., PlanBasis]:
    def make(of: Dataset = dataset, on: ResolvedModel | None = base) -> PlanBasis:
        request = Request(budget=Budget(hours=1), task=task)
        return basis_for(profile_dataset(of, on, request), on, request)

    return make


@pytest.fixture(scope="module")
def measured(
    dataset: Dataset,
    base: ResolvedModel,
    basis_of: Callable[..., PlanBasis],
    hardware: Hardware,
    learns: dict[Kind, Approach],
) -> Callable[[], Calibration]:
    """Every arm calibrated: once, however often it is asked for."""
    done: list[Calibration] = []

    def run() -> Calibration:
        if not done:
            approaches = list(learns.values())
            done.append(calibrate(dataset, base, basis_of(), approaches, hardware))
        return done[0]

    return run


def test_every_arm_is_measured_with_numbers_above_nothing(
    measured: Callable[[], Calibration],
) -> None:
    calibration = measured()
    assert calibration.skipped == ()
    assert tuple(arm.kind for arm in calibration.arms) == KINDS
    for arm in calibration.arms:
        for seconds in (arm.seconds_per_step, arm.seconds_per_eval_row, arm.setup_seconds):
            assert 0 < seconds < 60
        assert arm.save_seconds >= 0
        assert math.isfinite(arm.peak_memory_gib)
        assert arm.peak_memory_gib >= 0
    assert calibration.process_memory_gib > 0.05
    assert calibration.seconds > sum(arm.setup_seconds for arm in calibration.arms)


def test_what_is_timed_is_what_would_be_trained(
    measured: Callable[[], Calibration], trained: Callable[[Kind], TrainedModel]
) -> None:
    for arm in measured().arms:
        model = trained(arm.kind)
        assert (arm.n_params, arm.n_trainable) == (model.n_params, model.n_trainable)
        if arm.kind in ("full", "lora", "scratch"):
            assert (arm.batch_size, arm.n_steps_timed) == (model.plan.batch_size, 5)


def test_a_calibration_names_its_data_model_and_machine(
    measured: Callable[[], Calibration],
    dataset: Dataset,
    base: ResolvedModel,
    hardware: Hardware,
) -> None:
    calibration = measured()
    assert calibration.data_fingerprint == dataset.fingerprint
    assert calibration.model == base.source
    assert calibration.hardware == hardware


def test_progress_counts_the_arms(
    dataset: Dataset, basis_of: Callable[..., PlanBasis], hardware: Hardware
) -> None:
    told: list[tuple[int, int, str]] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        told.append((done, total, note))

    calibrate(dataset, None, basis_of(), [Baseline(), Head()], hardware, progress=progress)
    assert told == [(0, 2, ""), (1, 2, "baseline"), (2, 2, "head")]


def test_arms_that_need_a_base_model_are_skipped_without_one(
    dataset: Dataset, basis_of: Callable[..., PlanBasis], hardware: Hardware
) -> None:
    approaches = [Baseline(), Head(), Full(), Lora()]
    calibration = calibrate(dataset, None, basis_of(on=None), approaches, hardware)
    assert [arm.kind for arm in calibration.arms] == ["baseline"]
    assert [kind for kind, _ in calibration.skipped] == ["head", "full", "lora"]
    assert {why for _, why in calibration.skipped} == {"it needs a base model, and none was given."}


def test_an_arm_beyond_the_memory_is_not_tried(
    dataset: Dataset,
    base: ResolvedModel,
    basis_of: Callable[..., PlanBasis],
    hardware: Hardware,
) -> None:
    small = dataclasses.replace(hardware, memory_gib=0.004)
    approaches = [Baseline(), Head(), Scratch(depth=12, vocabulary_size=30_000)]
    calibration = calibrate(dataset, base, basis_of(), approaches, small)
    assert [arm.kind for arm in calibration.arms] == ["baseline", "head"]
    ((kind, why),) = calibration.skipped
    assert kind == "scratch"
    assert why.startswith("it needs about ")
    assert why.endswith("GiB by arithmetic; the machine has 0.0 GiB.")


def test_an_arm_that_fails_is_skipped_with_its_reason_and_the_rest_go_on(
    dataset: Dataset,
    basis_of: Callable[..., PlanBasis],
    hardware: Hardware,
    bert_folder: Path,
    tmp_path: Path,
) -> None:
    copy = Path(shutil.copytree(bert_folder, tmp_path / "base"))
    base = resolve(ModelSource(name=str(copy)))
    (copy / "model.safetensors").unlink()  # after it was resolved: a volume that went away
    approaches = [Full(), Head(), Baseline()]
    calibration = calibrate(dataset, base, basis_of(on=base), approaches, hardware)
    assert [arm.kind for arm in calibration.arms] == ["baseline"]
    assert [kind for kind, _ in calibration.skipped] == ["full", "head"]
    for _, why in calibration.skipped:
        assert why.startswith("its first steps failed: ")
        assert str(copy) in why


def test_an_arm_that_uses_up_its_seconds_is_given_up(
    dataset: Dataset, basis_of: Callable[..., PlanBasis], hardware: Hardware
) -> None:
    approaches = [Scratch(depth=2, vocabulary_size=400)]
    calibration = calibrate(dataset, None, basis_of(), approaches, hardware, seconds_per_arm=0.0)
    assert calibration.arms == ()
    ((kind, why),) = calibration.skipped
    assert kind == "scratch"
    assert why.startswith("1 of 7 calibration steps took")


def test_fewer_rows_than_a_batch_are_calibrated_too(
    dataset: Dataset, base: ResolvedModel, basis_of: Callable[..., PlanBasis], hardware: Hardware
) -> None:
    calibration = calibrate(dataset, base, basis_of(), [Full(batch_size=1_000)], hardware)
    assert [arm.batch_size for arm in calibration.arms] == [152]
