"""How far scores of equal trainings lie apart, at any size: what seeds and drawn rows do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import Kind
from zenml_ftvr.values.curve import ArmPilots

__all__ = ["USUAL_SPREAD", "USUAL_SPREAD_WEIGHT", "SeedSpread", "pooled_seed_spread"]

USUAL_SPREAD, USUAL_SPREAD_WEIGHT = 0.25, 2
"""A score's standard deviation over seeds times the root of the rows, weighing as much as two
repeated trainings until repetitions say otherwise: 2.5 points on 100 rows, half a point on 2,500.
Over the problems of benchmarks/results/replay*.jsonl the head has .22 and .29, word counts .30 and
.37."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """Standard deviation of a score over seeds; in proportion to one over the root of the rows.

    So falls what depends on a sample (Cramer 1946, Mathematical Methods of Statistics, 28.4), and
    so it was measured: the exponent that 102 arms and problems with repeated trainings on 25 to
    1,600 rows make likeliest is -.50, and 0 is ruled out (benchmarks/results/replay*.jsonl).
    """

    on_one_row: float
    """The standard deviation times the root of the rows."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.on_one_row) and self.on_one_row > 0):
            raise ConfigurationError(
                f"on_one_row is {self.on_one_row}; scores vary over seeds. Give "
                f"pooled_seed_spread(pilots)."
            )

    def at(self, n_train: float) -> float:
        """Standard deviation on `n_train` rows, in units of the score."""
        return self.on_one_row / math.sqrt(n_train)


def pooled_seed_spread(pilots: Sequence[ArmPilots]) -> SeedSpread:
    """The spread within the sizes of every arm, each brought to one size and then pooled.

    Starts from `USUAL_SPREAD`, so that no repetition at all, or two that agree by luck, do not make
    certainty.
    """
    groups: dict[tuple[Kind, int], list[float]] = {}
    for arm in pilots:
        for one in arm.scores:
            groups.setdefault((arm.kind, one.n_train), []).append(one.score)
    freedom = float(USUAL_SPREAD_WEIGHT)
    squares = USUAL_SPREAD_WEIGHT * USUAL_SPREAD**2
    for (_, n_train), scores in groups.items():
        mean = math.fsum(scores) / len(scores)
        squares += n_train * math.fsum((score - mean) ** 2 for score in scores)
        freedom += len(scores) - 1
    return SeedSpread(on_one_row=math.sqrt(squares / freedom))
