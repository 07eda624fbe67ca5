"""How good a trained model is on rows that nothing was fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.budget import Ledger
from zenml_ftvr.values.decision import PairedDifference, Score
from zenml_ftvr.values.reliability import ProbabilityCheck
from zenml_ftvr.values.serving import ParetoPoint, ServingCost
from zenml_ftvr.values.significance import SIGNIFICANT, ModelTest
from zenml_ftvr.values.task import Metric

__all__ = [
    "Evaluation",
    "Forgetting",
    "ForgettingMeasure",
    "Generation",
    "GenerationSample",
    "LabelDoubt",
    "LabelScore",
    "MetricNote",
    "Mistake",
    "ModelEvaluation",
    "NumberErrors",
    "NumberSample",
    "SliceScore",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """One class, label, tag or type of span on the test rows."""

    label: str
    precision: float
    recall: float
    f1: float
    n_rows: int
    """Test rows that truly have it; of a tag, words; of a type of span, spans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceScore:
    """The test rows with one value of a column, or of a range of lengths."""

    column: str
    """The user's name of it, or `length`."""
    value: str
    """What these rows have there, such as `premium` or `41 to 96 characters`."""
    score: Score
    """Of these rows, by the metric that was decided by."""
    rest: float
    """The same metric of all other test rows."""
    p_value: float
    """Two-sided, of the difference between the two: rows were drawn again on both sides."""
    p_corrected: float
    """Holm's correction for `n_comparisons`."""
    n_comparisons: int
    """Slices of this model that were tested together."""
    is_worse: bool
    """Whether these rows are answered significantly worse than the others."""

    @property
    def n_rows(self) -> int:
        return self.score.n_rows

    @property
    def is_significant(self) -> bool:
        return self.p_corrected < SIGNIFICANT


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDoubt:
    """A row whose label is likely wrong: the model is surely of another mind.

    Holds a text of the user's: it is shown in the user's own store and report, and never sent to a
    tracking server.
    """

    row_id: str
    split: Literal["validation", "test"]
    """Training rows are not among them: a model has learnt their labels, wrong ones too."""
    text: str
    """The beginning of the row's input; empty for images."""
    given: str
    """The label that the row has."""
    suggested: str
    probability_given: float
    probability_suggested: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSample:
    """What was written for one test row, beside what was wanted; texts of the user's."""

    given: str
    wanted: str
    written: str
    scores: tuple[tuple[Metric, float], ...]
    """Of this row alone, so that a reader sees what each metric makes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricNote:
    """What one metric of written text sees, and what it misses."""

    metric: Metric
    sees: str
    misses: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Written texts, judged in several ways that disagree for known reasons."""

    scores: tuple[Score, ...]
    """BLEU, chrF, ROUGE-L and exact match side by side, on `n_rows` rows."""
    notes: tuple[MetricNote, ...]
    """One a metric, in the same order."""
    samples: tuple[GenerationSample, ...]
    """From the worst to the best by chrF, evenly spaced."""
    n_rows: int
    """Rows that were written: all test rows, or the first so many of a language model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A test row whose labels or spans were missed; holds a text of the user's, as `LabelDoubt`."""

    row_id: str
    text: str
    """The beginning of the row's input."""
    truth: tuple[str, ...]
    """Its labels; of tags its spans with their words, or each word with its tag."""
    answered: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSample:
    """A test row whose number was missed by far; holds a text of the user's, as `LabelDoubt`."""

    row_id: str
    text: str
    """The beginning of the row's input."""
    truth: float
    answered: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberErrors:
    """How far a model's numbers are off on the test rows, in the unit of the numbers."""

    bias: float
    """Mean of the answer less the truth: above 0, answers are too high on average."""
    median: float
    """Of the distance between answer and truth, as the two below."""
    p90: float
    largest: float
    rmse_of_mean: float
    """Of always answering with the mean of the training rows' numbers."""
    pairs: tuple[tuple[float, float], ...]
    """Truth and answer of test rows, at most some hundreds, evenly spaced by their truth."""
    worst: tuple[NumberSample, ...]
    """The rows that were missed by most, worst first."""


ForgettingMeasure = Literal["masked loss", "causal loss", "neighbour agreement"]
"""`masked loss`, `causal loss`: nats a token on general text, by the base's own head.
`neighbour agreement`: share of each text's nearest texts that are still its nearest, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """What the base model could do before, and what is left of it."""

    measure: ForgettingMeasure
    text: str
    """What the general text is, in words."""
    n_texts: int
    before: float
    """Of the base model; its agreement with itself is 1."""
    after: float
    """Of the trained model, by the same text, masks and head."""
    low: float
    """95 % interval of `after` minus `before`, by the bootstrap over texts."""
    high: float
    n_neighbours: int | None = None
    """Of `neighbour agreement`: how many nearest texts are compared."""
    by_chance: float | None = None
    """Of `neighbour agreement`: what unrelated features would share."""

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvaluation:
    """One model on the test split."""

    kind: Kind
    scores: tuple[Score, ...]
    labels: tuple[LabelScore, ...]
    """Classes; labels of sets; tags; none of tasks without them, and of label sets and tags none in
    evaluations from before they were counted."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true label; columns: predicted label; in the order of `labels`. Counts rows, of tags
    words; a word that was given no tag is in no column. None of label sets."""
    seconds: float
    rows_per_second: float
    probabilities: ProbabilityCheck | None = None
    """None unless a row has one of several classes, and in evaluations from before it was made."""
    slices: tuple[SliceScore, ...] = ()
    """By length and by the user's columns; significantly worse ones first, then as they came."""
    label_doubts: tuple[LabelDoubt, ...] = ()
    """Surest first; none of tasks without classes."""
    serving: tuple[ServingCost, ...] = ()
    """As trained, and of LoRA also merged; none where it was not asked for."""
    forgetting: Forgetting | None = None
    """None where no pretrained weight was changed, and where it was not asked for."""
    generation: Generation | None = None
    """None of tasks that write no text."""
    spans: tuple[LabelScore, ...] = ()
    """Types of spans of words, of tags that mark where one begins (B-, I-): right where type,
    beginning and end are."""
    mistakes: tuple[Mistake, ...] = ()
    """Of label sets and tags: the rows with the most of them, worst first."""
    numbers: NumberErrors | None = None
    """None of tasks whose answer is no number."""
    notes: tuple[str, ...] = ()
    """What could not be measured and why, each a sentence."""

    def score(self, metric: Metric) -> Score:
        return next(score for score in self.scores if score.metric == metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The chosen model, the baseline and any companion, on the same test rows."""

    choice: Kind
    models: tuple[ModelEvaluation, ...]
    """The chosen model first."""
    differences: tuple[PairedDifference, ...]
    """Each model minus the baseline, for every metric."""
    majority_accuracy: float | None
    """Of always answering with the training split's most frequent class; None without classes."""
    n_test: int
    ledger: Ledger
    """Everything from calibration to this evaluation, predicted beside actual."""
    metric: Metric | None = None
    """What was decided by; None in evaluations from before it was kept."""
    tests: tuple[ModelTest, ...] = ()
    """Every two models by `metric`, and by accuracy where a row has one of several classes."""
    pareto: tuple[ParetoPoint, ...] = ()
    """Every form of every model whose cost of use was measured, best quality first."""
    grouped_by: str | None = None
    """The column whose values were drawn again as a whole; None where rows were, or equal texts."""
    n_groups: int | None = None
    """Groups that were drawn from, equal texts being one; None in older evaluations."""

    def model(self, kind: Kind) -> ModelEvaluation:
        return next(one for one in self.models if one.kind == kind)
