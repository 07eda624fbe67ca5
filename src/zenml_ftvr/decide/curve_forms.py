"""Forms of learning curves: equations, and the grids on which they are fitted.

Each form writes the error 1 - score as E + B phi(x), with the size x in units of the largest pilot:
for a given shape of phi, E and B follow in closed form (`curve_fit`), so that only the shape needs
a search. A curve that falls with more data has B < 0 and is not allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "FITTED_FORMS",
    "FittedForm",
    "Grid",
    "grid_of",
    "phi",
    "score_at",
    "scores_parameters",
]

FittedForm: TypeAlias = Literal["rectified_law", "pow3", "mmf4"]
FITTED_FORMS: tuple[FittedForm, ...] = ("rectified_law", "pow3", "mmf4")

LEAST_EXPONENT, MOST_EXPONENT = 0.05, 3.0
"""Published exponents of error and loss in the number of rows lie between .03 (LoRA on news
summaries: Zhang et al. 2024, arXiv 2402.17193, table 4) and about 1; beyond 3 a curve is a step."""
N_EXPONENTS = 28  # neighbours differ by a sixth, less than one pilot more would tell apart
LEAST_OFFSET, MOST_OFFSET = 0.02, 20.0
"""Of the largest pilot's x^beta = 1: below, the offset is not seen and the form is pow3; above, the
whole range lies before the power law sets in."""
N_OFFSETS = 10

USUAL_EXPONENT, EXPONENT_FACTOR = 0.5, 2.0
"""A weak pull on the exponent, log-normal, where pilots do not tell it: a judgement. The intervals
that it gives are measured in benchmarks/results/curves.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Shapes to try: exponents and offsets, [shapes] each."""

    exponents: Floats
    offsets: Floats


def grid_of(form: FittedForm) -> Grid:
    """Every shape of a form that is tried."""
    import numpy as np

    exponents = np.geomspace(LEAST_EXPONENT, MOST_EXPONENT, N_EXPONENTS)
    match form:
        case "pow3":
            return Grid(exponents=exponents, offsets=np.zeros(N_EXPONENTS))
        case "rectified_law" | "mmf4":
            offsets = np.geomspace(LEAST_OFFSET, MOST_OFFSET, N_OFFSETS)
            both = np.meshgrid(exponents, offsets, indexing="ij")
            return Grid(exponents=both[0].ravel(), offsets=both[1].ravel())
        case _:
            assert_never(form)


def phi(exponents: Floats, offsets: Floats, sizes: Floats) -> Floats:
    """1 / (offset + x^exponent), [shapes, sizes]; without an offset x^-exponent.

    One expression for all forms. Rectified law: L = B / (D_l + D^beta) + E (Lin et al. 2024, arXiv
    2402.02314). pow3: score = a - b x^-c, and mmf4: score = (a b + c x^d) / (b + x^d), which is
    c + (a - c) b / (b + x^d) (both: Mohr et al. 2022, LCDB). So mmf4 is the rectified law but for
    its bound: at no data its score is a, which must be a score, where the rectified law may
    approach pow3, whose score at no data is minus infinity.
    """
    return 1.0 / (offsets[:, None] + sizes[None, :] ** exponents[:, None])


def scores_parameters(
    form: FittedForm, asymptote: float, scale: float, shape: tuple[float, float], largest: float
) -> tuple[float, ...]:
    """The parameters of a fit in the letters of its source, with sizes in rows.

    pow3: (a, b, c). Rectified law, of the error: (B, D_l, beta, E). mmf4: (a, b, c, d).
    """
    exponent, offset = shape
    unit = largest**exponent
    match form:
        case "pow3":
            return (1 - asymptote, scale * unit, exponent)
        case "rectified_law":
            return (scale * unit, offset * unit, exponent, asymptote)
        case "mmf4":
            return (1 - asymptote - scale / offset, offset * unit, 1 - asymptote, exponent)
        case _:
            assert_never(form)


def score_at(form: FittedForm, parameters: tuple[float, ...], n_train: float) -> float:
    """The score that a form with parameters as in `scores_parameters` has at `n_train` rows."""
    match form:
        case "pow3":
            a, b, c = parameters
            return float(a - b * n_train**-c)
        case "rectified_law":
            scale, learnt, beta, asymptote = parameters
            return float(1 - asymptote - scale / (learnt + n_train**beta))
        case "mmf4":
            a, b, c, d = parameters
            return float((a * b + c * n_train**d) / (b + n_train**d))
        case _:
            assert_never(form)
