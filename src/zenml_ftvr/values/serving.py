"""What a trained model costs in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.values.approach import Kind

__all__ = ["BatchLatency", "ParetoPoint", "ServingCost", "ServingForm"]

ServingForm = Literal["as trained", "merged"]
"""`merged`: LoRA's adapters added to their base, which is then an ordinary model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLatency:
    """Answering test inputs so many at a time, from text or bytes to the answer."""

    batch_size: int
    n_calls: int
    """Timed, after others that were not."""
    p50_ms: float
    """Milliseconds a call, that is, a batch."""
    p95_ms: float
    p99_ms: float
    rows_per_second: float
    """Rows over the seconds of all timed calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingCost:
    """One form of a model, on the machine that evaluated it."""

    form: ServingForm
    device: str
    n_threads: int
    """That computed on a CPU."""
    latencies: tuple[BatchLatency, ...]
    """By batch size, smallest first."""
    disk_bytes: int
    """Of the files that are needed to load it; of adapters, their base is counted too."""
    memory_bytes: int
    """Of weights, arrays and tables that it holds once loaded; libraries are not counted."""
    usd_per_million: float | None
    """Of a million rows in the largest of these batches, at the user's price; None without one."""

    def latency(self, batch_size: int) -> BatchLatency | None:
        return next((one for one in self.latencies if one.batch_size == batch_size), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoPoint:
    """One model in the picture of quality against latency and size."""

    kind: Kind
    form: ServingForm
    quality: float
    """Test score by the metric that was decided by."""
    p50_ms: float
    """Of one row at a time."""
    disk_bytes: int
    dominated_by: Kind | None
    """A model at least as good, as fast and as small, and better in one of these; None for none."""
