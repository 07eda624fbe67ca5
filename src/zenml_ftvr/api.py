"""The plain-Python face: the same work as the ZenML steps, without ZenML."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.approaches import NEEDS_BASE_MODEL, most_tokens
from zenml_ftvr.data import Dataset, InMemory, count_words, dataset_from, load_dataset
from zenml_ftvr.decide import (
    PilotProtocol,
    PlanBasis,
    hours_left,
    least_pilot_rows,
    pilot_allowance,
    pilot_arms,
    pilot_sizes,
    plan_basis,
    price_arm,
)
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
    CausalLM,
    DataProfile,
    DataSource,
    Full,
    ImageClassification,
    Ledger,
    LedgerEntry,
    Limits,
    Lora,
    Metric,
    ModelSource,
    PilotEvidence,
    PilotSettings,
    Recommendation,
    Request,
    Scratch,
    ScreeningEvidence,
    Task,
    TextClassification,
    TrainingPlan,
    metric_of,
    pilot_metric,
    unit_tolerance,
)
from zenml_ftvr.values.words import duration

if TYPE_CHECKING:
    from pathlib import Path

    from zenml_ftvr.models import LoadedModel, ResolvedModel
    from zenml_ftvr.train import Progress

__all__ = [
    "basis_for",
    "calibrate_arms",
    "gather_pilots",
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

EXPLAINING_SHARE = 0.02
"""Of the budget, that explaining whether the base model fits may take; pilots decide, and have a
tenth. A judgement."""

OTHER_BASES_SHARE = 0.05
"""Of the budget, after which no further base model is begun with. A judgement."""


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
        return profile_data(dataset, None, None)
    from zenml_ftvr.models import tokenizer_view

    cut_at = None if isinstance(request.task, CausalLM) else most_tokens(request.task)
    return profile_data(dataset, tokenizer_view(base), cut_at)


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
    named = {
        approach.pretrain_on
        for approach in request.approaches
        if isinstance(approach, Scratch | Full | Lora) and approach.pretrain_on is not None
    }
    return tuple((name, count_words(name)) for name in sorted(named))


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


def gather_pilots(
    dataset: Dataset,
    profile: DataProfile,
    calibration: Calibration,
    base: ResolvedModel | None,
    request: Request,
    progress: Progress,
) -> PilotEvidence:
    """Small trainings of every feasible arm, within the share of the budget that is theirs.

    Where there is none, or calibration used it up, the evidence has no runs and says why.
    """
    from zenml_ftvr.pilot import PilotBench, run_pilots, set_apart

    share, spent = request.pilots.share, calibration.seconds
    basis = basis_for(profile, base, request)
    metric = metric_of(basis.task)
    if share == 0:
        return _no_pilots(metric, request, "No pilots were asked for: pilots.share is 0.")
    measured = LedgerEntry(what="calibration", kind=None, seconds=spent)
    left = hours_left(request.budget, calibration.hardware, Ledger(entries=(measured,))) * 3600
    baseline = price_arm(Baseline(), basis, calibration, left, 0.0)
    beside = 0.0 if baseline.cost is None else baseline.cost.hours * 3600
    priced = [price_arm(one, basis, calibration, left, beside) for one in request.approaches]
    costs = [one.cost.hours * 3600 for one in priced if one.cost is not None and not one.problems]
    allowed = pilot_allowance(left + spent, costs, share, spent)
    if allowed == 0:
        both = pilot_allowance(left + spent, costs, share, 0.0)
        why = (
            f"Calibration took {duration(spent)}, and pilots may take what it leaves of "
            f"{duration(both)}: {share:g} of the budget, or of training every feasible approach."
        )
        return _no_pilots(metric, request, why)
    rows = set_apart(dataset, basis.task)
    least = least_pilot_rows(profile.classes if profile.has_classes else (), len(dataset.train))
    arms, skipped = pilot_arms(request.approaches, priced, basis, calibration, rows.counts, least)
    protocol = PilotProtocol(
        arms=arms,
        sizes=pilot_sizes(rows.counts.n_pool, least),
        n_pool=rows.counts.n_pool,
        n_train=len(dataset.train),
        seconds_allowed=allowed,
        tolerance=unit_tolerance(metric, request.tolerance),
        metric=pilot_metric(metric),
        n_select=rows.counts.n_select,
        seed=request.seed,
    )
    bench = PilotBench(
        rows=rows,
        base=base,
        basis=basis,
        approaches={one.kind: one for one in request.approaches},
        priced={one.approach.kind: one for one in priced},
        calibration=calibration,
        progress=progress,
    )
    evidence = run_pilots(protocol, bench)
    return dataclasses.replace(evidence, skipped=(*evidence.skipped, *skipped))


def _no_pilots(metric: Metric, request: Request, why: str) -> PilotEvidence:
    return PilotEvidence(
        metric=pilot_metric(metric),
        runs=(),
        n_select=0,
        seconds=0.0,
        seconds_allowed=0.0,
        skipped=tuple((one.kind, why) for one in request.approaches),
        stopped=why,
    )


def recommend_from_evidence(
    dataset: Dataset,
    profile: DataProfile,
    calibration: Calibration,
    base: ResolvedModel | None,
    request: Request,
    progress: Progress,
    pilots: PilotEvidence | None = None,
) -> Recommendation:
    """Cross-validate the cheap arms, then rank and choose."""
    from zenml_ftvr.pilot import LOOKED_AT_ROWS, compare_bases, measure_adequacy, screen

    evidence = screen(
        dataset,
        base,
        [approach.kind for approach in request.approaches],
        request.task,
        calibration.hardware.device,
        request.seed,
        progress,
    )
    basis = basis_for(profile, base, request)
    left = hours_left(request.budget, calibration.hardware, Ledger()) * 3600
    looking = seconds_to_look(evidence, calibration, len(dataset.train), LOOKED_AT_ROWS)
    if base is not None and looking is not None and looking <= EXPLAINING_SHARE * left:
        adequacy = measure_adequacy(
            dataset, base, basis.task, calibration.hardware.device, request.seed, progress
        )
        evidence = dataclasses.replace(
            evidence, adequacy=adequacy, seconds=evidence.seconds + adequacy.seconds
        )
    if base is not None and request.other_base_models:
        started = time.monotonic()
        others = compare_bases(
            dataset,
            base,
            request.other_base_models,
            basis.task,
            calibration.hardware.device,
            request.seed,
            OTHER_BASES_SHARE * left,
            progress,
        )
        took = time.monotonic() - started
        evidence = dataclasses.replace(
            evidence, other_bases=others, seconds=evidence.seconds + took
        )
    return decide(profile, calibration, evidence, request, basis, pilots)


def seconds_to_look(
    evidence: ScreeningEvidence, calibration: Calibration, n_train: int, n_looked_at: int
) -> float | None:
    """About what asking how well the base model fits would take; None where nothing tells."""
    head = calibration.arm("head")
    if head is None:
        return None
    share = min(1.0, n_looked_at / n_train)
    twin = share * n_train * head.seconds_per_step / head.batch_size
    probes = share * sum(one.seconds for one in evidence.measured)
    return head.setup_seconds + twin + probes


def recommend(
    data: DataSource | Dataset | InMemory | str,
    *,
    budget: Budget,
    approaches: Sequence[Approach] = ALL_APPROACHES,
    base_model: ModelSource | str = "minilm",
    task: Task | None = None,
    usd_per_hour: float | None = None,
    tolerance: float = 0.005,
    pilots: PilotSettings | None = None,
    minimum_score: float | None = None,
    other_base_models: Sequence[ModelSource | str] = (),
    seed: int = 0,
    limits: Limits | None = None,
) -> Recommendation:
    """Which approach, for this data and this budget? From real measurements on this machine.

    `data` is a `DataSource`, or just its name: a file, a URI, a Hub id or a built-in corpus; or
    rows in memory: a pandas DataFrame, a `datasets.Dataset`, an Arrow table or a list of mappings
    with the columns text and label (`data.dataset_from` takes other columns and splits).
    Nothing is trained beyond a few calibration steps, the cross-validation of the cheap arms, and
    small pilots where a tenth of the budget pays for them. The arguments are those of `Request`.
    Raises an `FtvrError` that says what to mend.
    """
    from zenml_ftvr.train import print_progress

    request = Request(
        budget=budget,
        approaches=tuple(approaches),
        base_model=_source_of(base_model),
        other_base_models=tuple(_source_of(one) for one in other_base_models),
        minimum_score=minimum_score,
        task=task or TextClassification(),
        usd_per_hour=usd_per_hour,
        tolerance=tolerance,
        pilots=pilots or PilotSettings(),
        seed=seed,
        limits=limits or Limits(),
    )
    base = resolve_base(request)
    dataset = _dataset_of(data, request.task)
    profile = profile_dataset(dataset, base, request)
    progress = print_progress()
    calibration = calibrate_arms(dataset, profile, base, request, progress)
    evidence = gather_pilots(dataset, profile, calibration, base, request, progress)
    return recommend_from_evidence(dataset, profile, calibration, base, request, progress, evidence)


def _source_of(model: ModelSource | str) -> ModelSource:
    return ModelSource(name=model) if isinstance(model, str) else model


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
