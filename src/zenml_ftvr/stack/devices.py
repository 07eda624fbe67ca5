"""Which graphics cards a step may use: the first that no other step of this machine has."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.supervise import ProcessRecord

__all__ = ["choose_gpus", "one_at_a_time", "visible_gpus"]

LIST_SECONDS = 20  # nvidia-smi takes some seconds when the driver has to be loaded first


def visible_gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them, or else as nvidia-smi lists them; torch is not loaded."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"],  # noqa: S607  (wherever the driver put it)
            capture_output=True,
            text=True,
            timeout=LIST_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(index) for index, _ in enumerate(listed.stdout.strip().splitlines())]


def choose_gpus(step: str, wanted: int, visible: list[str], records: Path) -> tuple[str, ...]:
    """As many as are wanted, of those that no running step has."""
    if wanted > len(visible):
        raise ConfigurationError(
            f"step '{step}' asks for {wanted} GPUs (ResourceSettings(gpu_count=...)), and this "
            f"machine shows {len(visible)}. Ask for fewer, or look at CUDA_VISIBLE_DEVICES."
        )
    taken: dict[str, str] = {}
    for path in records.glob("*.json"):
        record = ProcessRecord.read(path)
        if record is not None and record.is_running:
            taken.update(dict.fromkeys(record.gpus, record.step))
    free = [gpu for gpu in visible if gpu not in taken]
    if wanted > len(free):
        raise ConfigurationError(
            f"step '{step}' asks for {wanted} GPUs, and {len(free)} of {len(visible)} are free; "
            f"{', '.join(sorted(set(taken.values())))} runs on the others. Run the steps one after "
            f"another, or ask for fewer."
        )
    return tuple(free[:wanted])


@contextlib.contextmanager
def one_at_a_time(records: Path) -> Iterator[None]:
    """Between choosing and writing down what was chosen, no other step may choose."""
    records.mkdir(parents=True, exist_ok=True)
    with (records / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
