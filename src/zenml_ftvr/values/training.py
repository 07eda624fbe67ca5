"""What is run, and what came out of it."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, get_args

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.approach import Approach, Kind
from zenml_ftvr.values.budget import Ledger
from zenml_ftvr.values.task import Task
from zenml_ftvr.values.written import UserWritten, name_or_guess

__all__ = [
    "Allowance",
    "Braking",
    "CurvePoint",
    "ModelSource",
    "TrackedRun",
    "TrackingMode",
    "TrackingSettings",
    "TrainedModel",
    "TrainingPlan",
    "project_fault",
]

TrackingMode: TypeAlias = Literal["auto", "online", "offline", "disabled"]
PROJECT_LENGTH = 128  # wandb 0.31 refuses longer names of projects
PROJECT_REFUSED = "/\\#?%:"  # and these characters in them


Allowance = Literal["remote_code", "pickled_weights"]
"""What of a model runs code that its author wrote, or was a way to: refused unless allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource(UserWritten):
    """Which pretrained model to start from.

    `name` is `minilm` (all-MiniLM-L6-v2 from the `demo` extra), a local folder, or a Hugging Face
    model id.
    """

    name: str = "minilm"
    revision: str | None = None
    """Commit, tag or branch; Hub models only. Pin a commit where `allow` is not empty."""
    allow: tuple[Allowance, ...] = ()
    """What may be loaded of this one model that is refused of every other: `remote_code`, the
    Python files beside its weights, which then run on this machine with your rights;
    `pickled_weights`, weights as pytorch_model*.bin where it has no safetensors (read as tensors
    only, so that code in them is refused even then)."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigurationError(
                "ModelSource.name is empty. Give 'minilm', a local folder, or a Hub id."
            )
        known = list(get_args(Allowance))
        for allowed in self.allow:
            if allowed not in known:
                raise ConfigurationError(
                    f"ModelSource.allow holds '{allowed}'.{name_or_guess(str(allowed), known)}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings(UserWritten):
    """Where W&B runs go when no experiment tracker of the stack has opened one."""

    mode: TrackingMode = "auto"
    """`auto`: online where W&B has a key, else offline."""
    project: str = "zenml-ftvr"
    entity: str | None = None
    experiment: str | None = None
    """The group of its runs, and one report's; None for the pipeline's name."""
    registry: str | None = "model"
    """The W&B registry that the recommended model goes into when online; None for none."""
    log_texts: bool = False
    """Whether texts and labels of the user's may go into runs, as a table of answers to test rows.
    """

    def __post_init__(self) -> None:
        modes = get_args(TrackingMode)
        if self.mode not in modes:
            raise ConfigurationError(
                f"TrackingSettings.mode is '{self.mode}'.{name_or_guess(str(self.mode), [*modes])}"
            )
        if fault := project_fault(self.project):
            raise ConfigurationError(f"TrackingSettings.project {fault}")
        for name in ("entity", "experiment", "registry"):
            value = getattr(self, name)
            if value is not None and not value.strip():
                raise ConfigurationError(
                    f"TrackingSettings.{name} is empty. Name one, or leave it out."
                )


def project_fault(project: str) -> str | None:
    """What keeps W&B from taking a project's name, as the rest of a sentence; None for nothing."""
    if not project.strip():
        return "is empty. Name one, for example 'zenml-ftvr'."
    if len(project) > PROJECT_LENGTH:
        return f"has {len(project)} characters; W&B takes at most {PROJECT_LENGTH}. Shorten it."
    if wrong := sorted({one for one in project if one in PROJECT_REFUSED}):
        return f"is '{project}', and W&B takes no {' '.join(wrong)} in one. Choose another name."
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """All that decides what a training does; equal plans on one device give equal weights."""

    approach: Approach
    task: Task
    model: ModelSource | None
    """None for `baseline` and `scratch`."""
    model_fingerprint: str | None
    """sha256 of the base model's weights."""
    data_fingerprint: str
    labels: tuple[str, ...]
    max_steps: int
    """Optimiser steps; 0 for `baseline` and `head`, which are solved, not stepped."""
    batch_size: int
    learning_rate: float | None
    warmup_steps: int
    weight_decay: float
    eval_every_steps: int
    seed: int
    wall_seconds: float | None
    """The emergency brake: training stops here whatever the step. None for no limit."""
    predicted_hours: float | None
    """Training alone; None where nothing was calibrated."""
    reasons: tuple[str, ...] = ()
    """How the numbers above were derived, each a sentence."""

    @property
    def kind(self) -> Kind:
        return self.approach.kind

    @property
    def allow(self) -> tuple[Allowance, ...]:
        """What the user allowed of the base model that is refused of others."""
        return () if self.model is None else self.model.allow

    @property
    def fingerprint(self) -> str:
        """sha256 over what decides the weights (no predictions, no wording), 16 hex digits."""
        fields = asdict(self)
        for name in ("wall_seconds", "predicted_hours", "reasons"):
            del fields[name]
        if self.model is not None and not self.allow:  # as before there was anything to allow
            del fields["model"]["allow"]
        text = json.dumps(fields, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One reading of a training curve."""

    step: int
    metric: str
    """`train/loss`, `eval/loss`, `eval/accuracy`, `eval/macro_f1`, `train/learning_rate`."""
    value: float
    seconds: float
    """Since the training began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Braking:
    """What the clock changed of a plan after one step."""

    seed: int
    """Of the run: the plan's, or that of its retry."""
    step: int
    cool_steps: int | None
    """The learning rate came down to none within so many steps; None: it was the last step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """A run in W&B."""

    run_id: str
    name: str
    project: str
    url: str | None
    """None for an offline run: a link that does not exist is not shown."""
    offline_folder: str | None
    """What `wandb sync` takes; None for an online run."""
    offline_copy: str | None = None
    """URI of the folder's copy in the artifact store; None where the folder stays reachable."""

    @property
    def sync_command(self) -> str | None:
        """The command that uploads an offline run, to be pasted into a shell."""
        if self.offline_copy is not None:
            return f"zenml-ftvr publish {shlex.quote(self.offline_copy)}"
        if self.offline_folder is None:
            return None
        return f"wandb sync {shlex.quote(self.offline_folder)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A trained model's folder, and how it came about."""

    path: str
    """A folder that plain transformers, PEFT or skops load."""
    plan: TrainingPlan
    curve: tuple[CurvePoint, ...]
    steps_done: int
    stopped_by: Literal["finished", "budget"]
    seconds: float
    peak_memory_gib: float
    """Above what the process held before."""
    n_params: int
    n_trainable: int
    n_bytes: int
    """Of the folder."""
    ledger: Ledger
    tracked: TrackedRun | None = None
    notes: tuple[str, ...] = ()
    """What happened on the way that a reader should know, each a sentence."""
    brakings: tuple[Braking, ...] = ()
    """What the clock changed of the plan, the first first: the plan and these give these weights
    again (`train.replay`)."""
    fingerprint: str | None = None
    """sha256 over all that decides the weights on one kind of device, versions too, 16 hexadecimal
    digits; None of models that were trained before there was one."""

    @property
    def kind(self) -> Kind:
        return self.plan.kind
