"""What goes wrong in the middle: a signal, a full disk, lost numbers, memory, one class for all."""

from __future__ import annotations

import dataclasses
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import resolve
from zenml_ftvr.tasks import ClassAnswers
from zenml_ftvr.train import Prepared, no_log, once, prepare, run_loop, run_plan, stepped
from zenml_ftvr.train.attempts import run_folder
from zenml_ftvr.train.brake import Brake, Schedule
from zenml_ftvr.train.checkpoints import last_whole, step_of
from zenml_ftvr.train.faults import (
    Interrupted,
    diverged,
    exploded,
    is_out_of_memory,
    smaller_part,
    stop_signal,
)
from zenml_ftvr.train.loop import only_class
from zenml_ftvr.values import Approach, Full, Hardware, Kind, TrainedModel, TrainingPlan

Log = Callable[[dict[str, float], int], None]
DISK_BYTES = 8 << 20  # several checkpoints of the tiny model, of half a MiB each


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def plan(plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach]) -> TrainingPlan:
    return plan_of(learns["full"], max_steps=16, warmup_steps=2, eval_every_steps=4)


@pytest.fixture
def train(dataset: Dataset, hardware: Hardware, tmp_path: Path) -> Callable[..., TrainedModel]:
    def run(plan: TrainingPlan, name: str = "model", log: Log = no_log) -> TrainedModel:
        return run_plan(plan, dataset, tmp_path / name, hardware, log=log)

    return run


def at_evaluation(number: int, do: Callable[[], None]) -> Log:
    """A log that does something while evaluation `number` is read."""
    seen = []

    def log(metrics: dict[str, float], step: int) -> None:
        if "eval/accuracy" in metrics:
            seen.append(step)
            if len(seen) == number:
                do()

    return log


def weights_of(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()


def last_step(plan: TrainingPlan) -> int:
    last = last_whole(run_folder(plan, None) / f"seed-{plan.seed}")
    return 0 if last is None else step_of(last)


def test_sigterm_ends_after_the_step_in_hand_and_the_next_run_goes_on(
    plan: TrainingPlan, train: Callable[..., TrainedModel]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    told = at_evaluation(2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(
        Interrupted, match=r"SIGTERM\) and saved after step 9 of 16.*same plan"
    ) as e:
        train(plan, log=told)
    assert e.value.exit_code == 75
    assert signal.getsignal(signal.SIGTERM) is before
    assert last_step(plan) == 9
    again = train(plan)
    assert "It went on from the checkpoint after step 9." in again.notes
    assert weights_of(again) == weights_of(train(plan, "undisturbed"))


@pytest.mark.parametrize("eval_every_steps", [4, 5])
def test_sigterm_in_the_last_step_ends_after_it_and_the_next_run_writes_the_model(
    eval_every_steps: int, plan: TrainingPlan, train: Callable[..., TrainedModel]
) -> None:
    plan = dataclasses.replace(plan, eval_every_steps=eval_every_steps)
    n_looks = -(-plan.max_steps // eval_every_steps)
    told = at_evaluation(n_looks, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match=r"SIGTERM\) and saved after step 16 of 16"):
        train(plan, log=told)
    assert last_step(plan) == 16
    heard: list[int] = []
    again = train(plan, log=lambda metrics, step: heard.append(step))
    assert heard == []  # it takes no step, and looks no more
    assert "It went on from the checkpoint after step 16." in again.notes
    alone = train(plan, "undisturbed")
    assert weights_of(again) == weights_of(alone)
    assert read(again) == read(alone)


def read(model: TrainedModel) -> list[tuple[int, str, float]]:
    return [(point.step, point.metric, point.value) for point in model.curve]


def test_sigterm_in_the_step_that_the_clock_made_the_last_is_answered_too(
    plan: TrainingPlan, train: Callable[..., TrainedModel]
) -> None:
    told = at_evaluation(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    hurried = dataclasses.replace(plan, wall_seconds=1e-3)  # one step, and the look after it
    with pytest.raises(Interrupted, match=r"SIGTERM\) and saved after step 1 of 16"):
        train(hurried, log=told)
    again = train(hurried)
    assert (again.stopped_by, again.steps_done) == ("budget", 1)


def test_beside_the_main_thread_no_handler_is_set() -> None:
    heard: list[Any] = []

    def elsewhere() -> None:
        with stop_signal() as told:
            heard.append((told.came, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert heard == [(False, signal.getsignal(signal.SIGTERM))]


@pytest.fixture
def limits() -> Iterator[Callable[[], None]]:
    """A function that lets no file grow beyond 4 kB from then on, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_in_a_save_leaves_the_checkpoint_before(
    plan: TrainingPlan, train: Callable[..., TrainedModel], limits: Callable[[], None]
) -> None:
    said = r"'full' could not write .*takes about [\d.]+ MiB, [\d,.]+ MiB are free.*File too large"
    with pytest.raises(TrainingError, match=said):
        train(plan, log=at_evaluation(2, limits))
    folder = run_folder(plan, None) / "seed-0"
    assert [one.name for one in folder.glob("checkpoint-*")] == ["checkpoint-4"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = train(plan)
    assert "It went on from the checkpoint after step 4." in again.notes
    assert weights_of(again) == weights_of(train(plan, "undisturbed"))


@pytest.fixture
def small_disk(cache: Path) -> Iterator[Path]:
    """The cache on a disk of its own with 8 MiB, for which this must be allowed to mount one."""
    cache.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(cache)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield cache
    subprocess.run(["umount", str(cache)], check=True)


def test_a_disk_without_a_free_byte_leaves_the_checkpoint_before(
    plan: TrainingPlan, train: Callable[..., TrainedModel], small_disk: Path
) -> None:
    ballast = small_disk / "ballast"

    def fill() -> None:
        left = shutil.disk_usage(small_disk).free
        ballast.write_bytes(b"x" * (left - 64 * 1024))  # room for some of a checkpoint's files

    said = r"'full' could not write .*takes about [\d.]+ MiB, 0\.[01] MiB are free.*No space left"
    with pytest.raises(TrainingError, match=said):
        train(plan, log=at_evaluation(2, fill))
    folder = run_folder(plan, None) / "seed-0"
    assert [one.name for one in folder.glob("checkpoint-*")] == ["checkpoint-4"]
    ballast.unlink()
    again = train(plan)
    assert "It went on from the checkpoint after step 4." in again.notes
    assert weights_of(again) == weights_of(train(plan, "undisturbed"))


def test_a_lost_loss_names_its_step_its_rows_and_the_gradient_before(
    plan: TrainingPlan,
    train: Callable[..., TrainedModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poisoned = 37  # a row of the training split
    ours = once.prepare

    def poisoning(*args: Any, **given: Any) -> Prepared:
        made = ours(*args, **given)
        ids = made.train[poisoned]["input_ids"]

        def collate(rows: list[dict[str, Any]]) -> Any:
            batch = made.collate(rows)
            if any(row["input_ids"] == ids for row in rows):
                mask = batch["attention_mask"].float()
                batch["inputs_embeds"] = torch.full((*mask.shape, 32), float("nan"))
                del batch["input_ids"]
            return batch

        return dataclasses.replace(made, collate=collate)

    monkeypatch.setattr(once, "prepare", poisoning)
    plan = dataclasses.replace(plan, eval_every_steps=1)
    with pytest.raises(TrainingError, match="loss of 'full' became nan by step") as e:
        train(plan)
    found = re.search(
        r"by step (\d+)\..*rows of that step, counted from 0: ([\d, ]+)", str(e.value)
    )
    assert found is not None
    step, rows = int(found[1]), [int(row) for row in found[2].split(",")]
    assert poisoned in rows
    assert len(rows) == plan.batch_size
    assert last_step(plan) == step - 1  # of finite weights, and all steps before were taken
    if step > 1:
        assert re.search(r"norm of the step before was [\d.]+", str(e.value))


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_a_rate_that_is_too_high_is_stopped_before_the_weights_are_lost(
    rate: float, plan_of: Callable[..., TrainingPlan], train: Callable[..., TrainedModel]
) -> None:
    plan = plan_of(Full(learning_rate=rate), max_steps=12, eval_every_steps=12)
    said = rf"(loss|norm|weights) of 'full' (became|are) .* step \d+.*now {re.escape(f'{rate:g}')}"
    with pytest.raises(TrainingError, match=said):
        train(plan)


def test_what_an_exploded_loss_is() -> None:
    assert [exploded(loss, 0.7) for loss in (0.7, 999.0, 1_001.0, float("inf"), float("nan"))] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert not exploded(9_000.0, 10.0)


def test_a_large_batch_is_named_in_part(plan: TrainingPlan) -> None:
    said = diverged(plan, "loss of 'full' became nan", 3, range(100), []).message
    assert "0, 1, 2" in said
    assert "31, ..." in said
    assert "32" not in said
    assert "not known: it is the first step" in said


@pytest.fixture
def memory_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Lets batches of so many rows fit; returns the sizes that were tried."""

    def limit(n_rows: int) -> list[int]:
        sizes: list[int] = []
        ours = once.prepare

        def prepared(*args: Any, **given: Any) -> Prepared:
            made = ours(*args, **given)

            def collate(rows: list[dict[str, Any]]) -> Any:
                sizes.append(len(rows))
                if len(rows) > n_rows:
                    torch.empty(2**50)  # torch's own error
                return made.collate(rows)

            return dataclasses.replace(made, collate=collate)

        monkeypatch.setattr(once, "prepare", prepared)
        return sizes

    return limit


def test_a_batch_that_memory_does_not_hold_is_computed_in_parts_from_then_on(
    plan: TrainingPlan,
    train: Callable[..., TrainedModel],
    memory_for: Callable[[int], list[int]],
) -> None:
    tried = memory_for(5)
    model = train(plan)
    assert model.steps_done == 16
    assert "computed 4 at a time, 4 times a step" in " ".join(model.notes)
    assert tried[:3] == [16, 8, 4]
    assert max(tried[3:]) == 4
    tried.clear()
    again = train(dataclasses.replace(plan, seed=1))
    assert max(tried) == 4  # remembered
    assert "computed 4 at a time" in " ".join(again.notes)


def test_a_row_that_does_not_fit_alone_ends_in_numbers(
    plan: TrainingPlan,
    train: Callable[..., TrainedModel],
    memory_for: Callable[[int], list[int]],
) -> None:
    tried = memory_for(0)
    said = r"out of memory at batch size 16 and 32 tokens \(even one row at a time: .*max_length"
    with pytest.raises(TrainingError, match=said):
        train(plan)
    assert tried == [16, 8, 4, 2, 1]


def test_parts_divide_a_batch() -> None:
    assert [smaller_part(24, part) for part in (24, 12, 6, 3)] == [12, 6, 3, 1]
    assert smaller_part(7, 7) == 1


def test_words_for_memory_are_known() -> None:
    told = [
        "[enforce fail] DefaultCPUAllocator: can't allocate memory",
        "CUDA out of memory. Tried",
    ]
    assert all(is_out_of_memory(RuntimeError(words)) for words in told)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_one_class_for_every_row_is_seen() -> None:
    scores = np.array([[0.0, 1.0, 0.5], [0.2, 0.9, 0.1]])
    assert only_class(ClassAnswers(np.array([0, 1]), scores)) == 1
    assert only_class(ClassAnswers(np.array([1, 1]), scores)) == -1  # so is the truth
    assert only_class(ClassAnswers(np.array([0, 1]), scores[:, [1, 0, 2]] * [[1], [-1]])) == -1
    assert only_class("texts") == -1


@pytest.fixture
def dead(plan_of: Callable[..., TrainingPlan]) -> TrainingPlan:
    """A plan whose rate moves nothing, of a head that gives one class."""
    return plan_of(Full(learning_rate=1e-12), max_steps=12, eval_every_steps=12)


def always_the_first(model: Any) -> None:
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))


@pytest.fixture
def collapsing(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Runs of these seeds begin with a head that gives the first class only."""

    def make(seeds: set[int]) -> None:
        ours = once.prepare

        def prepared(plan: TrainingPlan, *args: Any, **given: Any) -> Prepared:
            made = ours(plan, *args, **given)
            if plan.seed in seeds:
                always_the_first(made.trainable.model)
            return made

        monkeypatch.setattr(once, "prepare", prepared)

    return make


def test_a_run_that_gives_one_class_is_retried_once_and_said(
    dead: TrainingPlan,
    train: Callable[..., TrainedModel],
    collapsing: Callable[[set[int]], None],
) -> None:
    other = stepped.ANOTHER_SEED
    collapsing({0, other})
    model = train(dead)
    assert model.plan == dead  # which gives these weights, by way of the first seed
    label = dead.labels[0]
    said = f"With seed 0 it gave every validation row '{label}'; it was retried with seed {other}"
    assert [note for note in model.notes if note.startswith(said)]
    assert [entry.what for entry in model.ledger.entries] == ["failed attempt", "training"]


def test_a_retry_that_is_killed_goes_on_with_the_second_seed(
    plan: TrainingPlan,
    train: Callable[..., TrainedModel],
    collapsing: Callable[[set[int]], None],
) -> None:
    collapsing({0})
    rate = {"learning_rate": 1e-12}
    still = dataclasses.replace(plan, **rate)

    def give_up() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(still, log=at_evaluation(6, give_up))  # four of the first seed, two of the second
    heard: list[int] = []
    model = train(still, log=lambda metrics, step: heard.append(step))
    assert min(heard) == 5
    assert [entry.what for entry in model.ledger.entries] == ["failed attempt", "training"]
    assert sum(entry.seconds for entry in model.ledger.entries) == pytest.approx(model.seconds)
    assert any("retried with seed" in note for note in model.notes)


@pytest.mark.parametrize(
    ("fields", "why"),
    [({"max_steps": 6}, "less than one epoch"), ({"wall_seconds": 1e-3}, "time was up|one epoch")],
)
def test_a_run_that_gives_one_class_for_another_reason_is_only_said(
    fields: dict[str, Any],
    why: str,
    dead: TrainingPlan,
    train: Callable[..., TrainedModel],
    collapsing: Callable[[set[int]], None],
) -> None:
    collapsing({0})
    model = train(dataclasses.replace(dead, **fields))
    (said,) = [note for note in model.notes if "gave every validation row" in note]
    assert re.search(why, said)


class FakeClock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("step_seconds", [0.3, 1.0, 2.5])
def test_the_brake_ends_a_run_inside_its_limit_at_no_rate(
    step_seconds: float,
    plan: TrainingPlan,
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    limit, evaluation = 14.0, 1.5
    plan = dataclasses.replace(plan, max_steps=60, eval_every_steps=4, wall_seconds=limit)
    assert plan.model is not None
    clock = FakeClock()

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        clock.now += step_seconds if done else 0.0

    def log(metrics: dict[str, float], step: int) -> None:
        clock.now += evaluation if "eval/accuracy" in metrics else 0.0

    prepared = prepare(plan, dataset, resolve(plan.model))
    result = run_loop(plan, prepared, tmp_path / "work", log, progress, clock(), clock=clock)
    gone = clock() - 1_000.0
    assert result.stopped_by == "budget"
    assert limit - 2 * (step_seconds + evaluation) < gone <= limit + step_seconds
    rates = {p.step: p.value for p in result.curve if p.metric == "train/learning_rate"}
    looked = [p.step for p in result.curve if p.metric == "eval/accuracy"]
    assert looked[-1] == result.steps_done == max(rates)  # what was left was looked at
    if result.steps_done > 10:
        assert rates[result.steps_done] < 0.6 * rates[result.steps_done - 3]


def test_a_cool_down_is_laid_out_once_and_ends_the_run() -> None:
    clock = FakeClock()
    schedule, brake = Schedule(10, 1_000), Brake(200.0, clock(), clock=clock)
    brake.evaluated(7.0)
    brake.saved(3.0)
    step = 0
    while True:
        brake.step_begins()
        clock.now += 1.0
        step += 1
        brake.step_ends()
        if brake.after(step, schedule) == "stop":
            break
    assert 180 <= step <= 190  # ten seconds are kept for the end
    assert schedule.cool_steps == pytest.approx(17, abs=2)
    assert schedule(step) < 0.1
    before = schedule.cool_from
    assert before is not None
    factors = [schedule(one) for one in range(before - 3, step + 1)]
    assert factors == sorted(factors, reverse=True)
    assert schedule(before) == pytest.approx((1_000 - before) / 990)


def test_a_plan_that_fits_is_left_alone() -> None:
    clock = FakeClock()
    schedule, brake = Schedule(0, 50), Brake(53.0, clock(), clock=clock)
    for step in range(1, 51):
        brake.step_begins()
        clock.now += 1.0
        brake.step_ends()
        assert brake.after(step, schedule) == "go on"
    assert schedule.cool_from is None
    assert (schedule(0), schedule(25), schedule(50)) == (1.0, 0.5, 0.0)
