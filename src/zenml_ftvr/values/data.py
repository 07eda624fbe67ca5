"""Where rows come from, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.alphabet import Alphabet
from zenml_ftvr.values.written import UserWritten, name_or_guess

__all__ = [
    "ClassCount",
    "DataChecks",
    "DataProfile",
    "DataSource",
    "Fatal",
    "Quantiles",
    "TokenProfile",
]

Fatal = Literal["leakage", "near_leakage", "conflicts", "near_duplicates", "encoding"]
"""What is found in rows and may end their loading."""
SPLIT_COLUMNS = ("split_column", "group_column", "time_column")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource(UserWritten):
    """Which rows to read, and how to split them.

    `name` is a built-in corpus (`docstrings`, `docstrings-cipher`); a local path or a URI of a CSV,
    TSV, JSONL or Parquet file, all but Parquet also compressed (.gz, .bz2, .xz, .zst), of several
    by a pattern (`data/*.csv`), or of a folder of Parquet files; a `.conll` file of words and tags;
    a `.txt` file for a language model; a folder of images with a folder a class, perhaps in
    folders train, validation and test; or the id of a data set on the Hugging Face Hub.

    Rows are split by a hash of their input unless one of `split_column`, `group_column`,
    `time_column` or (`validation_file`, `test_file`) says otherwise, or the images' folders do.
    Text files are split by position: a file's beginning trains, its end is the test; of ten files
    or more each is in one split as a whole. Images are told apart by their bytes: a copy that was
    encoded again may be on another side.
    """

    name: str
    text_column: str = "text"
    """With each row's input, whatever the task: its text, prompt, words, messages, or image."""
    label_column: str = "label"
    """With each row's target: its label, labels, number, tags, completion, or wanted text. Text and
    conversations that a language model learns need none."""
    label_separator: str | None = None
    """What stands between a row's labels where they are one text, such as `|`; task
    `text-classification` with target `multi` only. JSON arrays and lists need none."""
    encoding: str = "utf-8"
    """Of CSV, TSV and JSONL files."""
    revision: str | None = None
    """Commit, tag or branch; Hub data sets only."""
    subset: str | None = None
    """The configuration's name; Hub data sets only."""
    hub_split: str = "train"
    """Which published split to read; Hub data sets only. We make our own splits of it."""
    validation_fraction: float = 0.15
    test_fraction: float = 0.15
    rare_labels: Literal["error", "drop"] = "error"
    """What to do with a class too rare to be in every split: `drop` leaves out its rows, or of sets
    of labels, that label alone."""
    split_column: str | None = None
    """A column with each row's split: train, validation (val, valid, dev, eval) or test."""
    validation_file: str | None = None
    """A file with the validation rows, with the same columns; then none come from `name`."""
    test_file: str | None = None
    """A file with the test rows, with the same columns; then none come from `name`."""
    group_column: str | None = None
    """A column whose hash splits the rows in place of the text's: one customer, one split."""
    time_column: str | None = None
    """A column of ISO dates or numbers: the newest rows are test, the next validation."""
    fatal: tuple[Fatal, ...] = ("leakage",)
    """What ends loading with an error; all else that is found is a warning of the profile.
    `leakage`: test rows with the text of a training or validation row."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigurationError(
                "DataSource.name is empty. Give a file, a Hub id, or 'docstrings'."
            )
        if self.text_column == self.label_column:
            raise ConfigurationError(
                f"DataSource.text_column and label_column are both '{self.text_column}'. Name the "
                f"column with the labels."
            )
        if self.label_separator is not None and not self.label_separator:
            raise ConfigurationError(
                "DataSource.label_separator is empty. Give what stands between labels, or leave it "
                "out."
            )
        self._check_splits()
        known = list(get_args(Fatal))
        for fatal in self.fatal:
            if fatal not in known:
                raise ConfigurationError(
                    f"DataSource.fatal holds '{fatal}'.{name_or_guess(str(fatal), known)}"
                )
        for field in ("validation_fraction", "test_fraction"):
            value = getattr(self, field)
            if not 0.01 <= value <= 0.5:
                raise ConfigurationError(
                    f"DataSource.{field} is {value}; it must lie between 0.01 and 0.5."
                )
        if self.validation_fraction + self.test_fraction > 0.8:
            raise ConfigurationError(
                f"DataSource.validation_fraction + test_fraction is "
                f"{self.validation_fraction + self.test_fraction:.2f}; at most 0.8, or too little "
                f"is left to train on."
            )

    def _check_splits(self) -> None:
        files = [name for name in ("validation_file", "test_file") if getattr(self, name)]
        columns = [name for name in SPLIT_COLUMNS if getattr(self, name)]
        for field in ("validation_file", "test_file", *SPLIT_COLUMNS):
            if getattr(self, field) is not None and not getattr(self, field).strip():
                raise ConfigurationError(f"DataSource.{field} is empty. Name one, or leave it out.")
        if len(columns) > 1 or (columns and files):
            raise ConfigurationError(
                f"DataSource.{' and '.join(columns + files)} exclude one another: each says how "
                f"rows are split. Keep one of them (validation_file and test_file go together)."
            )
        taken = {self.text_column: "text_column", self.label_column: "label_column"}
        for field in columns:
            if (other := taken.get(getattr(self, field))) is not None:
                raise ConfigurationError(
                    f"DataSource.{field} and {other} are both '{getattr(self, field)}'. Name the "
                    f"column that says how rows are split."
                )
        read = {self.name: "name"}
        for field in files:
            if (other := read.setdefault(getattr(self, field), field)) != field:
                raise ConfigurationError(
                    f"DataSource.{field} and {other} are both '{getattr(self, field)}': rows that "
                    f"are learnt from cannot judge what was learnt. Give two files."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """How many rows of one class each split has."""

    label: str
    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        return self.train + self.validation + self.test


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """A distribution in six numbers."""

    minimum: float
    p50: float
    p90: float
    p99: float
    maximum: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProfile:
    """What the base model's tokenizer makes of the training texts."""

    tokenizer: str
    vocabulary_size: int
    tokens: Quantiles
    """Tokens a text, special tokens included, before truncation."""
    total_train_tokens: int
    pieces_per_word: float
    """Mean pieces that one whitespace-separated word becomes, special tokens excluded."""
    unknown_share: float
    """Share of pieces that are the unknown token, 0 to 1."""
    truncated_share: float
    """Share of all tokens cut off at `max_length`, 0 to 1."""
    max_length: int | None
    """None where no text is cut: a language model's long ones fill several training rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChecks:
    """How often what should not be was found in the rows.

    Two texts are nearly the same where at least 0.8 of the runs of three words of either are in
    both (Jaccard), and they are not the same.
    """

    n_leaked_test: int
    """Test rows whose normalised text is that of a training or validation row."""
    n_leaked_validation: int
    """Validation rows whose normalised text is that of a training row."""
    n_distinct: int
    """Distinct normalised texts."""
    n_compared: int
    """Distinct texts that were compared with one another: all of them, or a sample of very many."""
    n_near_duplicates: int
    """Texts, of those compared, that are nearly the same as another."""
    n_near_leaked_test: int
    """Test texts, of those compared, that are nearly a training or validation text."""
    n_near_leaked_validation: int
    """Validation texts, of those compared, that are nearly a training text."""
    n_far_longer: int
    """Rows of more characters than `far_longer_than`."""
    far_longer_than: int
    """Characters; a multiple of what 99 in 100 rows do not exceed."""
    n_misencoded: int
    """Rows with what a wrong encoding leaves behind."""
    unseen_tags: tuple[str, ...] = ()
    """Tags of words in the test split that no word of the training split has, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProfile:
    """What a data set is like, before anything is trained on it."""

    source: str
    fingerprint: str
    """sha256 over the rows of every split and their ids, 64 hex digits."""
    n_rows: int
    n_train: int
    n_validation: int
    n_test: int
    classes: tuple[ClassCount, ...]
    n_duplicates: int
    """Rows beyond the first of those with equal normalised text; a hash keeps them on one side."""
    n_conflicts: int
    """Distinct normalised texts that occur under more than one label."""
    n_dropped: int
    """Rows left out because their class was too rare, or of sets of labels, rows that lost a label
    for that reason (only when the user asked for it)."""
    characters: Quantiles
    words: Quantiles
    tokens: TokenProfile | None
    """None when no base model was given."""
    warnings: tuple[str, ...] = ()
    """What a user should know and nothing forbids, each a full sentence."""
    checks: DataChecks | None = None
    """None in profiles from before there were checks."""

    numbers: Quantiles | None = None
    """Of the training rows' numbers, where a number is to be predicted."""
    alphabet: Alphabet | None = None
    """Of the training texts; None for images, and in profiles from before it was measured."""
    widths: Quantiles | None = None
    """Pixels, of the training images; None for text."""
    heights: Quantiles | None = None

    @property
    def has_classes(self) -> bool:
        """Whether every training row is of exactly one class."""
        return bool(self.classes) and sum(one.train for one in self.classes) == self.n_train

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def majority_share(self) -> float:
        """Share of the most frequent class among the training rows, 0 to 1; 0 without classes."""
        return max((count.train for count in self.classes), default=0) / self.n_train
