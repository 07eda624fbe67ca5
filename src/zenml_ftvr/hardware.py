"""What is this machine, what is installed on it, and how much memory does something take."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import platform
import threading
from collections.abc import Iterator
from pathlib import Path

from zenml_ftvr.values import Hardware
from zenml_ftvr.values.execution import Execution

__all__ = ["PeakMemory", "detect", "installed_versions", "peak_memory", "process_memory_gib"]

GIB = 2**30
SAMPLE_SECONDS = 0.01  # activations live for a whole backward pass, which takes longer

VERSIONS_OF = (
    "zenml-ftvr",
    "zenml",
    "torch",
    "transformers",
    "peft",
    "datasets",
    "scikit-learn",
    "wandb",
)


def detect(usd_per_hour: float | None = None) -> Hardware:
    """The device that training will use, with the memory and cores this process may have.

    In a step on the trainer that is what it was granted, where this is less.
    """
    found = _detected(usd_per_hour)
    granted = Execution.from_environment()
    if granted is None:
        return found
    return dataclasses.replace(
        found,
        device_name=granted.hardware or found.device_name,
        cores=min(found.cores, granted.threads or found.cores),
        memory_gib=min(found.memory_gib, granted.memory_limit_gib or found.memory_gib),
    )


def _detected(usd_per_hour: float | None) -> Hardware:
    import torch

    memory_gib = _memory_limit_bytes() / GIB
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Hardware(
            device="cuda",
            device_name=properties.name,
            n_devices=torch.cuda.device_count(),
            cores=cores or 1,
            memory_gib=memory_gib,
            device_memory_gib=properties.total_memory / GIB,
            usd_per_hour=usd_per_hour,
        )
    if torch.backends.mps.is_available():
        return Hardware(
            device="mps",
            device_name=platform.processor() or "Apple silicon",
            n_devices=1,
            cores=cores or 1,
            memory_gib=memory_gib,
            device_memory_gib=torch.mps.recommended_max_memory() / GIB,
            usd_per_hour=usd_per_hour,
        )
    return Hardware(
        device="cpu",
        device_name=_cpu_name(),
        n_devices=1,
        cores=cores or 1,
        memory_gib=memory_gib,
        device_memory_gib=None,
        usd_per_hour=usd_per_hour,
    )


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_limit_bytes() -> int:
    """Of the machine, or of the control group where that is less (a container)."""
    import psutil

    total = int(psutil.virtual_memory().total)
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return min(total, int(Path(name).read_text()))
    return total


def installed_versions() -> dict[str, str]:
    """Versions of what results depend on; what is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def process_memory_gib() -> float:
    """Resident memory of this process now."""
    import psutil

    return float(psutil.Process().memory_info().rss) / GIB


def _give_back_freed_memory() -> None:
    """Else what is allocated next fits into freed memory, and seems to cost nothing.

    glibc only; elsewhere nothing happens, and a peak can be measured too low.
    """
    import ctypes
    import gc

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class PeakMemory:
    """The most memory held since the start, above what was held then."""

    def __init__(self) -> None:
        self.gib = 0.0


SLACK_BYTES = 2**24  # between two readings of what is held; a judgement


def _kernel_peak_from_now(held: int) -> bool:
    """Whether the kernel has forgotten the peak before now, when so many bytes are held."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5)
    except OSError:
        return False
    return 0 < _kernel_peak_bytes() < held + SLACK_BYTES  # not so in every sandbox


def _kernel_peak_bytes() -> int:
    """0 where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    return 0


@contextlib.contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Watch the peak while the body runs: of the accelerator where there is one, else resident.

    The kernel keeps the peak of resident memory, on Linux. Elsewhere it is sampled every 10 ms, so
    that a shorter peak can be missed.
    """
    import psutil
    import torch

    peak = PeakMemory()
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        try:
            yield peak
        finally:
            peak.gib = (torch.cuda.max_memory_allocated() - before) / GIB
        return
    _give_back_freed_memory()
    process = psutil.Process()
    start = process.memory_info().rss
    if _kernel_peak_from_now(start):
        try:
            yield peak
        finally:
            peak.gib = max(0, _kernel_peak_bytes() - start) / GIB
        return
    done = threading.Event()
    most = start

    def watch() -> None:
        nonlocal most
        while not done.wait(SAMPLE_SECONDS):
            most = max(most, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True, name="ftvr-peak-memory")
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.gib = max(most, process.memory_info().rss) / GIB - start / GIB
