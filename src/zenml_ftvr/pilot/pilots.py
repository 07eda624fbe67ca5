"""Small real trainings on growing subsets, all judged on the same rows.

What the training that follows uses again: features of the base model, and the states of its frozen
layers, which are kept on disk row by row. Weights of a pilot are not gone on with: its learning
rate has come down by its end, and a training that began from it would have another schedule than
the one that was forecast.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from zenml_ftvr.decide import (
    RERUN_SEED,
    SEEDS_OF_CHEAP,
    PilotProtocol,
    PilotRequest,
    PlanBasis,
    PricedArm,
    carry_out,
    judging_seconds,
    plan_of_pilot,
)
from zenml_ftvr.errors import FtvrError, TrainingError
from zenml_ftvr.models import ResolvedModel, cached_features, fit_baseline, load
from zenml_ftvr.pilot.finished import forget, keep, pilot_fingerprint, recall
from zenml_ftvr.pilot.rows import PilotRows
from zenml_ftvr.tasks import Answers, ClassAnswers, RowWork, score, work_for
from zenml_ftvr.train import (
    Diverged,
    Interrupted,
    Progress,
    choose_strength,
    fit_head,
    run_plan,
    silent,
)
from zenml_ftvr.values import (
    Approach,
    Calibration,
    Kind,
    PilotEvidence,
    PilotRun,
    PilotStatus,
    TrainedModel,
    TrainingPlan,
    unit_score,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset, Rows

    Features = npt.NDArray[np.float32]

__all__ = ["PilotBench", "run_pilots"]

LEAST_LIMIT = 1.0  # second: of a plan whose time is all but up


@dataclass(frozen=True, kw_only=True, eq=False)
class PilotBench:
    """What pilots are run with."""

    rows: PilotRows
    base: ResolvedModel | None
    basis: PlanBasis
    """Of the whole training."""
    approaches: Mapping[Kind, Approach]
    """As the user gave them."""
    priced: Mapping[Kind, PricedArm]
    calibration: Calibration
    progress: Progress = silent

    @cached_property
    def select_features(self) -> Features:
        """Of the rows that pilots are judged on, [rows, hidden]; computed once."""
        return self._features(self.rows.select, "rows judged on")

    @cached_property
    def _of_size(self) -> dict[int, tuple[npt.NDArray[np.int64], Features]]:
        return {}

    def features(self, n: int, draw: int) -> Features:
        """Of the training rows of a pilot on `n` rows; computed for all draws of a size at once."""
        import numpy as np

        if n not in self._of_size:
            draws = range(SEEDS_OF_CHEAP) if n < len(self.rows.pool) else range(1)
            asked = np.unique(np.concatenate([self.rows.places(n, one) for one in draws]))
            computed = self._features(self.rows.pool.take(asked), "train")
            self._of_size[n] = asked, computed
        asked, computed = self._of_size[n]
        return computed[np.searchsorted(asked, self.rows.places(n, draw))]

    def _features(self, rows: Rows, what: str) -> Features:
        if self.base is None:
            raise TrainingError("approach 'head' needs a base model; set base_model.name.")
        return cached_features(
            self.base,
            rows,
            self.basis.task,
            self.calibration.hardware.device,
            lambda done, total: self.progress(f"features, {what}", done, total),
        )


def run_pilots(protocol: PilotProtocol, bench: PilotBench) -> PilotEvidence:
    """Run what the protocol asks for, within its seconds.

    A training that goes wrong is recorded with the reason, and its seconds count. What pilots of an
    attempt that was interrupted came to is taken from there, their seconds with it. Raises
    `Interrupted` where the process was told to stop.
    """
    spent = 0.0
    kept: list[str] = []

    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        nonlocal spent
        what = f"{request.kind} on {request.n_train:,} rows"
        bench.progress("pilots, seconds", round(spent), round(protocol.seconds_allowed), what)
        pilot = _made_ready(bench, request, left)
        told_by = _fingerprint(protocol, bench, pilot)
        done = recall(told_by)
        if done is None:
            done = _run(protocol, bench, pilot)
            keep(told_by, done)
        kept.append(told_by)
        spent += sum(one.seconds for one in done)
        return done

    evidence = _as_the_plan_counts(carry_out(protocol, run), bench)
    forget(kept)
    return evidence


def _as_the_plan_counts(evidence: PilotEvidence, bench: PilotBench) -> PilotEvidence:
    """Sizes in the rows that a plan has: of a language model, blocks that documents are packed in.

    Costs and forecasts are told for sizes so counted.
    """
    packing = bench.basis.facts.n_train / bench.rows.counts.n_train
    if packing == 1:
        return evidence
    return dataclasses.replace(
        evidence,
        runs=tuple(
            dataclasses.replace(one, n_train=max(1, math.ceil(packing * one.n_train)))
            for one in evidence.runs
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pilot:
    """What was asked for, and what it is made from."""

    request: PilotRequest
    dataset: Dataset
    plan: TrainingPlan | None
    """None of what is solved for."""


def _made_ready(bench: PilotBench, request: PilotRequest, left: float) -> _Pilot:
    """The pilot's rows and its plan, which has `left` seconds at most."""
    dataset = bench.rows.subset(request.n_train, request.draw)
    if request.kind in ("baseline", "head"):
        return _Pilot(request=request, dataset=dataset, plan=None)
    plan = plan_of_pilot(
        bench.approaches[request.kind],
        bench.priced[request.kind],
        bench.basis,
        bench.rows.counts,
        request,
    )
    judging = judging_seconds(request.kind, bench.basis, bench.calibration, bench.rows.counts)
    plan = dataclasses.replace(
        plan,
        data_fingerprint=dataset.fingerprint,
        wall_seconds=max(LEAST_LIMIT, left - judging),
        predicted_hours=request.seconds / 3600,
    )
    return _Pilot(request=request, dataset=dataset, plan=plan)


def _fingerprint(protocol: PilotProtocol, bench: PilotBench, pilot: _Pilot) -> str:
    made_by = (pilot.request, bench.basis) if pilot.plan is None else pilot.plan
    return pilot_fingerprint(made_by, pilot.dataset, protocol, bench.calibration.hardware)


def _run(protocol: PilotProtocol, bench: PilotBench, pilot: _Pilot) -> tuple[PilotRun, ...]:
    """One pilot, from its rows to its score, and before it a first seed that collapsed."""
    from safetensors import SafetensorError

    started = time.monotonic()
    request = pilot.request
    first: PilotRun | None = None
    model: TrainedModel | None = None
    try:
        answers, model = _trained(bench, pilot)
        first = None if model is None else _collapsed_before(request, model)
        status, value, detail = _judged(protocol, request, answers, model)
    except Interrupted:
        raise
    except Diverged as error:
        status, value, detail = "diverged", None, str(error)
    # scikit-learn says by ValueError that rows are too few for it.
    except (FtvrError, RuntimeError, MemoryError, OSError, ValueError, SafetensorError) as error:
        status, value, detail = "failed", None, str(error) or type(error).__name__
    before = 0.0 if first is None else first.seconds
    earlier = 0.0 if model is None else _seconds_of_killed(model, first)
    own = PilotRun(
        kind=request.kind,
        n_train=request.n_train,
        seed=request.seed if first is None else request.seed + RERUN_SEED,
        status=status,
        score=value,
        seconds=max(0.0, time.monotonic() - started - before) + earlier,
        learning_rate=request.learning_rate,
        detail=detail,
    )
    return (own,) if first is None else (first, own)


def _trained(bench: PilotBench, pilot: _Pilot) -> tuple[Answers, TrainedModel | None]:
    """Train on the pilot's rows, and answer those that pilots are judged on.

    What is solved for is not saved, and so is no `TrainedModel`.
    """
    request, dataset, plan = pilot.request, pilot.dataset, pilot.plan
    work = work_for(bench.basis.task, dataset)
    select = bench.rows.select
    if request.kind == "baseline":
        baseline = fit_baseline(work, dataset.train, request.seed)
        return work.answers(baseline.outputs(select), select), None
    if plan is None:
        return _solved_head(bench, cast(RowWork, work), dataset.train, request), None
    with tempfile.TemporaryDirectory(prefix="ftvr-") as name:
        folder = Path(name) / "model"
        model = run_plan(plan, dataset, folder, bench.calibration.hardware, progress=bench.progress)
        gc.collect()  # the model that was trained, before another is loaded
        loaded = load(folder, plan.allow)
        said = f"pilot of {request.kind}, rows judged on"
        return loaded.answers(select, lambda done, total: bench.progress(said, done, total)), model


def _solved_head(bench: PilotBench, work: RowWork, rows: Rows, request: PilotRequest) -> Answers:
    """A head on features that other pilots, and the training that follows, use again."""
    features = bench.features(request.n_train, request.draw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer rows than folds
        c = choose_strength(work, features, rows, request.seed)
    head = fit_head(work, features, rows, c, request.seed)
    return work.answers(head.logits(bench.select_features), bench.rows.select)


def _collapsed_before(request: PilotRequest, model: TrainedModel) -> PilotRun | None:
    """The run of the first seed, where that gave every row one class and was retried."""
    retried = f"retried with seed {request.seed + RERUN_SEED}"
    note = next((one for one in model.notes if retried in one), None)
    failed = [one.seconds for one in model.ledger.entries if one.what == "failed attempt"]
    if note is None or not failed:
        return None
    return PilotRun(
        kind=request.kind,
        n_train=request.n_train,
        seed=request.seed,
        status="collapsed",
        score=None,
        seconds=failed[-1],
        learning_rate=request.learning_rate,
        detail=note,
    )


def _seconds_of_killed(model: TrainedModel, first: PilotRun | None) -> float:
    """What earlier attempts took that were killed before they ended."""
    failed = [one.seconds for one in model.ledger.entries if one.what == "failed attempt"]
    return math.fsum(failed) - (0.0 if first is None else first.seconds)


def _judged(
    protocol: PilotProtocol,
    request: PilotRequest,
    answers: Answers,
    model: TrainedModel | None,
) -> tuple[PilotStatus, float | None, str | None]:
    """Status, score and why there is none."""
    if model is not None and model.stopped_by == "budget":
        return (
            "failed",
            None,
            f"its time was up after {model.steps_done:,} of {model.plan.max_steps:,} steps.",
        )
    if model is not None and isinstance(answers, ClassAnswers):
        given = set(answers.predicted.tolist())
        if len(given) == 1 and len(set(answers.truth.tolist())) > 1:
            only = model.plan.labels[given.pop()]
            return "collapsed", None, f"it gave every row that it was judged on '{only:.60}'."
    value = unit_score(protocol.metric, score(answers, protocol.metric))
    if value is None:
        return "failed", None, f"its {protocol.metric} is not a number."
    return "scored", value, None
