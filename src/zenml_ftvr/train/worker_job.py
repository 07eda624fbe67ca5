"""What a worker is given and gives back: a folder with a plan, the data, and what came of it.

job.json      the plan, and how it is trained; read by every worker
data/         the data set, as Arrow files
told.jsonl    what the first worker says while it works: progress, readings
done.json     what was trained, by the first worker
failed-R.json why worker R gave up
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zenml_ftvr import errors
from zenml_ftvr.data import Dataset, read_dataset, write_dataset
from zenml_ftvr.errors import FtvrError, TrainingError
from zenml_ftvr.train.faults import Diverged, Interrupted, is_out_of_memory
from zenml_ftvr.train.loop import LoopResult
from zenml_ftvr.train.once import Go, OutOfMemory, Stepped, Surroundings
from zenml_ftvr.values import CurvePoint, Hardware, TrainingPlan
from zenml_ftvr.values.execution import Sharding

__all__ = [
    "Failure",
    "Heard",
    "Job",
    "Tell",
    "done_in",
    "failures_in",
    "hear",
    "read_job",
    "teller",
    "why_it_failed",
    "write_done",
    "write_failure",
    "write_job",
]

JOB, DATA, TOLD, DONE = "job.json", "data", "told.jsonl", "done.json"

IN_TRAINING: dict[str, type[FtvrError]] = {one.__name__: one for one in (Diverged, Interrupted)}
"""Errors of ours that are not among those of all layers."""

Tell = Callable[[dict[str, Any]], None]
"""Says something to whoever started the workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One go at a plan's steps, for a process that knows nothing else."""

    plan: TrainingPlan
    saved_as: TrainingPlan
    hardware: Hardware
    part_rows: int
    checkpoints: str
    """Folder; on several machines each worker has one of its own, and this is not used."""
    model: str
    """Folder that the first worker writes the model to."""
    sharding: Sharding = "none"
    decided: dict[int, int | None] = field(default_factory=dict)
    """What the clock decided before, by step (train/brake.py)."""
    gone_seconds: float = 0.0
    """Of the plan's wall-clock limit, when the job was written."""
    written_at: float = 0.0
    """`time.time()`: the only clock that several machines share."""

    @property
    def started(self) -> float:
        """The `time.monotonic()` of this process from which the plan's limit counts."""
        gone = self.gone_seconds + max(0.0, time.time() - self.written_at)
        return time.monotonic() - gone


def write_job(go: Go, dataset: Dataset, around: Surroundings, folder: Path) -> None:
    """Write what workers need into `folder`; the data once, for all goes at it."""
    from pydantic import TypeAdapter

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / DATA).exists():
        half = folder / f"{DATA}.half"
        write_dataset(dataset, half)
        half.replace(folder / DATA)
    for left in (folder / DONE, folder / TOLD, *folder.glob("failed-*")):
        left.unlink(missing_ok=True)
    job = Job(
        plan=go.plan,
        saved_as=go.saved_as,
        hardware=around.hardware,
        part_rows=go.part_rows,
        checkpoints=str(go.folder),
        model=str(around.work / "model"),
        sharding=around.team.sharding,
        decided=go.decisions.by_step,
        gone_seconds=time.monotonic() - around.started,
        written_at=time.time(),
    )
    (folder / JOB).write_bytes(TypeAdapter(Job).dump_json(job))


def read_job(folder: Path) -> tuple[Job, Dataset]:
    """What `write_job` wrote; `TrainingError` where there is none."""
    from pydantic import TypeAdapter, ValidationError

    try:
        job: Job = TypeAdapter(Job).validate_json((folder / JOB).read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(
            f"{folder} holds no job for a worker ({error}). The trainer writes one where it grants "
            f"a step several workers."
        ) from error
    return job, read_dataset(folder / DATA)


def teller(folder: Path) -> Tell:
    """Says things by lines of a file, which the process that waits follows."""
    stream = (folder / TOLD).open("a", encoding="utf-8", buffering=1)

    def tell(message: dict[str, Any]) -> None:
        stream.write(json.dumps(message) + "\n")

    return tell


def hear(message: dict[str, Any], go: Go, around: Surroundings) -> None:
    """Pass on what the first worker said."""
    match message:
        case {"braked_at": step, "cool_steps": cool_steps}:
            go.decisions.note(step, cool_steps)
        case {"metrics": metrics, "step": step}:
            around.log(metrics, step)
        case {"what": what, "done": done, "total": total, "note": note}:
            around.progress(what, done, total, note)


class Heard:
    """What was said in a folder, line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / TOLD
        self._at = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """What was said since the last call."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as stream:
            stream.seek(self._at)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield json.loads(line)


def write_done(done: Stepped, folder: Path) -> None:
    """Put down what was trained; the file appears whole."""
    half = folder / f"{DONE}.half"
    half.write_text(json.dumps(dataclasses.asdict(done)), encoding="utf-8")
    half.replace(folder / DONE)


def done_in(folder: Path) -> Stepped | None:
    """What the workers trained; None where they did not end."""
    try:
        content = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    points = tuple(CurvePoint(**point) for point in content["loop"].pop("curve"))
    return Stepped(
        **{
            **content,
            "loop": LoopResult(**content["loop"], curve=points),
            "notes": tuple(content["notes"]),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a worker gave up."""

    kind: Literal["ours", "memory", "files", "other"]
    name: str
    """Of the exception's class."""
    text: str
    at: float
    """`time.time()`: the first one is the cause of the others."""

    def as_error(self) -> Exception:
        """The exception, as if it had been raised here."""
        match self.kind:
            case "ours" if self.name in IN_TRAINING:
                return IN_TRAINING[self.name](self.text)
            case "ours":
                kind: type[FtvrError] = getattr(errors, self.name, TrainingError)
                return kind(self.text)
            case "memory":
                return OutOfMemory(self.text)
            case "files":
                return OSError(self.text)
            case "other":
                return RuntimeError(self.text)


def why_it_failed(error: BaseException) -> Failure:
    """An exception, as it can be written down."""
    from safetensors import SafetensorError

    kind: Literal["ours", "memory", "files", "other"] = "other"
    text = str(error)
    if isinstance(error, FtvrError):
        kind = "ours"
    elif isinstance(error, OutOfMemory) or is_out_of_memory(error):
        kind = "memory"
    elif isinstance(error, OSError | SafetensorError):
        kind = "files"
    else:
        text = f"{type(error).__name__}: {text}"
    return Failure(kind=kind, name=type(error).__name__, text=text, at=time.time())


def write_failure(failure: Failure, rank: int, folder: Path) -> None:
    """Put down why worker `rank` gave up."""
    (folder / f"failed-{rank}.json").write_text(
        json.dumps(dataclasses.asdict(failure)), encoding="utf-8"
    )


def failures_in(folder: Path) -> dict[int, Failure]:
    """Of the workers that could say why they gave up, by their number, the first one first."""
    found = {}
    for path in folder.glob("failed-*.json"):
        with contextlib.suppress(ValueError, TypeError):  # half a file of one that was killed
            rank = int(path.stem.removeprefix("failed-"))
            found[rank] = Failure(**json.loads(path.read_text(encoding="utf-8")))
    return dict(sorted(found.items(), key=lambda one: one[1].at))
