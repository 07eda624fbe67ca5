"""What is found of this machine and of others, and memory that is measured against a known size."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import sklearn
import torch

from zenml_ftvr import hardware
from zenml_ftvr.hardware import (
    GIB,
    detect,
    installed_versions,
    peak_memory,
    process_memory_gib,
)
from zenml_ftvr.values.execution import Execution

ALLOCATED = 25_000_000  # numbers of eight bytes
ALLOCATED_GIB = 8 * ALLOCATED / GIB
NOISE_GIB = 0.04  # what else a process takes or gives back meanwhile


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write a file of the system; only those written are there."""
    monkeypatch.setattr("zenml_ftvr.hardware.Path", lambda name: tmp_path / name.lstrip("/"))

    def write(name: str, content: str) -> None:
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    return write


SystemFile = Callable[[str, str], None]


def test_this_machine_is_found_as_it_is() -> None:
    hardware = detect()
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    assert hardware.device == ("cpu" if accelerator is None else accelerator.type)
    assert hardware.device_name.strip()
    assert hardware.n_devices >= 1
    assert 1 <= hardware.cores <= (os.cpu_count() or 1)
    assert process_memory_gib() < hardware.memory_gib <= psutil.virtual_memory().total / GIB
    assert hardware.training_memory_gib > 0.1
    assert hardware.usd_per_hour is None


@pytest.mark.usefixtures("no_accelerator")
def test_without_an_accelerator_the_processor_trains_in_main_memory() -> None:
    hardware = detect(usd_per_hour=0.25)
    assert (hardware.device, hardware.n_devices, hardware.device_memory_gib) == ("cpu", 1, None)
    assert hardware.training_memory_gib == hardware.memory_gib
    assert hardware.usd_per_hour == 0.25


@pytest.mark.usefixtures("no_accelerator")
def test_only_the_cores_that_this_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert detect().cores == 3


@pytest.mark.usefixtures("no_accelerator")
def test_the_processor_s_name_is_read_where_the_system_tells(system_file: SystemFile) -> None:
    assert detect().device_name == (platform.processor() or platform.machine())
    system_file(
        "/proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast: Chip 9\nmodel name\t: Other\n"
    )
    assert detect().device_name == "Fast: Chip 9"


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize(
    "name", ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
)
def test_a_container_s_limit_is_the_memory(system_file: SystemFile, name: str) -> None:
    system_file(name, f"{GIB // 2}\n")
    assert detect().memory_gib == 0.5


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n", ""])
def test_no_limit_leaves_the_machine_s_memory(system_file: SystemFile, limit: str) -> None:
    system_file("/sys/fs/cgroup/memory.max", limit)
    assert detect().memory_gib == psutil.virtual_memory().total / GIB


def test_a_cuda_device_is_found_with_its_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="A card", total_memory=24 * GIB)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    hardware = detect(usd_per_hour=2.0)
    assert (hardware.device, hardware.device_name, hardware.n_devices) == ("cuda", "A card", 4)
    assert hardware.training_memory_gib == hardware.device_memory_gib == 24
    assert hardware.usd_per_hour == 2.0


def test_an_apple_device_is_found_with_the_memory_it_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GIB)
    hardware = detect()
    assert (hardware.device, hardware.n_devices, hardware.device_memory_gib) == ("mps", 1, 12)


# --- memory


@pytest.mark.usefixtures("no_accelerator")
def test_the_peak_is_what_was_allocated() -> None:
    with peak_memory() as peak:
        held = np.ones(ALLOCATED)
    assert peak.gib == pytest.approx(ALLOCATED_GIB, abs=NOISE_GIB)
    del held


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize("kernel_knows", [True, False])
def test_the_peak_is_remembered_when_its_memory_is_freed(
    kernel_knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel_knows:
        monkeypatch.setattr(hardware, "_kernel_peak_from_now", lambda held: False)
    with peak_memory() as peak:
        held = np.ones(ALLOCATED)
        time.sleep(0.3)  # the watcher looks every 10 ms
        del held
        time.sleep(0.1)
    assert peak.gib == pytest.approx(ALLOCATED_GIB, abs=NOISE_GIB)


@pytest.mark.usefixtures("no_accelerator")
def test_what_was_held_before_is_no_part_of_the_peak() -> None:
    held = np.ones(ALLOCATED)
    with peak_memory() as peak:
        held += 1
    assert 0 <= peak.gib < NOISE_GIB


@pytest.mark.usefixtures("no_accelerator")
def test_memory_that_was_freed_before_does_not_make_the_next_look_free() -> None:
    def small_pieces() -> list[np.ndarray]:  # too small to be given back one by one
        return [np.ones(8_000) for _ in range(ALLOCATED // 8_000)]

    freed = small_pieces()
    pin = np.ones(8_000)  # above them in memory, so that they are not given back from the end
    del freed
    with peak_memory() as peak:
        held = small_pieces()
    assert peak.gib == pytest.approx(ALLOCATED_GIB, abs=NOISE_GIB)
    del held, pin


@pytest.mark.usefixtures("no_accelerator")
def test_a_failure_passes_through_with_the_peak_known_and_the_watcher_gone() -> None:
    def fail() -> None:
        held = np.ones(ALLOCATED)
        raise MemoryError(f"too much: {held.size}")

    with pytest.raises(MemoryError, match="too much"), peak_memory() as peak:
        fail()
    assert peak.gib == pytest.approx(ALLOCATED_GIB, abs=NOISE_GIB)
    assert "ftvr-peak-memory" not in {thread.name for thread in threading.enumerate()}


def test_the_peak_of_a_card_is_the_card_s(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 1 * GIB)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: called.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 4 * GIB)
    with peak_memory() as peak:
        assert called == ["reset"]
    assert peak.gib == 3


def test_the_memory_of_this_process_grows_with_what_it_holds() -> None:
    before = process_memory_gib()
    assert before > 0.05  # torch alone takes more
    held = np.ones(ALLOCATED)
    assert process_memory_gib() - before == pytest.approx(ALLOCATED_GIB, abs=NOISE_GIB)
    del held


# --- versions


def test_versions_are_those_that_are_installed() -> None:
    versions = installed_versions()
    assert versions["python"] == platform.python_version()
    assert versions["scikit-learn"] == sklearn.__version__
    assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"transformers", "peft", "datasets", "wandb", "zenml"} <= versions.keys()


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenml_ftvr.hardware.VERSIONS_OF", ("no-such-package", "scikit-learn"))
    assert set(installed_versions()) == {"python", "scikit-learn"}


def test_what_the_trainer_grants_counts_where_it_is_less(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = detect()
    less = Execution(trainer="t", threads=1, memory_limit_gib=0.5, hardware="a small instance")
    for name, value in less.to_environment().items():
        monkeypatch.setenv(name, value)
    granted = detect()
    assert (granted.cores, granted.memory_gib) == (1, 0.5)
    assert granted.device_name == "a small instance"
    more = Execution(trainer="t", threads=10_000, memory_limit_gib=1e6)
    for name, value in more.to_environment().items():
        monkeypatch.setenv(name, value)
    assert detect() == machine
