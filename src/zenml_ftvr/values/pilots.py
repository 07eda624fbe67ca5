"""Small real trainings: what was run, what it scored, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from zenml_ftvr.errors import DataError
from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.curve import ArmPilots, PilotScore
from zenml_ftvr.values.task import Metric

__all__ = ["PilotEvidence", "PilotRun", "PilotStatus"]

PilotStatus: TypeAlias = Literal["scored", "collapsed", "diverged", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotRun:
    """One small training of one arm. Its seconds count, whatever became of it."""

    kind: Kind
    n_train: int
    seed: int
    status: PilotStatus
    score: float | None
    """On the rows that every pilot is judged on, in 0..1, higher is better; None where the training
    did not come to one that counts."""
    seconds: float
    learning_rate: float | None = None
    """None where the arm has none."""
    detail: str | None = None
    """Why it has no score."""

    def __post_init__(self) -> None:
        if (self.score is None) == (self.status == "scored"):
            raise DataError(
                f"a pilot of '{self.kind}' on {self.n_train} rows is {self.status} with score "
                f"{self.score}; scored pilots have a score, and the others have none."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotEvidence:
    """All pilots of one request, and what they were allowed to take."""

    metric: Metric
    runs: tuple[PilotRun, ...]
    n_select: int
    """Rows that every pilot is judged on."""
    seconds: float
    seconds_allowed: float
    skipped: tuple[tuple[Kind, str], ...] = ()
    """Arms without pilots, each with the reason."""
    stopped: str | None = None
    """Why no more pilots were run than these, in a sentence; None where all of them were."""

    def pilots_of(self, kind: Kind) -> ArmPilots | None:
        """The arm's scored pilots at one learning rate: that with the best mean at the smallest
        size where several were tried."""
        scored = [one for one in self.runs if one.kind == kind and one.score is not None]
        if not scored:
            return None
        rate = self.learning_rate_of(kind)
        return ArmPilots(
            kind=kind,
            scores=tuple(
                PilotScore(n_train=one.n_train, seed=one.seed, score=one.score)
                for one in scored
                if one.learning_rate == rate and one.score is not None
            ),
        )

    def learning_rate_of(self, kind: Kind) -> float | None:
        """That with the best mean at the smallest size; None where the arm has none, or no scored
        pilot."""
        scored = [one for one in self.runs if one.kind == kind and one.score is not None]
        if not scored:
            return None
        smallest = min(one.n_train for one in scored)
        at_smallest: dict[float | None, list[float]] = {}
        for one in scored:
            if one.n_train == smallest and one.score is not None:
                at_smallest.setdefault(one.learning_rate, []).append(one.score)
        return max(at_smallest, key=lambda rate: sum(at_smallest[rate]) / len(at_smallest[rate]))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The arms with a scored pilot, in the order in which they were first run."""
        return tuple(dict.fromkeys(one.kind for one in self.runs if one.status == "scored"))
