"""Whether a model's probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ProbabilityCheck", "Reliability", "ReliabilityBin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Answers of like confidence: one point of a reliability diagram."""

    low: float
    """Of the confidence, above which a row is in this bin; `high` itself is."""
    high: float
    n_rows: int
    mean_confidence: float | None
    """Mean probability of what was answered; None where no row is in the bin."""
    share_right: float | None
    """Share of its rows that were answered right; on the diagonal it equals the confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Confidence beside correctness on the test rows."""

    bins: tuple[ReliabilityBin, ...]
    ece: float
    """Expected calibration error: the mean over rows of how far the confidence of a row's bin is
    from the share that is right in it. Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599."""
    ece_if_calibrated: float
    """What that measure would be, on average, of a model with the same confidences that is
    perfectly calibrated: its bias, above 0 because bins hold few rows (Roelofs et al. 2022, arXiv
    2012.08668). An `ece` below about twice this says little."""
    log_loss: float
    """Mean negative natural logarithm of the true class's probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilityCheck:
    """Probabilities as they are, and divided by a temperature that was fitted on validation."""

    as_trained: Reliability
    scaled: Reliability | None
    """With `temperature`; None where it could not be fitted."""
    temperature: float | None
    """Logits are divided by it: above 1 the model was too sure of itself. No answer changes."""
    n_fitted: int
    """Validation rows that the temperature was fitted on: those of the half for tuning."""
    binning: str
    """How rows were put into bins, in words."""
    bias: str
    """What the expected calibration error is known to get wrong, in a sentence."""
