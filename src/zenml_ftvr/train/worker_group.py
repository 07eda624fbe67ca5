"""The workers that train together: what they tell each other beside gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.values.execution import Sharding

__all__ = ["Group", "stays_here"]


def stays_here(checkpoints: Path) -> None:
    """What was saved is where it has to be: all workers see the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """This worker among those that train together; torch's process group is there already."""

    rank: int
    size: int
    sharding: Sharding = "none"
    saved: Callable[[Path], None] = stays_here
    """Called by every worker with its folder of checkpoints once a new one is whole."""
    own_folders: bool = False
    """Whether each worker has a folder of checkpoints of its own: they are on several machines."""

    @property
    def is_first(self) -> bool:
        """Whether this worker writes, reports and decides for all."""
        return self.rank == 0

    def wait(self) -> None:
        """Until every worker is here."""
        import torch.distributed as dist

        dist.barrier()

    def gather(self, value: Any) -> list[Any]:
        """What each worker holds, in their order, at every worker."""
        import torch.distributed as dist

        gathered: list[Any] = [None] * self.size
        dist.all_gather_object(gathered, value)
        return gathered

    def gather_numbers(self, numbers: list[float]) -> list[list[float]]:
        """The same of a few numbers, without pickling: it is done after every step."""
        import torch
        import torch.distributed as dist

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        own = torch.tensor(numbers, dtype=torch.float64, device=device)
        gathered = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(gathered, own)
        return [one.tolist() for one in gathered]
