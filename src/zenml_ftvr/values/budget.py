"""What may be spent, on what machine, and what was spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.written import UserWritten

__all__ = ["Budget", "Hardware", "Ledger", "LedgerEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(UserWritten):
    """The most that calibration, training and evaluation together may cost."""

    usd: float | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        if self.usd is None and self.hours is None:
            raise BudgetError(
                "the budget is empty. Give `usd`, `hours` or both, for example "
                "budget: {hours: 0.5}."
            )
        for name in ("usd", "hours"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BudgetError(
                    f"budget.{name} is {value}; it must be a number above 0. "
                    f"Leave it out for no limit in {name}."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The machine that trains."""

    device: Literal["cpu", "cuda", "mps"]
    device_name: str
    n_devices: int
    cores: int
    memory_gib: float
    """Main memory that this process may use."""
    device_memory_gib: float | None
    """Of one accelerator; None on a CPU, where main memory counts."""
    usd_per_hour: float | None = None
    """The user's price for the whole machine; never guessed."""

    @property
    def training_memory_gib(self) -> float:
        return self.memory_gib if self.device_memory_gib is None else self.device_memory_gib


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One thing that took time, and so money."""

    what: Literal[
        "calibration", "cross-validation", "pilots", "training", "evaluation", "failed attempt"
    ]
    kind: Kind | None
    """The approach it was spent on; None where it served all."""
    seconds: float
    predicted_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was spent, entry by entry, at one price."""

    entries: tuple[LedgerEntry, ...] = ()
    usd_per_hour: float | None = None

    @property
    def hours(self) -> float:
        return sum(entry.seconds for entry in self.entries) / 3600

    @property
    def usd(self) -> float | None:
        return None if self.usd_per_hour is None else self.hours * self.usd_per_hour

    def with_entries(self, *entries: LedgerEntry) -> Ledger:
        return Ledger(entries=(*self.entries, *entries), usd_per_hour=self.usd_per_hour)
