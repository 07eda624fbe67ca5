"""Processes that are ended for want of memory, with no exception, and the next one that halves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zenml_ftvr.supervise import Limits, Order, ProcessRecord, kernel, kill_counters, start
from zenml_ftvr.train.attempts import Killed, killed_at

CHILD = Path(__file__).with_name("memory_run.py")
SEARCHED = os.pathsep.join(
    str(Path(part).absolute()) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep)
)
LIMIT_GIB = 1.35
"""Between what the process holds with 4 rows of 150 MiB in memory, 1.1 GiB, and with 8, 1.65."""
GROUPS = Path("/sys/fs/cgroup/memory")  # version 1, where a group needs no preparation


class Runs:
    """Starts processes that train the same plan, with one cache for all of them."""

    def __init__(self, root: Path, job: dict[str, Any]) -> None:
        self.root, self._job, self._n = root, job, 0
        self.environment = {
            **os.environ,
            "ZENML_FTVR_CACHE": str(root / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": SEARCHED,
        }

    def command(self, **more: Any) -> tuple[str, ...]:
        self._n += 1
        job = {"seed": 0, "group": "", "batch_size": 16, "mib_per_row": 150, **self._job, **more}
        job |= {"folder": str(self.root / "model"), "record": str(self.result)}
        path = self.root / f"job-{self._n}.json"
        path.write_text(json.dumps(job))
        return sys.executable, str(CHILD), str(path)

    @property
    def result(self) -> Path:
        return self.root / f"result-{self._n}.json"

    def supervised(self, **more: Any) -> tuple[ProcessRecord, str]:
        """How it ended, and what it wrote."""
        order = Order(
            step="train",
            command=self.command(**more),
            limits=Limits(memory_gib=LIMIT_GIB),
            record=self.root / "records" / f"{self._n}.json",
        )
        start(order, self.environment).wait(300)
        record = ProcessRecord.read(order.record)
        assert record is not None
        return record, order.raw_output.read_text()

    def alone(self, **more: Any) -> tuple[int, str]:
        done = subprocess.run(
            self.command(**more), env=self.environment, capture_output=True, text=True, timeout=300
        )
        return done.returncode, done.stderr

    def notes(self) -> str:
        record = json.loads(self.result.read_text())
        assert record["steps"] == 20
        return " ".join(record["notes"])


@pytest.fixture
def runs(
    make_texts: Callable[..., tuple[list[str], list[str]]], bert_folder: Path, tmp_path: Path
) -> Runs:
    texts, labels = make_texts(240)
    return Runs(tmp_path, {"texts": texts, "labels": labels, "base": str(bert_folder)})


def test_after_the_limit_ended_it_the_next_attempt_halves_and_the_next_run_remembers(
    runs: Runs,
) -> None:
    for _ in range(2):  # 16 rows at once, then 8
        record, said = runs.supervised()
        assert record.ended_by == "memory", said
        assert record.exit_code == -signal.SIGKILL
    record, said = runs.supervised()
    assert record.exit_code == 0, said
    notes = runs.notes()
    assert "computed 4 at a time, 4 times a step, for the same batch size" in notes
    assert "went on from the checkpoint after step" in notes
    assert "2 earlier attempts" in notes
    record, said = runs.supervised(seed=1)
    assert record.exit_code == 0, said
    assert "computed 4 at a time" in runs.notes()


@pytest.mark.slow
def test_one_row_that_does_not_fit_ends_in_numbers(runs: Runs) -> None:
    for _ in range(2):  # 2 rows at once, then 1
        record, said = runs.supervised(batch_size=2, mib_per_row=2000)
        assert record.ended_by == "memory", said
    record, said = runs.supervised(batch_size=2, mib_per_row=2000)
    assert (record.ended_by, record.exit_code) == ("itself", 1)
    assert "ran out of memory at batch size 2 and 32 tokens (even one row at a time" in said
    assert f"its limit is {LIMIT_GIB} GiB" in said
    record, _ = runs.supervised(batch_size=2, mib_per_row=1)  # memory is there now: one more try
    assert record.exit_code == 0


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with a memory limit, whose processes the kernel kills."""
    folder = GROUPS / f"ftvr-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
        for limit in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            (folder / limit).write_text(str(int(LIMIT_GIB * 2**30)))
    except OSError as error:
        pytest.skip(f"no control group with a memory limit can be made here: {error}")
    yield folder
    folder.rmdir()


def test_after_the_kernel_killed_it_the_next_attempt_halves(runs: Runs, group: Path) -> None:
    for _ in range(2):
        code, said = runs.alone(group=str(group))
        assert code == -signal.SIGKILL, said
    code, said = runs.alone(group=str(group))
    assert code == 0, said
    assert "computed 4 at a time" in runs.notes()
    assert "went on from the checkpoint after step" in runs.notes()


def test_another_kill_halves_nothing() -> None:
    lines = [
        {"event": "began"},
        {"event": "steps", "part_rows": 16, "seed": 0, "key": "k"},
        {"event": "ended", "why": "killed"},
    ]
    assert killed_at(lines, 0, "k") == []
    held = {"held_gib": 2.0, "limit_gib": None}
    lines[-1] |= {"memory": held}
    said = "the kernel ended the process, when it held 2.00 GiB"
    assert killed_at(lines, 0, "k") == [Killed(part_rows=16, said=said, was_last=True)]
    assert killed_at(lines, 1, "k") == []  # another seed
    assert killed_at(lines, 0, "with more memory") == []
    before_the_steps = [lines[0], {**lines[1], "event": "memory"}, lines[2]]
    assert killed_at(before_the_steps, 0, "k") == []
    later = [*lines, {"event": "began"}, {"event": "ended", "why": "Broken"}]
    assert [one.was_last for one in killed_at(later, 0, "k")] == [False]


def test_what_the_kernel_counts_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup").write_text("3:cpu:/a\n4:memory:/job\n0::/job\n")
    (tmp_path / "memory" / "job").mkdir(parents=True)
    control = tmp_path / "memory" / "job" / "memory.oom_control"
    control.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    (tmp_path / "vmstat").write_text("nr_free 1\noom_kill 7\n")
    monkeypatch.setattr(kernel, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setattr(kernel, "MACHINE", tmp_path / "vmstat")
    assert kill_counters() == {str(control): 3, str(tmp_path / "vmstat"): 7}
    assert kernel.kernel_kills() == 3
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "memory.events").write_text("low 0\noom_kill 2\n")
    control.unlink()
    assert list(kill_counters().values()) == [2, 7]
    monkeypatch.setattr(kernel, "ROOT", tmp_path / "none")
    monkeypatch.setattr(kernel, "MACHINE", tmp_path / "none")
    assert kernel.kernel_kills() == 0
