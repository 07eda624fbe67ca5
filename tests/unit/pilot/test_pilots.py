"""Pilots for real: nested rows, one judge, every second counted."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.api import basis_for, gather_pilots, profile_dataset
from zenml_ftvr.data import Dataset
from zenml_ftvr.decide import (
    RERUN_SEED,
    PilotArm,
    PilotProtocol,
    PilotRequest,
    pilot_sizes,
    price_arm,
)
from zenml_ftvr.models import ResolvedModel, cache_folder, resolve
from zenml_ftvr.pilot import PilotBench, finished, run_pilots, set_apart
from zenml_ftvr.pilot import pilots as running
from zenml_ftvr.pilot.pilots import _made_ready, _run
from zenml_ftvr.train import silent, stepped
from zenml_ftvr.values import (
    KINDS,
    Approach,
    ArmCalibration,
    Budget,
    Calibration,
    Full,
    Hardware,
    Kind,
    ModelSource,
    PilotEvidence,
    PilotRun,
    PilotSettings,
    Request,
    TextClassification,
)

AMPLE = 600.0  # seconds: more than all pilots here take


@pytest.fixture(scope="module")
def data(
    make_texts: Callable[..., tuple[list[str], list[str]]], split: Callable[..., Dataset]
) -> Dataset:
    return split(*make_texts(400, seed=2))


@pytest.fixture(scope="module")
def base(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


@pytest.fixture(scope="module")
def request_of(
    learns: dict[Kind, Approach], base: ResolvedModel, task: TextClassification
) -> Callable[..., Request]:
    def make(*kinds: Kind, hours: float = 1.0, share: float = 0.5) -> Request:
        return Request(
            budget=Budget(hours=hours),
            approaches=tuple(learns[kind] for kind in kinds),
            base_model=base.source,
            task=task,
            pilots=PilotSettings(share=share),
        )

    return make


@pytest.fixture(scope="module")
def calibrated(data: Dataset, base: ResolvedModel, hardware: Hardware) -> Calibration:
    """As if every arm had been timed."""
    return Calibration(
        hardware=hardware,
        model=base.source,
        data_fingerprint=data.fingerprint,
        arms=tuple(
            ArmCalibration(
                kind=kind,
                seconds_per_step=0.02,
                batch_size=16,
                n_steps_timed=5,
                seconds_per_eval_row=0.0005,
                setup_seconds=0.05,
                save_seconds=0.01,
                peak_memory_gib=0.1,
                n_params=60_000,
                n_trainable=60_000,
            )
            for kind in KINDS
        ),
        process_memory_gib=0.5,
        seconds=0.0,
    )


@pytest.fixture(scope="module")
def bench_of(
    data: Dataset,
    base: ResolvedModel,
    request_of: Callable[..., Request],
    calibrated: Calibration,
) -> Callable[..., PilotBench]:
    def make(*approaches: Approach) -> PilotBench:
        request = dataclasses.replace(request_of(*KINDS), approaches=approaches)
        basis = basis_for(profile_dataset(data, base, request), base, request)
        priced = [price_arm(one, basis, calibrated, 3_600, 0) for one in approaches]
        return PilotBench(
            rows=set_apart(data, basis.task),
            base=base,
            basis=basis,
            approaches={one.kind: one for one in approaches},
            priced={one.approach.kind: one for one in priced},
            calibration=calibrated,
        )

    return make


def _protocol(bench: PilotBench, allowed: float = AMPLE) -> PilotProtocol:
    """Every pilot of the bench, whatever calibration says that it takes."""
    counts = bench.rows.counts
    sizes = pilot_sizes(counts.n_pool, 40)
    return PilotProtocol(
        arms=tuple(
            PilotArm(
                kind=kind,
                training_seconds=10.0,
                seconds_at=dict.fromkeys((*sizes, counts.n_pool), 2.0),
                learning_rates=()
                if kind in ("baseline", "head")
                else (getattr(approach, "learning_rate", None) or 1e-3,),
            )
            for kind, approach in bench.approaches.items()
        ),
        sizes=sizes,
        n_pool=counts.n_pool,
        n_train=counts.n_train,
        seconds_allowed=allowed,
        tolerance=0.0,
        metric="accuracy",
        n_select=counts.n_select,
    )


def ran(bench: PilotBench, request: PilotRequest, left: float = AMPLE) -> tuple[PilotRun, ...]:
    return _run(_protocol(bench), bench, _made_ready(bench, request, left))


def _request(kind: Kind, **fields: object) -> PilotRequest:
    made = PilotRequest(kind=kind, n_train=80, draw=0, seed=0, learning_rate=3e-3, seconds=2.0)
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]


def test_rows_of_pilots_are_set_apart(data: Dataset, task: TextClassification) -> None:
    rows = set_apart(data, task)
    parts = [set(part.row_ids) for part in (rows.pool, rows.tune, rows.select)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(data.train) + len(data.validation)
    assert not set.union(*parts) & set(data.test.row_ids)
    # Half of the validation split is too few to judge by: a quarter of the training rows help.
    assert len(rows.pool) == math.ceil(0.75 * len(data.train))


def test_subsets_are_nested_in_proportion_and_know_no_test_row(
    data: Dataset, task: TextClassification
) -> None:
    rows = set_apart(data, task)
    before: set[str] = set()
    for n in (20, 45, 90, len(rows.pool)):
        subset = rows.subset(n, draw=1)
        ids = set(subset.train.row_ids)
        assert before < ids
        assert len(ids) == len(subset.train) == n
        assert ids <= set(rows.pool.row_ids)
        assert subset.test.row_ids == rows.select.row_ids
        assert set(subset.validation.row_ids) <= set(rows.tune.row_ids)
        counts, whole = Counter(subset.train.labels), Counter(rows.pool.labels)
        for label in whole:
            assert abs(counts[label] - n * whole[label] / len(rows.pool)) <= 2
        before = ids
    others = set(rows.subset(45, draw=2).train.row_ids)
    assert others != set(rows.subset(45, draw=1).train.row_ids)
    names = {rows.subset(n, draw).fingerprint for n in (20, 45) for draw in (0, 1)}
    assert len(names) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_pilot_of_every_arm_learns(
    kind: Kind, bench_of: Callable[..., PilotBench], learns: dict[Kind, Approach]
) -> None:
    bench = bench_of(learns[kind])
    rate = getattr(learns[kind], "learning_rate", None)
    (run,) = ran(bench, _request(kind, learning_rate=rate))
    assert (run.status, run.n_train, run.seed) == ("scored", 80, 0)
    assert run.score is not None
    assert run.score > 0.45  # of three classes
    assert run.seconds > 0


@pytest.mark.parametrize("kind", ["baseline", "head", "scratch"])
def test_an_arm_gets_sizes_and_seeds(
    kind: Kind, bench_of: Callable[..., PilotBench], learns: dict[Kind, Approach]
) -> None:
    evidence = run_pilots(_protocol(bench_of(learns[kind])), bench_of(learns[kind]))
    assert {one.status for one in evidence.runs} == {"scored"}, evidence.runs
    pilots = evidence.pilots_of(kind)
    assert pilots is not None
    assert len(pilots.sizes) >= 2
    assert evidence.n_select > 80
    if kind in ("baseline", "head"):
        smallest = [one for one in pilots.scores if one.n_train == pilots.sizes[0]]
        assert len(smallest) == 5
        if kind == "head":
            assert len({one.score for one in smallest}) > 1  # other rows, other scores


def test_features_are_computed_once_for_all_pilots_and_what_follows(
    bench_of: Callable[..., PilotBench], learns: dict[Kind, Approach]
) -> None:
    bench = bench_of(learns["head"])
    ran(bench, _request("head"))
    segments = set((cache_folder() / "rows").rglob("*.f32"))
    assert segments
    other = bench_of(learns["head"])  # with nothing of the first but its folder
    ran(other, _request("head", draw=3))  # another draw of that size
    assert set((cache_folder() / "rows").rglob("*.f32")) == segments


def test_a_collapsed_pilot_is_recorded_beside_its_second_seed(
    bench_of: Callable[..., PilotBench],
    learns: dict[Kind, Approach],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stepped, "_only_label", lambda plan, loop: None if plan.seed else "chess")
    bench = bench_of(learns["full"])
    first, second = ran(bench, _request("full"))
    assert (first.status, first.seed, first.score) == ("collapsed", 0, None)
    assert (second.status, second.seed) == ("scored", RERUN_SEED)
    assert first.seconds > 0
    assert first.detail is not None
    assert "it was retried with seed" in first.detail


def test_a_diverged_pilot_says_so(bench_of: Callable[..., PilotBench]) -> None:
    bench = bench_of(Full(epochs=4, batch_size=16, learning_rate=1e9))
    (run,) = ran(bench, _request("full", learning_rate=1e9))
    assert (run.status, run.score) == ("diverged", None)
    assert run.detail is not None
    assert "became" in run.detail


def test_a_pilot_whose_time_is_up_does_not_count_and_its_seconds_do(
    bench_of: Callable[..., PilotBench],
) -> None:
    bench = bench_of(Full(epochs=5_000, batch_size=2, learning_rate=1e-3))
    slow = dataclasses.replace(
        bench, priced={"full": dataclasses.replace(bench.priced["full"], plan=None)}
    )
    (run,) = ran(slow, _request("full"), 3.0)
    assert run.status == "failed"
    assert run.detail is not None
    assert "its time was up after " in run.detail
    assert 1.0 < run.seconds < 20.0


def test_a_pilot_that_fails_says_why_and_the_others_go_on(
    bench_of: Callable[..., PilotBench], learns: dict[Kind, Approach]
) -> None:
    bench = dataclasses.replace(bench_of(learns["baseline"], learns["head"]), base=None)
    evidence = run_pilots(_protocol(bench), bench)
    (failed,) = [one for one in evidence.runs if one.kind == "head"]
    assert failed.status == "failed"
    assert failed.detail == "approach 'head' needs a base model; set base_model.name."
    assert evidence.kinds == ("baseline",)


def test_pilots_finished_before_an_interruption_are_not_run_again_and_count_once(
    bench_of: Callable[..., PilotBench],
    learns: dict[Kind, Approach],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path))
    bench = bench_of(learns["baseline"], learns["full"])
    begun: list[str] = []
    ended: list[PilotRun] = []
    really = running._run

    def interrupted(
        protocol: PilotProtocol, bench: PilotBench, pilot: running._Pilot
    ) -> tuple[PilotRun, ...]:
        begun.append(f"{pilot.request.kind} {pilot.dataset.fingerprint}")
        if pilot.request.kind == "full" and pilot.request.n_train > protocol.sizes[0]:
            raise KeyboardInterrupt
        done = really(protocol, bench, pilot)
        ended.extend(done)
        return done

    monkeypatch.setattr(running, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_pilots(_protocol(bench), bench)
    assert {one.kind for one in ended} == {"baseline", "full"}
    first, before = list(begun), list(ended)
    begun.clear()

    def counted(
        protocol: PilotProtocol, bench: PilotBench, pilot: running._Pilot
    ) -> tuple[PilotRun, ...]:
        begun.append(f"{pilot.request.kind} {pilot.dataset.fingerprint}")
        return really(protocol, bench, pilot)

    monkeypatch.setattr(running, "_run", counted)
    evidence = run_pilots(_protocol(bench), bench)
    assert begun[0] == first[-1]  # the one that was interrupted
    assert not set(begun) & set(first[:-1])
    assert evidence.runs[: len(before)] == tuple(before)
    assert len(evidence.runs) == len(before) + len(begun)
    assert evidence.seconds == pytest.approx(math.fsum(one.seconds for one in evidence.runs))

    begun.clear()  # the evidence is whole and stored by whoever asked: nothing is kept beside it
    run_pilots(_protocol(bench), bench)
    assert len(begun) == len(evidence.runs)
    assert not list((tmp_path / "pilots").iterdir())


def test_a_pilot_kept_for_another_budget_or_cut_short_is_run_again(
    bench_of: Callable[..., PilotBench],
    learns: dict[Kind, Approach],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path))
    bench = bench_of(learns["baseline"])
    pilot = _made_ready(bench, _request("baseline"), AMPLE)
    (scored,) = _run(_protocol(bench), bench, pilot)
    own, other = (running._fingerprint(_protocol(bench, of), bench, pilot) for of in (AMPLE, 1.0))
    finished.keep(own, (scored,))
    assert finished.recall(own) == (scored,)
    assert finished.recall(other) is None
    (kept,) = (tmp_path / "pilots").iterdir()
    kept.write_text(kept.read_text()[:-9])
    assert finished.recall(own) is None


def gathered(
    data: Dataset, base: ResolvedModel, calibration: Calibration, request: Request
) -> PilotEvidence:
    profile = profile_dataset(data, base, request)
    return gather_pilots(data, profile, calibration, base, request, silent)


def test_a_request_gets_what_its_share_pays_for(
    data: Dataset,
    base: ResolvedModel,
    calibrated: Calibration,
    request_of: Callable[..., Request],
) -> None:
    evidence = gathered(data, base, calibrated, request_of("baseline", "scratch", "full"))
    assert evidence.metric == "accuracy"
    assert evidence.runs
    assert evidence.seconds_allowed > 0
    assert {one.kind for one in evidence.runs} | {kind for kind, _ in evidence.skipped} == {
        "baseline",
        "scratch",
        "full",
    }
    assert evidence.seconds == pytest.approx(sum(one.seconds for one in evidence.runs))


def test_where_calibration_took_all_there_are_none(
    data: Dataset,
    base: ResolvedModel,
    calibrated: Calibration,
    request_of: Callable[..., Request],
) -> None:
    slow = dataclasses.replace(calibrated, seconds=1_000.0)
    evidence = gathered(data, base, slow, request_of("baseline", "full"))
    assert evidence.runs == ()
    assert evidence.stopped is not None
    assert evidence.stopped.startswith("Calibration took 16.7 min, and pilots may take what it ")
    assert [kind for kind, _ in evidence.skipped] == ["baseline", "full"]


def test_no_share_is_no_pilots(
    data: Dataset,
    base: ResolvedModel,
    calibrated: Calibration,
    request_of: Callable[..., Request],
) -> None:
    evidence = gathered(data, base, calibrated, request_of("baseline", share=0.0))
    assert (evidence.runs, evidence.seconds) == ((), 0)
    assert evidence.stopped == "No pilots were asked for: pilots.share is 0."


def test_an_arm_that_is_not_feasible_or_pretrains_is_left_out_with_the_reason(
    data: Dataset,
    base: ResolvedModel,
    calibrated: Calibration,
    request_of: Callable[..., Request],
    tmp_path: Path,
) -> None:
    only = dataclasses.replace(
        calibrated,
        arms=tuple(arm for arm in calibrated.arms if arm.kind != "lora"),
        skipped=(("lora", "its first steps failed: so it was told."),),
    )
    request = request_of("baseline", "lora", "full")
    learnt = tmp_path / "more.txt"
    learnt.write_text("some words\n", encoding="utf-8")
    approaches = (*request.approaches[:2], Full(pretrain_on=str(learnt)))
    evidence = gathered(data, base, only, dataclasses.replace(request, approaches=approaches))
    assert dict(evidence.skipped) == {
        "lora": "not feasible. Not tried: its first steps failed: so it was told.",
        "full": "every pilot would pretrain on the unlabelled texts anew.",
    }
