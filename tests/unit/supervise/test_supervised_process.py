"""Real processes: how they end, what is left of them, and what the record says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.supervise import (
    Limits,
    Order,
    ProcessId,
    ProcessRecord,
    describe_failure,
    start,
    stop,
)

PATIENCE_SECONDS = 30.0  # on a busy machine; each wait ends as soon as what it waits for is there
SEARCHED = os.pathsep.join(  # absolute, because the programs run in folders of their own
    str(Path(part).absolute()) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep)
)

GRANDCHILDREN = """
    import subprocess, sys, time
    from pathlib import Path
    sleep = [sys.executable, "-c", "import time; time.sleep(300)"]
    deaf = [sys.executable, "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            "print('deaf', flush=True); time.sleep(300)"]
    ordinary = subprocess.Popen(sleep)
    apart = subprocess.Popen(deaf, start_new_session=True, stdout=subprocess.PIPE)
    apart.stdout.readline()
    Path("pids").write_text(f"{ordinary.pid} {apart.pid}")
    Path("ready").touch()
    time.sleep(300)
"""


class Started:
    """A supervised program of one test, in a folder of its own."""

    def __init__(self, folder: Path, program: str, limits: Limits) -> None:
        self.folder = folder
        (folder / "program.py").write_text(textwrap.dedent(program))
        self.order = Order(
            step="train",
            command=(sys.executable, "-m", "zenml_ftvr.supervise.step_main", "program"),
            limits=limits,
            record=folder / "records" / "one.json",
        )
        environment = {**os.environ, "PYTHONPATH": SEARCHED}
        before = Path.cwd()
        os.chdir(folder)
        try:
            self.supervisor = start(self.order, environment)
        finally:
            os.chdir(before)

    def record(self) -> ProcessRecord:
        found = ProcessRecord.read(self.order.record)
        assert found is not None
        return found

    def ended(self) -> ProcessRecord:
        self.supervisor.wait(PATIENCE_SECONDS)
        return self.record()

    def says(self) -> str:
        return describe_failure(self.record(), self.order.raw_output)

    def until(self, name: str) -> None:
        until(lambda: (self.folder / name).exists())

    def pids(self) -> list[ProcessId]:
        """Grandchildren, that are alive."""
        self.until("ready")
        found = [ProcessId.of(int(pid)) for pid in (self.folder / "pids").read_text().split()]
        assert None not in found
        return [one for one in found if one is not None]

    def raw(self) -> list[str]:
        return self.order.raw_output.read_text().splitlines()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


Begin = Callable[..., Started]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started: list[Started] = []

    def begin_program(program: str, limits: Limits | None = None) -> Started:
        one = Started(tmp_path, program, limits or Limits(grace_seconds=0.5))
        started.append(one)
        return one

    yield begin_program
    for one in started:
        stop(one.order.record)
        one.supervisor.wait()


def test_a_child_leads_a_group_of_its_own_and_its_exit_code_is_kept(begin: Begin) -> None:
    one = begin(
        """
        import os, sys
        from pathlib import Path
        Path("seen").write_text(f"{os.getpid()} {os.getpgid(0)} {os.getppid()} {__name__}")
        sys.exit(3)
        """
    )
    record = one.ended()
    pid, group, parent, name = (one.folder / "seen").read_text().split()
    assert pid == group
    assert int(group) != os.getpgid(0)
    assert int(parent) == one.supervisor.pid
    assert name == "__main__"
    assert (record.exit_code, record.ended_by) == (3, "itself")
    assert not record.is_running
    assert "ended with exit code 3" in one.says()


def test_pythons_output_goes_to_the_terminal_and_the_rest_also_to_a_file(
    begin: Begin, capfd: pytest.CaptureFixture[str]
) -> None:
    one = begin(
        """
        import os, subprocess
        print("from", "python", flush=True)
        os.write(1, b"native, ")
        os.write(1, b"in pieces\\n")
        subprocess.run(["echo", "a grandchild"])
        os.write(2, b"no end")
        """
    )
    assert one.ended().exit_code == 0
    assert one.raw() == ["native, in pieces", "a grandchild", "no end"]
    terminal = capfd.readouterr().out.splitlines()
    assert sorted(terminal) == ["a grandchild", "from python", "native, in pieces", "no end"]


def test_a_child_that_is_killed_is_told_from_one_that_failed(begin: Begin) -> None:
    one = begin('from pathlib import Path; Path("ready").touch(); import time; time.sleep(300)')
    one.until("ready")
    child = one.record().child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    record = one.ended()
    assert (record.exit_code, record.signal_name) == (-9, "SIGKILL")
    assert "was ended by SIGKILL after" in one.says()
    assert f"{record.peak_memory_gib:.2f} GiB" in one.says()
    assert "dmesg" in one.says()


def test_a_crash_in_native_code_shows_what_it_said(begin: Begin) -> None:
    one = begin('import os; os.write(2, b"double free\\n"); os.abort()')
    assert one.ended().signal_name == "SIGABRT"
    assert "was ended by SIGABRT" in one.says()
    assert one.says().endswith("The last of it: double free")


def test_stopping_leaves_no_grandchild_not_even_a_deaf_one_in_a_session_of_its_own(
    begin: Begin,
) -> None:
    one = begin(GRANDCHILDREN)
    grandchildren = one.pids()
    record = stop(one.order.record)
    assert record is not None
    assert (record.ended_by, record.exit_code) == ("request", -signal.SIGTERM)
    assert [left for left in grandchildren if left.is_alive] == []
    assert "stopped on request (SIGTERM)" in one.says()


def test_another_process_can_stop_it(begin: Begin) -> None:
    one = begin(GRANDCHILDREN)
    grandchildren = one.pids()
    program = (
        "import sys; from pathlib import Path; from zenml_ftvr.supervise import stop;"
        "print(stop(Path(sys.argv[1])).ended_by)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(one.order.record)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "request"
    assert [left for left in grandchildren if left.is_alive] == []


def test_a_child_may_save_when_it_is_asked_to_end(begin: Begin) -> None:
    one = begin(
        """
        import signal, sys, time
        from pathlib import Path
        def save(*_):
            Path("saved").touch()
            sys.exit(75)
        signal.signal(signal.SIGTERM, save)
        Path("ready").touch()
        time.sleep(300)
        """,
        Limits(grace_seconds=20),
    )
    one.until("ready")
    before = time.monotonic()
    stop(one.order.record)
    assert time.monotonic() - before < 10
    assert (one.folder / "saved").exists()
    assert one.record().exit_code == 75


def test_what_a_child_leaves_behind_ends_with_it(begin: Begin) -> None:
    one = begin(GRANDCHILDREN.replace("time.sleep(300)\n", "sys.exit(0)\n", 1))
    grandchildren = one.pids()
    assert one.ended().exit_code == 0
    assert [left for left in grandchildren if left.is_alive] == []


def test_too_much_memory_ends_it_with_the_number(begin: Begin) -> None:
    one = begin(
        """
        import subprocess, sys, time
        grow = "import time; data = bytearray(150 << 20); time.sleep(300)"
        children = [subprocess.Popen([sys.executable, "-c", grow]) for _ in range(2)]
        time.sleep(300)
        """,
        Limits(memory_gib=0.25, grace_seconds=20),  # one child has 0.15 GiB, two have 0.3
    )
    record = one.ended()
    assert record.ended_by == "memory"
    assert 0.25 < record.peak_memory_gib < 0.5
    assert "its limit is 0.25 GiB" in one.says()
    assert "Raise the trainer's memory_limit_gib" in one.says()


def test_pages_that_children_share_count_once(begin: Begin) -> None:
    one = begin(
        """
        import os, time
        data = bytearray(150 << 20)
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(1.5)
                os._exit(0)
        time.sleep(2)
        """,
        Limits(memory_gib=0.4),  # counted each time, the pages would be 0.6 GiB
    )
    record = one.ended()
    assert (record.exit_code, record.ended_by) == (0, "itself")


def test_too_long_ends_it_with_the_number(begin: Begin) -> None:
    one = begin("import time; time.sleep(300)", Limits(wall_hours=1.0 / 3600, grace_seconds=0.5))
    assert one.ended().ended_by == "wall_clock"
    assert "its limit is wall_hours=0.000277778. Raise it" in one.says()


def test_a_killed_supervisor_takes_the_child_and_its_children_with_it(begin: Begin) -> None:
    one = begin(GRANDCHILDREN)
    grandchildren = one.pids()
    child = one.record().child
    assert child is not None
    one.supervisor.kill()
    one.supervisor.wait()
    until(lambda: not any(left.is_alive for left in [child, *grandchildren]))
    assert not one.record().is_running
    assert "was lost after" in one.says()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_process_that_started_it_dies(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "program.py").write_text(textwrap.dedent(GRANDCHILDREN))
    program = f"""
        import os, sys, time
        from pathlib import Path
        from zenml_ftvr.supervise import Limits, Order, start
        start(Order(step="train", command=(sys.executable, "-m",
              "zenml_ftvr.supervise.step_main", "program"), limits=Limits(grace_seconds=0.5),
              record=Path({str(tmp_path / "one.json")!r})), os.environ)
        time.sleep(300)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SEARCHED},
        stderr=subprocess.DEVNULL,
    )
    until(lambda: (tmp_path / "ready").exists())
    record = ProcessRecord.read(tmp_path / "one.json")
    assert record is not None
    assert record.child is not None
    family = [record.supervisor, record.child]
    family += [
        ProcessId(pid=int(pid), started=one.started)
        for pid in (tmp_path / "pids").read_text().split()
        if (one := ProcessId.of(int(pid)))
    ]
    assert len(family) == 4
    parent.send_signal(number)
    parent.wait()
    until(lambda: not any(one.is_alive for one in family))
    ended = ProcessRecord.read(tmp_path / "one.json")
    assert ended is not None
    assert ended.ended_by == "parent_gone"


def test_a_number_that_another_process_has_now_is_not_killed(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    now = ProcessId.of(other.pid)
    assert now is not None
    earlier = ProcessId(pid=other.pid, started=now.started - 1000)
    assert not earlier.is_alive
    ProcessRecord(
        step="train",
        host=os.uname().nodename,
        supervisor=earlier,
        child=earlier,
        limits=Limits(),
    ).write(tmp_path / "one.json")
    stop(tmp_path / "one.json")
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_process_of_another_machine_is_named_and_left_alone(tmp_path: Path) -> None:
    me = ProcessId.of(os.getpid())
    assert me is not None
    ProcessRecord(step="train", host="elsewhere", supervisor=me, limits=Limits()).write(
        tmp_path / "one.json"
    )
    with pytest.raises(TrainingError, match=rf"runs on 'elsewhere'.*kill {me.pid}"):
        stop(tmp_path / "one.json")


def test_what_was_never_started_is_no_error(tmp_path: Path) -> None:
    assert stop(tmp_path / "none.json") is None


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    order = Order(
        step="train", command=("no-such-command",), limits=Limits(), record=tmp_path / "one.json"
    )
    start(order, {**os.environ, "PYTHONPATH": SEARCHED}).wait(PATIENCE_SECONDS)
    record = ProcessRecord.read(order.record)
    assert record is not None
    assert record.exit_code == 127
    said = describe_failure(record, order.raw_output)
    assert "no-such-command could not be started: [Errno 2]" in said


def test_a_record_of_a_later_version_is_read(tmp_path: Path) -> None:
    me = ProcessId.of(os.getpid())
    assert me is not None
    record = ProcessRecord(step="train", host="here", supervisor=me, limits=Limits())
    record.write(tmp_path / "one.json")
    content = json.loads((tmp_path / "one.json").read_text())
    (tmp_path / "one.json").write_text(json.dumps({**content, "new": 1}))
    assert ProcessRecord.read(tmp_path / "one.json") == record
