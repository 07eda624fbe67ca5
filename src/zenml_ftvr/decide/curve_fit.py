"""Many fits of one form at once: weighted, robust, and never falling with more data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zenml_ftvr.decide.curve_forms import (
    EXPONENT_FACTOR,
    USUAL_EXPONENT,
    FittedForm,
    Grid,
    grid_of,
    phi,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["Fits", "best_fit", "fit_many"]

HUBER = 1.345  # Huber 1964: 95 % as efficient as least squares where errors are normal
REWEIGHTINGS = 2  # the weights move by under a tenth after two rounds on noisy curves of five sizes
ZOOMS, ZOOM_POINTS = 4, 9  # each zoom narrows the grid's step fourfold: below 0.1 % after four


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fits:
    """Fits of error = E + B phi(x), an element each; x in units of the largest pilot."""

    asymptotes: Floats
    scales: Floats
    exponents: Floats
    offsets: Floats

    def errors_at(self, sizes: Floats) -> Floats:
        """Errors [fits, sizes]; `sizes` in units of the largest pilot."""
        curves = phi(self.exponents, self.offsets, sizes)
        return self.asymptotes[:, None] + self.scales[:, None] * curves


def fit_many(
    form: FittedForm, sizes: Floats, errors: Floats, spreads: Floats, centres: Floats
) -> Fits:
    """Fit each row of `errors` [fits, sizes]; `spreads` [sizes] are their standard deviations.

    Every shape of the form's grid is tried on every row, so no start is left to chance. `centres`
    [fits] are where each row's log exponent is weakly pulled to. Weights are Huber's (1964).
    """
    return _fit(form, grid_of(form), sizes, errors, spreads, centres)


def best_fit(form: FittedForm, sizes: Floats, errors: Floats, spreads: Floats) -> Fits:
    """The one fit of `errors` [sizes], its shape refined beyond the grid's."""
    import numpy as np

    centre = np.array([math.log(USUAL_EXPONENT)])
    grid = grid_of(form)
    fit = _fit(form, grid, sizes, errors[None, :], spreads, centre)
    steps = [_step(grid.exponents), _step(grid.offsets)]
    for _ in range(ZOOMS):
        around = np.linspace(-1, 1, ZOOM_POINTS)
        both = np.meshgrid(
            fit.exponents[0] * steps[0] ** around, fit.offsets[0] * steps[1] ** around
        )
        narrower = Grid(exponents=both[0].ravel(), offsets=both[1].ravel())
        fit = _fit(form, narrower, sizes, errors[None, :], spreads, centre)
        steps = [step ** (2 / (ZOOM_POINTS - 1)) for step in steps]
    return fit


def _step(values: Floats) -> float:
    """Ratio of neighbours on a geometric grid; 1 for a grid of one value."""
    import numpy as np

    distinct = np.unique(values)
    return float(distinct[1] / distinct[0]) if len(distinct) > 1 else 1.0


def _fit(
    form: FittedForm, grid: Grid, sizes: Floats, errors: Floats, spreads: Floats, centres: Floats
) -> Fits:
    import numpy as np

    curves = phi(grid.exponents, grid.offsets, sizes)
    pulls = (np.log(grid.exponents)[None, :] - centres[:, None]) / math.log(EXPONENT_FACTOR)
    weights = np.broadcast_to(spreads**-2, errors.shape)
    fits = _solve(form, grid, curves, errors, weights, pulls**2)
    for _ in range(REWEIGHTINGS):
        residuals = np.abs(errors - fits.errors_at(sizes)) / spreads
        trust = np.minimum(1.0, HUBER / np.maximum(residuals, 1e-12))
        fits = _solve(form, grid, curves, errors, trust * spreads**-2, pulls**2)
    return fits


def _solve(
    form: FittedForm, grid: Grid, curves: Floats, errors: Floats, weights: Floats, penalties: Floats
) -> Fits:
    """Of all shapes, each with the E and B that suit it best, the best for each row.

    Weighted least squares in closed form for every row and shape, with 0 <= E <= 1 and B >= 0; for
    mmf4 the error at no data, E + B / offset, is at most 1. Where a bound binds, the other
    parameter is solved again.
    """
    import numpy as np

    total = weights.sum(axis=1)[:, None]
    of_curve, of_curve2 = weights @ curves.T, weights @ (curves**2).T
    of_error = (weights * errors).sum(axis=1)[:, None]
    of_both = (weights * errors) @ curves.T
    determinant = np.maximum(total * of_curve2 - of_curve**2, 1e-12 * total * of_curve2)
    scale = np.maximum((total * of_both - of_curve * of_error) / determinant, 0.0)
    asymptote = (of_error - scale * of_curve) / total
    scale = np.where(asymptote < 0, np.maximum(of_both / of_curve2, 0.0), scale)
    asymptote = np.clip(asymptote, 0.0, 1.0)
    if form == "mmf4":
        # On the bound B = offset (1 - E), so that E alone is left: its factor is 1 - offset phi.
        offset = grid.offsets[None, :]
        at_least = total - 2 * offset * of_curve + offset**2 * of_curve2
        moment = of_error - offset * (of_curve + of_both) + offset**2 * of_curve2
        bound = np.clip(moment / np.maximum(at_least, 1e-12 * total), 0.0, 1.0)
        outside = asymptote + scale / offset > 1
        asymptote = np.where(outside, bound, asymptote)
        scale = np.where(outside, offset * (1 - bound), scale)
    loss = (
        asymptote**2 * total
        + scale**2 * of_curve2
        + 2 * (asymptote * scale * of_curve - asymptote * of_error - scale * of_both)
        + penalties
    )
    best = loss.argmin(axis=1)
    rows = np.arange(len(errors))
    return Fits(
        asymptotes=asymptote[rows, best],
        scales=scale[rows, best],
        exponents=grid.exponents[best],
        offsets=grid.offsets[best],
    )
