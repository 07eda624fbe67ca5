"""Do probabilities mean what they say? Reliability, and temperature scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenml_ftvr.values import ProbabilityCheck, Reliability, ReliabilityBin

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.tasks import ClassAnswers

    Floats = npt.NDArray[np.float64]

__all__ = ["check_probabilities", "fitted_temperature", "reliability", "softmax"]

N_BINS = 15  # Guo et al. 2017, arXiv 1706.04599, section 2
SIMULATIONS = (
    500  # of a calibrated model: the mean of 500 errors is known to a twentieth of their spread
)
LEAST_FITTED = 20
"""Rows that a temperature is fitted on at least: of fewer, one mistake decides it. A judgement."""
TEMPERATURES = (0.05, 20.0)
"""Between which the temperature is looked for: beyond, all answers are certain, or all alike."""
BINNING = f"{N_BINS} bins of equal width, by the probability of the class that was answered."
BIAS = (
    "It is biased upwards where bins hold few rows, so that even a perfectly calibrated model has "
    "more than 0; it looks at the answered class alone, and depends on the bins."
)


def softmax(scores: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities [rows, classes] of logits [rows, classes] divided by `temperature`."""
    import numpy as np

    scaled = scores / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    exponentials = np.exp(scaled)
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def _log_loss(scores: Floats, truth: npt.NDArray[np.int64], temperature: float) -> float:
    import numpy as np
    from scipy.special import logsumexp

    scaled = scores / temperature
    own = scaled[np.arange(len(truth)), truth]
    return float((logsumexp(scaled, axis=1) - own).mean())


def fitted_temperature(answers: ClassAnswers) -> float:
    """What logits are to be divided by, so that the truth is likeliest on these rows.

    Guo et al. 2017, arXiv 1706.04599, section 4.2: one number, which changes no answer.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: _log_loss(answers.scores, answers.truth, float(np.exp(log_t))),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _places(confidence: Floats) -> npt.NDArray[np.int64]:
    """The bin of each row; a bin has its upper end."""
    import numpy as np

    edges = np.linspace(0, 1, N_BINS + 1)[1:-1]
    return np.searchsorted(edges, confidence, side="left")


def _ece(places: npt.NDArray[np.int64], confidence: Floats, right: Floats) -> float:
    """Expected calibration error; rows by bins of `places`."""
    import numpy as np

    gaps = np.bincount(places, weights=right - confidence, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(places))


def reliability(answers: ClassAnswers, temperature: float, seed: int) -> Reliability:
    """Bins, calibration error with its bias, and log loss, at one temperature."""
    import numpy as np

    confidence = softmax(answers.scores, temperature).max(axis=1)
    right = (answers.predicted == answers.truth).astype(np.float64)
    places = _places(confidence)
    counts = np.bincount(places, minlength=N_BINS)
    sums = [np.bincount(places, weights=one, minlength=N_BINS) for one in (confidence, right)]
    edges = np.linspace(0, 1, N_BINS + 1)
    rng = np.random.default_rng(seed)
    calibrated = [
        _ece(places, confidence, (rng.random(len(places)) < confidence).astype(np.float64))
        for _ in range(SIMULATIONS)
    ]
    return Reliability(
        bins=tuple(
            ReliabilityBin(
                low=float(edges[one]),
                high=float(edges[one + 1]),
                n_rows=int(counts[one]),
                mean_confidence=float(sums[0][one] / counts[one]) if counts[one] else None,
                share_right=float(sums[1][one] / counts[one]) if counts[one] else None,
            )
            for one in range(N_BINS)
        ),
        ece=_ece(places, confidence, right),
        ece_if_calibrated=float(np.mean(calibrated)),
        log_loss=_log_loss(answers.scores, answers.truth, temperature),
    )


def check_probabilities(
    test: ClassAnswers, tuning: ClassAnswers | None, seed: int
) -> ProbabilityCheck:
    """Reliability on the test rows, before and after the temperature that fits `tuning` best."""
    n_fitted = 0 if tuning is None else tuning.n_rows
    temperature = None
    if tuning is not None and n_fitted >= LEAST_FITTED:
        temperature = fitted_temperature(tuning)
    return ProbabilityCheck(
        as_trained=reliability(test, 1.0, seed),
        scaled=None if temperature is None else reliability(test, temperature, seed),
        temperature=temperature,
        n_fitted=n_fitted if temperature is not None else 0,
        binning=BINNING,
        bias=BIAS,
    )
