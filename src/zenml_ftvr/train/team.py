"""Who trains a plan: one process, or several that share its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.train.worker_shares import share_of
from zenml_ftvr.values import Approach, Full, Hardware, Lora, Partial, Scratch, TrainingPlan
from zenml_ftvr.values.execution import Execution, Sharding

__all__ = ["ALONE", "Team", "comes_first", "granted_team"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """How many train together, where, and what each may use."""

    workers: int = 1
    """The most."""
    least_workers: int = 1
    threads: int | None = None
    """Of each worker; None for those of this process."""
    sharding: Sharding = "none"
    target: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    storage: str | None = None
    """On Ray: a folder that all machines see, or the URI of one in an object store."""
    gpus_each: int = 0
    notes: tuple[str, ...] = ()
    """Of the model, each a sentence: who trained it, and why not as many as were granted."""

    @property
    def is_alone(self) -> bool:
        """Whether this process does the work itself."""
        return self.workers == 1

    def share(self, batch_size: int) -> int:
        """Rows of a batch that one worker computes at the most; of an elastic team, all of them."""
        return share_of(batch_size, self.workers)


ALONE = Team()


def _alone(plan: TrainingPlan, granted: Execution, why: str) -> Team:
    said = f"The trainer grants {granted.workers} workers; '{plan.kind}' was trained by one: {why}."
    return Team(notes=(said,))


def _cannot_share(plan: TrainingPlan, granted: Execution, hardware: Hardware) -> str | None:
    """Why the steps of a plan cannot be divided, as the rest of a sentence; None where they can."""
    match plan.approach:
        case Partial() | Full() | Lora() | Scratch():
            pass
        case _:
            return "its work is not in steps that can be divided"
    if granted.target == "ray" and _unlabelled(plan.approach) is not None:
        return "it learns from unlabelled texts first, which is done on one machine"
    if granted.target == "local" and hardware.device == "mps":
        return "Apple's graphics processor cannot be shared"
    if plan.batch_size == 1:
        return "its batch has one row"
    return None


def _unlabelled(approach: Approach) -> object:
    match approach:
        case Full() | Lora() | Scratch():
            return approach.pretrain_on
        case _:
            return None


def comes_first(plan: TrainingPlan) -> bool:
    """Whether one worker has work to do before the others begin, which they find done: learning
    from unlabelled texts, or the answers of frozen layers.
    """
    return plan.kind == "partial" or _unlabelled(plan.approach) is not None


def granted_team(plan: TrainingPlan, hardware: Hardware) -> Team:
    """Who trains `plan` in this process's step: as many as the trainer granted.

    Raises `ConfigurationError` where the plan cannot be trained as its settings say.
    """
    granted = Execution.from_environment()
    if granted is None or granted.workers == 1:
        return ALONE
    if (why := _cannot_share(plan, granted, hardware)) is not None:
        return _alone(plan, granted, why)
    if granted.sharding == "full" and not isinstance(plan.approach, Full | Scratch):
        raise ConfigurationError(
            f"the trainer's sharding is 'full', which divides all weights of 'full' and 'scratch' "
            f"among workers; '{plan.kind}' trains a part of them. Set sharding=none for this step."
        )
    workers = min(granted.workers, plan.batch_size)
    weights = " and divided its weights" if granted.sharding == "full" else ""
    said = f"{workers} workers shared its steps{weights}."
    if workers < granted.workers:
        said = (
            f"Of {granted.workers} workers, {workers} shared its steps{weights}: as many as a "
            f"batch has rows."
        )
    if granted.target == "local" and hardware.device == "cuda" and hardware.n_devices < workers:
        raise ConfigurationError(
            f"the trainer's workers is {workers}, and this step sees {hardware.n_devices} GPUs; "
            f"each worker takes one. Set workers to {hardware.n_devices}, or ask for more: "
            f"ResourceSettings(gpu_count={workers})."
        )
    if granted.target == "ray" and (granted.gpu_count or 0) % granted.workers:
        raise ConfigurationError(
            f"the step asks for {granted.gpu_count} GPUs, and the trainer's {granted.workers} "
            f"workers cannot share them evenly. Ask for as many as there are workers: "
            f"ResourceSettings(gpu_count={granted.workers})."
        )
    cores = granted.threads or hardware.cores
    return Team(
        workers=workers,
        least_workers=min(workers, granted.least_workers or workers),
        threads=max(1, cores // workers),
        sharding=granted.sharding,
        target=granted.target,
        ray_address=granted.ray_address,
        storage=granted.ray_storage,
        gpus_each=(granted.gpu_count or 0) // granted.workers,
        notes=(said,),
    )
