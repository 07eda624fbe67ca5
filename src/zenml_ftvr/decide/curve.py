"""Learning curves: from an arm's pilots to what it is predicted to score with more data.

The forecast is a set of draws. In each, the pilots are drawn again (seeds resampled, and noise
added as large as that of seeds), a form is fitted to them, and read off at any size. How many draws
a form gets follows from how well, fitted to the smaller pilots, it predicted the largest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from zenml_ftvr.decide.curve_fit import Fits, best_fit, fit_many
from zenml_ftvr.decide.curve_forms import (
    EXPONENT_FACTOR,
    FITTED_FORMS,
    USUAL_EXPONENT,
    scores_parameters,
)
from zenml_ftvr.decide.seed_spread import SeedSpread
from zenml_ftvr.values import KINDS, Kind
from zenml_ftvr.values.curve import (
    CURVE_FORMS,
    ArmPilots,
    CurveForm,
    FormFit,
    LabelValue,
    ScoreForecast,
    Support,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "DRAWS",
    "LEVEL",
    "FittedCurve",
    "fit_curve",
    "forecast",
    "label_value",
]

DRAWS = 1_000  # Efron & Tibshirani 1993, ch. 13: at least 1,000 for percentile limits
LEVEL = 0.8
"""Of the intervals: what benchmarks/results/curves.json measures the coverage of."""

UNSUPPORTED_BEYOND = 10.0
"""Times the largest pilot (and below the smallest by as much): the published checks of
extrapolation end there, and mostly before."""

LEAST_SIZES = 3  # one to predict, and two to predict it from
MISFIT = 0.004
"""What a smooth form is off by even where every training is repeated without end: a judgement,
held against curves of forms that are not fitted in benchmarks/results/curves.json."""
MISSES_BEYOND = 2.5  # standard deviations; one honest form in 80 is dropped wrongly

RISE_PER_DOUBLING = 0.02
"""Standard deviation of what a doubling of the data may do to an arm with pilots of one size only,
or beyond what a form says that could not be tried: a judgement, wide on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedCurve:
    """An arm's curve as draws; `scores_at` reads the same draws at any size."""

    kind: Kind
    sizes: tuple[int, ...]
    forms: tuple[FormFit, ...]
    spread: SeedSpread
    fits: Fits
    """Of the fitted forms' draws; "last value" has the draws that are left."""
    measured: Floats
    """Errors of the pilots as drawn again [draws of last value, sizes]."""
    drifts: Floats
    """What extrapolation is off by for each unit of log size beyond the largest pilot, [draws]."""
    seed_noise: Floats
    """What one training differs by from the mean over seeds, in standard deviations [draws]."""
    order: npt.NDArray[np.intp]
    """Shuffles draws, so that draws of two arms have nothing in common but their index."""

    def scores_at(self, sizes: Sequence[float] | Floats) -> Floats:
        """Expected scores over seeds [draws, sizes], in 0..1, at `sizes` rows."""
        import numpy as np

        wanted = np.asarray(sizes, dtype=np.float64)
        logs = np.log(self.sizes)
        among = np.stack([np.interp(np.log(wanted), logs, row) for row in np.eye(len(logs))])
        errors = np.concatenate(
            [self.fits.errors_at(wanted / self.sizes[-1]), self.measured @ among]
        )
        errors = np.clip(errors, 0.0, 1.0)
        # As far up as down, so that a bound of the score does not move the mean.
        room = np.minimum(errors, 1 - errors)
        beyond = np.maximum(0.0, np.log(wanted / self.sizes[-1]))
        drifted = errors + np.clip(self.drifts[:, None] * beyond[None, :], -room, room)
        return (1 - drifted)[self.order]

    def outcomes_at(self, sizes: Sequence[float] | Floats) -> Floats:
        """Scores of one training each [draws, sizes]: expected scores and the luck of a seed."""
        import numpy as np

        sds = np.array([self.spread.at(size) for size in sizes])
        return np.clip(self.scores_at(sizes) + self.seed_noise[:, None] * sds, 0.0, 1.0)

    def support(self, n_train: float) -> Support:
        if self.sizes[0] <= n_train <= self.sizes[-1]:
            return "interpolated"
        within = self.sizes[0] / UNSUPPORTED_BEYOND <= n_train <= self.supported_to
        return "extrapolated" if within else "unsupported"

    @property
    def supported_to(self) -> float:
        """Rows beyond which no pilot speaks for a forecast."""
        return UNSUPPORTED_BEYOND * self.sizes[-1]


def fit_curve(pilots: ArmPilots, spread: SeedSpread, seed: int) -> FittedCurve:
    """Fit an arm's curve; equal arguments give equal draws, and arms have draws of their own.

    `spread`: of scores over seeds, pooled over arms. Forms are fitted from two sizes on, and tried
    from three on; of one size the last value is all there is.
    """
    import numpy as np

    rng = np.random.default_rng([seed, KINDS.index(pilots.kind)])
    redrawn, means, spreads = _redraw(pilots, spread, rng)
    sizes = np.array(pilots.sizes, dtype=np.float64)
    misses = _back_test(sizes, redrawn, means, spreads, rng)
    weights, allowed = _weights(misses)
    counts = _shares(weights, DRAWS)
    fitted, start = [], 0
    for form in FITTED_FORMS:
        rows = redrawn[start : start + counts[form]]
        start += counts[form]
        fitted.append(fit_many(form, sizes / sizes[-1], rows, spreads, _centres(len(rows), rng)))
    drifts = np.concatenate(
        [
            rng.normal(0.0, _drift_sd(form, misses, weights, sizes), counts[form])
            for form in CURVE_FORMS
        ]
    )
    return FittedCurve(
        kind=pilots.kind,
        sizes=pilots.sizes,
        forms=tuple(
            FormFit(
                form=form,
                parameters=_parameters(form, sizes, means, spreads),
                weight=weights[form],
                miss=misses[form].miss if form in misses else None,
                allowed_miss=allowed.get(form),
            )
            for form in CURVE_FORMS
            if form == "last_value" or form in misses or weights[form] > 0
        ),
        spread=spread,
        fits=Fits(
            asymptotes=np.concatenate([one.asymptotes for one in fitted]),
            scales=np.concatenate([one.scales for one in fitted]),
            exponents=np.concatenate([one.exponents for one in fitted]),
            offsets=np.concatenate([one.offsets for one in fitted]),
        ),
        measured=redrawn[start:],
        drifts=drifts,
        seed_noise=rng.normal(size=DRAWS),
        order=rng.permutation(DRAWS),
    )


class Foreteller(Protocol):
    """A curve, alone or with the luck of the rows that its pilots are judged on."""

    @property
    def kind(self) -> Kind: ...

    @property
    def forms(self) -> tuple[FormFit, ...]: ...

    def scores_at(self, sizes: Sequence[float] | Floats) -> Floats:
        """Expected scores over seeds [draws, sizes]."""

    def outcomes_at(self, sizes: Sequence[float] | Floats) -> Floats:
        """Scores of one training each [draws, sizes]."""

    def support(self, n_train: float) -> Support:
        """Where a size lies among the pilots' sizes."""


def forecast(curve: Foreteller, n_train: int, level: float = LEVEL) -> ScoreForecast:
    """What one training on `n_train` rows is predicted to score, with an interval at `level`.

    The interval holds the luck of one seed; `mean` is that of the expected score.
    """
    import numpy as np

    outcomes = curve.outcomes_at([n_train])[:, 0]
    low, high = np.quantile(outcomes, [(1 - level) / 2, (1 + level) / 2])
    return ScoreForecast(
        kind=curve.kind,
        n_train=n_train,
        mean=float(curve.scores_at([n_train]).mean()),
        low=float(low),
        high=float(high),
        level=level,
        n_draws=len(outcomes),
        support=curve.support(n_train),
        forms=curve.forms,
    )


def label_value(curve: FittedCurve, n_train: int, n_more: int, level: float = LEVEL) -> LabelValue:
    """What `n_more` labels on top of `n_train` add to the arm's expected score, with an interval.

    Both sizes are read off the same draws. The luck of seeds is left out: it is no gain.
    """
    import numpy as np

    before, after = curve.scores_at([n_train, n_train + n_more]).T
    gains = after - before
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
    return LabelValue(
        kind=curve.kind,
        n_train=n_train,
        n_more=n_more,
        mean=float(gains.mean()),
        low=float(low),
        high=float(high),
        level=level,
        support=curve.support(n_train + n_more),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Miss:
    miss: float
    sd: float
    """What the miss may come to by chance."""

    @property
    def excess(self) -> float:
        """What of the miss chance does not explain."""
        return math.sqrt(max(0.0, self.miss**2 - self.sd**2))


def _redraw(
    pilots: ArmPilots, spread: SeedSpread, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Errors by size: drawn again [draws, sizes], means [sizes], their standard deviations.

    A smoothed bootstrap: seeds are resampled, which of m seeds has (m - 1) / m of their mean's
    variance, and normal noise of sd / m adds the rest; so a single seed has the pooled spread of
    its size.
    """
    import numpy as np

    columns, means, spreads = [], [], []
    for size in pilots.sizes:
        seed_sd = spread.at(size)
        errors = np.array([1 - one.score for one in pilots.scores if one.n_train == size])
        m = len(errors)
        off = np.abs(errors - np.median(errors)) / seed_sd
        # From three seeds on it can be told which one is far out; a collapsed one counts for less.
        trust = np.minimum(1.0, MISSES_BEYOND / np.maximum(off, 1e-12)) if m > 2 else np.ones(m)
        picks = rng.integers(m, size=(DRAWS, m))
        resampled = (errors * trust)[picks].sum(axis=1) / trust[picks].sum(axis=1)
        noise = rng.normal(0.0, math.hypot(seed_sd / m, MISFIT), DRAWS)
        columns.append(resampled + noise)
        means.append(float((errors * trust).sum() / trust.sum()))
        spreads.append(math.hypot(seed_sd / math.sqrt(m), MISFIT))
    return np.clip(np.stack(columns, axis=1), 0.0, 1.0), np.array(means), np.array(spreads)


def _centres(n: int, rng: np.random.Generator) -> Floats:
    """Where each draw's exponent is pulled to: what pilots do not tell stays as open as it was."""
    return rng.normal(math.log(USUAL_EXPONENT), math.log(EXPONENT_FACTOR), n)


def _back_test(
    sizes: Floats, redrawn: Floats, means: Floats, spreads: Floats, rng: np.random.Generator
) -> dict[CurveForm, _Miss]:
    """Each form's miss of the largest pilots, fitted to the smaller ones; empty below 2 sizes."""
    if len(sizes) < 2:
        return {}
    predicted: dict[CurveForm, Floats] = {"last_value": redrawn[:, -2]}
    if len(sizes) >= LEAST_SIZES:
        smaller = sizes[:-1] / sizes[-2]
        for form in FITTED_FORMS:
            rows = redrawn[::4, :-1]
            fits = fit_many(form, smaller, rows, spreads[:-1], _centres(len(rows), rng))
            predicted[form] = fits.errors_at(sizes[-1:] / sizes[-2])[:, 0].clip(0.0, 1.0)
    return {
        form: _Miss(miss=float(means[-1] - errors.mean()), sd=math.hypot(errors.std(), spreads[-1]))
        for form, errors in predicted.items()
    }


def _weights(
    misses: dict[CurveForm, _Miss],
) -> tuple[dict[CurveForm, float], dict[CurveForm, float]]:
    """Each form's share, and the miss it is allowed.

    In proportion to the normal density of the measured score under the form's prediction, so that
    a vague prediction earns no more than a near one. A form that misses is dropped; where all miss
    the last value is left. Of two sizes no form can be tried, and all share alike: they rise as the
    sizes did, and the last value, which does not, misses twice as far
    (benchmarks/results/decision.json).
    """
    weights: dict[CurveForm, float] = dict.fromkeys(CURVE_FORMS, 0.0)
    allowed = {form: MISSES_BEYOND * one.sd for form, one in misses.items()}
    densities = {
        form: math.exp(-((one.miss / one.sd) ** 2) / 2) / one.sd
        for form, one in misses.items()
        if abs(one.miss) <= allowed[form]
    }
    if not densities:
        densities = {"last_value": 1.0}
    if len(misses) == 1:
        densities = dict.fromkeys(FITTED_FORMS, 1.0)
    total = sum(densities.values())
    weights.update({form: density / total for form, density in densities.items()})
    return weights, allowed


def _shares(weights: dict[CurveForm, float], n: int) -> dict[CurveForm, int]:
    """`n` draws divided by weight, the largest remainders rounded up."""
    exact = {form: weight * n for form, weight in weights.items()}
    counts = {form: math.floor(share) for form, share in exact.items()}
    by_remainder = sorted(exact, key=lambda form: counts[form] - exact[form])
    for form in by_remainder[: n - sum(counts.values())]:
        counts[form] += 1
    return counts


def _drift_sd(
    form: CurveForm,
    misses: dict[CurveForm, _Miss],
    weights: dict[CurveForm, float],
    sizes: Floats,
) -> float:
    """Standard deviation of what extrapolation is off by, for each unit of log size.

    The miss of the back-test, as far as chance does not explain it, over the step it was made on.
    The last value knows of no rise, so that the whole of its miss counts; where every form missed,
    the largest miss does.
    """
    if form not in misses:  # nothing says how far off it is
        return RISE_PER_DOUBLING / math.log(2)
    step = math.log(sizes[-1] / sizes[-2])
    if form != "last_value":
        return math.hypot(misses[form].excess, MISFIT) / step
    alone = weights["last_value"] == 1.0
    miss = max(abs(one.miss) for one in misses.values()) if alone else abs(misses[form].miss)
    return math.hypot(miss, MISFIT) / step


def _parameters(
    form: CurveForm, sizes: Floats, means: Floats, spreads: Floats
) -> tuple[float, ...]:
    if form == "last_value":
        return (float(1 - means[-1]),)
    fit = best_fit(form, sizes / sizes[-1], means, spreads)
    shape = (float(fit.exponents[0]), float(fit.offsets[0]))
    return scores_parameters(
        form, float(fit.asymptotes[0]), float(fit.scales[0]), shape, float(sizes[-1])
    )
