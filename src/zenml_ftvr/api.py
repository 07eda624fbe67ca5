"""The plain-Python face: the same work as the ZenML steps, without ZenML."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.approaches import NEEDS_BASE_MODEL, most_tokens
from zenml_ftvr.data import Dataset, InMemory, count_words, dataset_from, load_dataset
from zenml_ftvr.decide import PlanBasis, hours_left, plan_basis
from zenml_ftvr.decide import recommend as decide
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.hardware import detect
from zenml_ftvr.profile import profile_data
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Allowance,
    Approach,
    Baseline,
    Budget,
    Calibration,
    DataProfile,
    DataSource,
    ImageClassification,
    Ledger,
    Limits,
    ModelSource,
    Recommendation,
    Request,
    Task,
    TextClassification,
    TrainingPlan,
)

if TYPE_CHECKING:
    from pathlib import Path

    from zenml_ftvr.models import LoadedModel, ResolvedModel
    from zenml_ftvr.train import Progress

__all__ = [
    "basis_for",
    "calibrate_arms",
    "load",
    "plan_for",
    "profile_dataset",
    "recommend",
    "recommend_from_evidence",
    "resolve_base",
]

CALIBRATION_SHARE = 0.1
"""Of the budget, that the first steps of one arm may use up before it is given up: an arm whose
first seven steps take a tenth of the budget takes no seventy steps in all of it."""


def load(path: str | Path, allow: Sequence[Allowance] = ()) -> LoadedModel:
    """Load a trained model's folder: `load(path).predict(["a text"])`.

    `allow` is needed where the base model had code or pickled weights (`ModelSource.allow`).
    """
    from zenml_ftvr.models import load as load_folder

    return load_folder(path, allow)


def resolve_base(request: Request) -> ResolvedModel | None:
    """The base model, or None where no approach on offer needs one."""
    if not any(approach.kind in NEEDS_BASE_MODEL for approach in request.approaches):
        return None
    from zenml_ftvr.models import refuse_other_forms, resolve

    base = resolve(request.base_model)
    refuse_other_forms(base.source, base.folder, request.task)
    _refuse_unlike_inputs(base, request.task)
    positions, wanted = base.architecture.max_positions, most_tokens(request.task)
    if positions is not None and wanted > positions:
        raise ConfigurationError(
            f"task.max_length is {wanted}, but base model "
            f"'{request.base_model.name}' has {positions} positions. Set it to at most "
            f"{positions}, or choose another base model."
        )
    return base


def _refuse_unlike_inputs(base: ResolvedModel, task: Task) -> None:
    """Raise `ConfigurationError` for an image model where texts are read, and the reverse."""
    reads = "images" if base.architecture.form == "image-encoder" else "text"
    wanted = "images" if isinstance(task, ImageClassification) else "text"
    if reads != wanted:
        raise ConfigurationError(
            f"base model '{base.source.name}' reads {reads}, but task {task.kind} is about "
            f"{wanted}. Name a model of {wanted} as base_model.name, or offer only the approaches "
            f"baseline and scratch."
        )


def profile_dataset(dataset: Dataset, base: ResolvedModel | None, request: Request) -> DataProfile:
    """Profile the data, with the base model's tokenizer where there is one."""
    if base is None or isinstance(request.task, ImageClassification):
        return profile_data(dataset, None, most_tokens(request.task))
    from zenml_ftvr.models import tokenizer_view

    return profile_data(dataset, tokenizer_view(base), most_tokens(request.task))


def basis_for(profile: DataProfile, base: ResolvedModel | None, request: Request) -> PlanBasis:
    """What the plans of all arms of one request share."""
    source, fingerprint = (None, None) if base is None else (base.source, base.fingerprint)
    architecture = None if base is None else base.architecture
    basis = plan_basis(profile, request.task, source, fingerprint, request.seed, architecture)
    return dataclasses.replace(
        basis, limits=request.limits, unlabelled_words=_unlabelled_words(request)
    )


def _unlabelled_words(request: Request) -> tuple[tuple[str, int], ...]:
    """Of each text that an approach on offer is to be pretrained on, how many words it has."""
    named = {getattr(approach, "pretrain_on", None) for approach in request.approaches}
    return tuple((name, count_words(name)) for name in sorted(named - {None}))


def calibrate_arms(
    dataset: Dataset,
    profile: DataProfile,
    base: ResolvedModel | None,
    request: Request,
    progress: Progress,
) -> Calibration:
    """A few real steps of every arm, and of the baseline that all are compared with."""
    from zenml_ftvr.pilot import calibrate

    offered = list(request.approaches)
    if all(approach.kind != "baseline" for approach in offered):
        offered.insert(0, Baseline())
    hardware = detect(request.usd_per_hour)
    seconds = hours_left(request.budget, hardware, Ledger()) * 3600
    return calibrate(
        dataset,
        base,
        basis_for(profile, base, request),
        offered,
        hardware,
        seconds_per_arm=CALIBRATION_SHARE * seconds,
        progress=progress,
    )


def recommend_from_evidence(
    dataset: Dataset,
    profile: DataProfile,
    calibration: Calibration,
    base: ResolvedModel | None,
    request: Request,
    progress: Progress,
) -> Recommendation:
    """Cross-validate the cheap arms, then rank and choose."""
    from zenml_ftvr.pilot import screen

    evidence = screen(
        dataset,
        base,
        [approach.kind for approach in request.approaches],
        request.task,
        calibration.hardware.device,
        request.seed,
        progress,
    )
    return decide(profile, calibration, evidence, request, basis_for(profile, base, request))


def recommend(
    data: DataSource | Dataset | InMemory | str,
    *,
    budget: Budget,
    approaches: Sequence[Approach] = ALL_APPROACHES,
    base_model: ModelSource | str = "minilm",
    task: Task | None = None,
    usd_per_hour: float | None = None,
    tolerance: float = 0.005,
    seed: int = 0,
    limits: Limits | None = None,
) -> Recommendation:
    """Which approach, for this data and this budget? From real measurements on this machine.

    `data` is a `DataSource`, or just its name: a file, a URI, a Hub id or a built-in corpus; or
    rows in memory: a pandas DataFrame, a `datasets.Dataset`, an Arrow table or a list of mappings
    with the columns text and label (`data.dataset_from` takes other columns and splits).
    Nothing is trained beyond a few calibration steps and the cross-validation of the cheap arms.
    The arguments are those of `Request`. Raises an `FtvrError` that says what to mend.
    """
    from zenml_ftvr.train import print_progress

    request = Request(
        budget=budget,
        approaches=tuple(approaches),
        base_model=ModelSource(name=base_model) if isinstance(base_model, str) else base_model,
        task=task or TextClassification(),
        usd_per_hour=usd_per_hour,
        tolerance=tolerance,
        seed=seed,
        limits=limits or Limits(),
    )
    base = resolve_base(request)
    dataset = _dataset_of(data, request.task)
    profile = profile_dataset(dataset, base, request)
    progress = print_progress()
    calibration = calibrate_arms(dataset, profile, base, request, progress)
    return recommend_from_evidence(dataset, profile, calibration, base, request, progress)


def _dataset_of(data: DataSource | Dataset | InMemory | str, task: Task) -> Dataset:
    match data:
        case Dataset():
            return data
        case DataSource():
            return load_dataset(data, task)
        case str():
            return load_dataset(DataSource(name=data), task)
        case _:
            return dataset_from(data, task=task)


def plan_for(
    dataset: Dataset,
    approach: Approach,
    base_model: ModelSource,
    task: Task,
    seed: int,
) -> TrainingPlan:
    """The plan of one approach by its defaults: no recommendation, no budget, all its epochs."""
    from zenml_ftvr.decide import make_plan

    request = Request(
        budget=Budget(hours=1.0),  # any: nothing here looks at it
        approaches=(approach,),
        base_model=base_model,
        task=task,
        seed=seed,
    )
    base = resolve_base(request)
    profile = profile_data(dataset, None, most_tokens(task))
    return make_plan(approach, basis_for(profile, base, request))
