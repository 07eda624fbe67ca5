"""What workers are given and give back, as files."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import BudgetError, FtvrError, TrainingError
from zenml_ftvr.train.brake import Decisions
from zenml_ftvr.train.faults import Diverged, Interrupted
from zenml_ftvr.train.loop import LoopResult
from zenml_ftvr.train.once import Go, OutOfMemory, Stepped, Surroundings
from zenml_ftvr.train.team import Team
from zenml_ftvr.train.worker_job import (
    Heard,
    done_in,
    failures_in,
    hear,
    read_job,
    teller,
    why_it_failed,
    write_done,
    write_failure,
    write_job,
)
from zenml_ftvr.train.workers import WorkerKilled, run_to_its_end, why_they_ended
from zenml_ftvr.train.workers_agent import ENDED
from zenml_ftvr.train.workers_ray import Storage
from zenml_ftvr.values import CurvePoint, Full, Hardware, TrainingPlan


def surroundings(work: Path, hardware: Hardware, said: list[object]) -> Surroundings:
    def log(metrics: dict[str, float], step: int) -> None:
        said.append((metrics, step))

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        said.append((what, done, total, note))

    return Surroundings(
        work=work,
        hardware=hardware,
        log=log,
        progress=progress,
        started=time.monotonic() - 100,
        team=Team(workers=2, sharding="full"),
    )


def test_a_job_is_read_as_it_was_written(
    plan_of: Callable[..., TrainingPlan], dataset: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    plan = plan_of(Full(batch_size=8), wall_seconds=500.0)
    other = dataclasses.replace(plan, seed=9)
    before = Decisions({12: 3, 15: None})
    kept = tmp_path / "kept"
    go = Go(plan=other, saved_as=plan, folder=kept, part_rows=4, decisions=before)
    write_job(go, dataset, surroundings(tmp_path, hardware, []), tmp_path / "job")
    job, data = read_job(tmp_path / "job")
    assert (job.plan, job.saved_as) == (other, plan)
    assert job.plan.fingerprint == other.fingerprint
    assert job.decided == before.by_step
    assert data.fingerprint == dataset.fingerprint
    assert data.train.texts == dataset.train.texts
    assert (job.part_rows, job.sharding, job.checkpoints) == (4, "full", str(tmp_path / "kept"))
    assert time.monotonic() - job.started == pytest.approx(100, abs=20)


def test_a_folder_without_a_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no job for a worker"):
        read_job(tmp_path)


def test_what_the_first_worker_says_is_passed_on_in_whole_lines(
    plan_of: Callable[..., TrainingPlan], hardware: Hardware, tmp_path: Path
) -> None:
    said: list[object] = []
    around, heard = surroundings(tmp_path, hardware, said), Heard(tmp_path)
    noted: list[object] = []
    decisions = Decisions(note=lambda step, cool_steps: noted.append((step, cool_steps)))
    plan = plan_of(Full(batch_size=8))
    go = Go(plan=plan, saved_as=plan, folder=tmp_path, part_rows=4, decisions=decisions)
    assert list(heard.new()) == []
    tell = teller(tmp_path)
    tell({"metrics": {"train/loss": 1.5}, "step": 3})
    tell({"braked_at": 3, "cool_steps": None})
    tell({"what": "training full", "done": 3, "total": 9, "note": "loss 1.5"})
    with (tmp_path / "told.jsonl").open("a") as stream:
        stream.write('{"metrics": {}, ')
    for message in heard.new():
        hear(message, go, around)
    assert said == [({"train/loss": 1.5}, 3), ("training full", 3, 9, "loss 1.5")]
    assert noted == [(3, None)]
    with (tmp_path / "told.jsonl").open("a") as stream:
        stream.write('"step": 4}\n')
    assert [message["step"] for message in heard.new()] == [4]


def test_what_was_trained_is_read_as_it_was_written(tmp_path: Path) -> None:
    point = CurvePoint(step=4, metric="eval/loss", value=0.25, seconds=1.5)
    loop = LoopResult(steps_done=4, stopped_by="budget", curve=(point,), only_class=1)
    done = Stepped(loop=loop, n_params=10, n_trainable=4, notes=("a", "b"), peak_memory_gib=0.5)
    assert done_in(tmp_path) is None
    write_done(done, tmp_path)
    assert done_in(tmp_path) == done


@pytest.mark.parametrize(
    "error",
    [BudgetError("too little"), TrainingError("lost"), Interrupted("stopped"), Diverged("nan")],
)
def test_an_error_of_ours_comes_back_as_it_was(error: FtvrError, tmp_path: Path) -> None:
    write_failure(why_it_failed(error), 1, tmp_path)
    (found,) = failures_in(tmp_path).values()
    again = found.as_error()
    assert type(again) is type(error)
    assert str(again) == str(error)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OutOfMemory("CUDA out of memory"), OutOfMemory, "CUDA out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "can't allocate"),
        (OSError(28, "No space left"), OSError, "No space left"),
        (ValueError("a shape"), RuntimeError, "ValueError: a shape"),
    ],
)
def test_other_errors_keep_what_they_mean(
    error: Exception, kind: type[Exception], said: str, tmp_path: Path
) -> None:
    write_failure(why_it_failed(error), 0, tmp_path)
    again = failures_in(tmp_path)[0].as_error()
    assert isinstance(again, kind)
    assert said in str(again)


def test_the_cause_comes_before_what_it_brings_about(tmp_path: Path) -> None:
    write_failure(why_it_failed(TrainingError("the loss is lost")), 1, tmp_path)
    write_failure(why_it_failed(RuntimeError("Connection closed by peer")), 0, tmp_path)
    assert str(why_they_ended(tmp_path, 2, 1)) == "the loss is lost"


def test_a_worker_that_was_killed_is_named_and_not_those_who_missed_it(tmp_path: Path) -> None:
    write_failure(why_it_failed(RuntimeError("Connection closed by peer")), 0, tmp_path)
    (tmp_path / ENDED).write_text(json.dumps({"0": 1, "1": -9}))
    error = why_they_ended(tmp_path, 2, 1)
    assert isinstance(error, TrainingError)
    assert str(error).startswith("worker 2 of 2 was ended by SIGKILL; the kernel does that")


def test_without_a_reason_the_last_lines_are_told(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("one\ntwo\nno module named x\n")
    error = why_they_ended(tmp_path, 2, 3)
    assert "did not end their work: exit code 3" in str(error)
    assert "no module named x" in str(error)


@pytest.mark.parametrize(("counted", "wanted"), [((3, 4), OutOfMemory), ((3, 3), WorkerKilled)])
def test_a_worker_that_the_kernel_killed_had_too_little_memory(
    counted: tuple[int, int],
    wanted: type[Exception],
    plan_of: Callable[..., TrainingPlan],
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process is real, and says what torchrun's library says of a worker that got SIGKILL."""
    code = f"open({str(tmp_path / ENDED)!r}, 'w').write('{{\"1\": -9}}'); raise SystemExit(1)"
    (tmp_path / "an_agent.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    counts = iter(counted)
    monkeypatch.setattr("zenml_ftvr.train.workers.kernel_kills", lambda: next(counts))
    plan = plan_of(Full(batch_size=8))
    go = Go(plan=plan, saved_as=plan, folder=tmp_path, part_rows=4)
    with pytest.raises(wanted, match="worker 2 of 2 was ended by SIGKILL"):
        run_to_its_end(go, ("an_agent",), Heard(tmp_path), surroundings(tmp_path, hardware, []))


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "folder":
        yield Storage(str(tmp_path / "storage"))
        return
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        place = f"scheme=http&region=us-east-1&endpoint_override=127.0.0.1:{port}"
        yield Storage(f"s3://key:secret@bucket/ftvr?{place}&allow_bucket_creation=true")
    finally:
        server.stop()


def test_a_storage_keeps_folders(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    (tmp_path / "here" / "below" / "file").write_text("content")
    storage.send(tmp_path / "here", "run-job/job")
    storage.bring("run-job/job", tmp_path / "back")
    assert (tmp_path / "back" / "below" / "file").read_text() == "content"
    assert storage.names("run-job") == ["job"]
    storage.remove("run-job")
    storage.remove("never-there")
    assert storage.names("run-job") == []
