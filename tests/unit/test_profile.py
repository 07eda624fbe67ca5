"""The profile of rows made by hand: what is counted, what is measured, what is warned of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from zenml_ftvr.data import Dataset, Rows, check_rows, make_rows, row_id_of
from zenml_ftvr.profile import TokenizerView, profile_data
from zenml_ftvr.values import ClassCount, DataProfile, DataSource, Quantiles

Pairs = Sequence[tuple[str, str]]
MakeDataset = Callable[..., Dataset]
MakeTokenizer = Callable[..., TokenizerView]

TEN_LENGTHS = [("w" * length, "ab"[length % 2]) for length in range(1, 11)]


def _rows(pairs: Pairs) -> Rows:
    texts = [text for text, _ in pairs]
    return make_rows([row_id_of(text) for text in texts], texts, [label for _, label in pairs])


@pytest.fixture
def make() -> MakeDataset:
    def dataset(
        train: Pairs = TEN_LENGTHS,
        validation: Pairs = (("held", "a"),),
        test: Pairs = (("out", "b"),),
        n_duplicates: int = 0,
        n_conflicts: int = 0,
        n_dropped: int = 0,
    ) -> Dataset:
        return Dataset(
            source=DataSource(name="made by hand"),
            train=_rows(train),
            validation=_rows(validation),
            test=_rows(test),
            labels=tuple(sorted({label for _, label in [*train, *validation, *test]})),
            fingerprint="f" * 64,
            n_duplicates=n_duplicates,
            n_conflicts=n_conflicts,
            n_dropped=n_dropped,
        )

    return dataset


@pytest.fixture
def make_tokenizer() -> MakeTokenizer:
    """A piece for every two letters of a word; a question mark in a piece makes it unknown."""

    def pieces(word: str) -> list[int]:
        return [0 if "?" in word[at : at + 2] else 7 for at in range(0, len(word), 2)]

    def view(
        seen: list[list[str]] | None = None, unknown_id: int | None = 0, n_special: int = 2
    ) -> TokenizerView:
        def encode(texts: list[str]) -> list[list[int]]:
            if seen is not None:
                seen.append(texts)
            return [[piece for word in text.split() for piece in pieces(word)] for text in texts]

        return TokenizerView("pairs of letters", 50, encode, unknown_id, n_special)

    return view


def _said(profile: DataProfile, words: str) -> bool:
    return any(words in warning for warning in profile.warnings)


def test_rows_are_counted_by_split_and_class(make: MakeDataset) -> None:
    profile = profile_data(
        make(
            train=[("one", "a"), ("two", "b"), ("three", "a")],
            validation=[("four", "b")],
            test=[("five", "b"), ("six", "a"), ("seven", "b"), ("eight", "b")],
            n_duplicates=3,
            n_conflicts=2,
            n_dropped=1,
        ),
        None,
        128,
    )
    assert profile.classes == (
        ClassCount(label="a", train=2, validation=0, test=1),
        ClassCount(label="b", train=1, validation=1, test=3),
    )
    assert (profile.n_train, profile.n_validation, profile.n_test, profile.n_rows) == (3, 1, 4, 8)
    assert (profile.n_duplicates, profile.n_conflicts, profile.n_dropped) == (3, 2, 1)
    assert (profile.source, profile.fingerprint) == ("made by hand", "f" * 64)
    assert profile.majority_share == pytest.approx(2 / 3)


def test_lengths_are_those_of_the_training_texts(make: MakeDataset) -> None:
    profile = profile_data(make(test=[("a very long text of the test split", "a")]), None, 128)
    assert profile.characters == Quantiles(
        minimum=1,
        p50=5.5,
        p90=pytest.approx(9.1),
        p99=pytest.approx(9.91),
        maximum=10,
        mean=5.5,
    )


def test_words_are_what_white_space_separates(make: MakeDataset) -> None:
    texts = ["one", "one two,three", "a\tb\nc  d"]
    words = profile_data(make(train=[(text, "a") for text in texts]), None, 128).words
    assert (words.minimum, words.p50, words.maximum) == (1, 2, 4)
    assert words.mean == pytest.approx(7 / 3)


def test_without_a_tokenizer_there_are_no_tokens(make: MakeDataset) -> None:
    assert profile_data(make(), None, 128).tokens is None


def test_tokens_are_counted_with_the_special_ones(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    tokens = profile_data(make(), make_tokenizer(), 128).tokens
    assert tokens is not None
    # Words of 1 to 10 letters: 1, 1, 2, 2, 3, 3, 4, 4, 5, 5 pieces, and 2 special tokens each.
    assert (tokens.tokens.minimum, tokens.tokens.p50, tokens.tokens.maximum) == (3, 5, 7)
    assert tokens.tokens.mean == pytest.approx(5)
    assert tokens.total_train_tokens == 50
    assert (tokens.tokenizer, tokens.vocabulary_size) == ("pairs of letters", 50)
    assert tokens.max_length == 128


def test_pieces_a_word_leave_the_special_tokens_out(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    train = [("ab abcd", "a"), ("abcdef", "b")]  # 1 + 2 and 3 pieces of 3 words
    tokens = profile_data(make(train=train), make_tokenizer(), 128).tokens
    assert tokens is not None
    assert tokens.pieces_per_word == pytest.approx(2)


def test_unknown_pieces_are_shared_among_all_pieces(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    train = [("ab?d", "a"), ("abcdef", "b")]  # one unknown of five
    for unknown_id, share in ((0, 0.2), (None, 0.0)):
        tokens = profile_data(make(train=train), make_tokenizer(unknown_id=unknown_id), 128).tokens
        assert tokens is not None
        assert tokens.unknown_share == pytest.approx(share)


def test_tokens_beyond_the_maximal_length_are_cut_off(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    # Lengths 3, 3, 4, 4, 5, 5, 6, 6, 7, 7: beyond 5 there are 1 + 1 + 2 + 2 of 50.
    tokens = profile_data(make(), make_tokenizer(), 5).tokens
    assert tokens is not None
    assert tokens.truncated_share == pytest.approx(6 / 50)
    uncut = profile_data(make(), make_tokenizer(), 7).tokens
    whole = profile_data(make(), make_tokenizer(), None).tokens
    assert whole is not None
    assert (whole.truncated_share, whole.max_length) == (0, None)
    assert uncut is not None
    assert uncut.truncated_share == 0


def test_only_training_texts_are_tokenised(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    seen: list[list[str]] = []
    profile_data(make(), make_tokenizer(seen), 128)
    assert seen == [[text for text, _ in TEN_LENGTHS]]


def test_texts_are_tokenised_in_batches_and_all_counted(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    seen: list[list[str]] = []
    train = [(f"word{number:05}", "a") for number in range(2_500)]  # 5 pieces each
    tokens = profile_data(make(train=train), make_tokenizer(seen), 128).tokens
    assert [len(batch) for batch in seen] == [1_000, 1_000, 500]
    assert tokens is not None
    assert tokens.total_train_tokens == 2_500 * 7


def test_of_very_many_texts_a_sample_stands_for_all(
    make: MakeDataset, make_tokenizer: MakeTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.profile.SAMPLED_TEXTS", 10)
    train = [(f"word{number:02}", "a") for number in range(40)]  # 3 pieces each
    first: list[list[str]] = []
    tokens = profile_data(make(train=train), make_tokenizer(first), 4).tokens
    assert tokens is not None
    assert tokens.total_train_tokens == 40 * 5
    assert tokens.pieces_per_word == pytest.approx(3)
    assert tokens.truncated_share == pytest.approx(1 / 5)
    assert len(set(first[0])) == len(first[0]) == 10
    assert set(first[0]) <= {text for text, _ in train}
    assert first[0] != [text for text, _ in train[:10]]
    again: list[list[str]] = []
    profile_data(make(train=train), make_tokenizer(again), 4)
    assert again == first


def test_texts_of_which_the_tokenizer_makes_nothing_are_profiled(make: MakeDataset) -> None:
    nothing = TokenizerView("mute", 1, lambda texts: [[] for _ in texts], 0, 0)
    tokens = profile_data(make(), nothing, 128).tokens
    assert tokens is not None
    assert (tokens.total_train_tokens, tokens.pieces_per_word) == (0, 0)
    assert (tokens.unknown_share, tokens.truncated_share) == (0, 0)


# --- warnings

MANY_TESTED = [(f"test {number}", "ab"[number % 2]) for number in range(100)]


def test_good_data_warn_of_nothing(make: MakeDataset, make_tokenizer: MakeTokenizer) -> None:
    assert profile_data(make(test=MANY_TESTED), make_tokenizer(), 128).warnings == ()


def test_many_duplicates_are_warned_of(make: MakeDataset) -> None:
    rows = {"test": MANY_TESTED, "validation": [(f"held {n}", "a") for n in range(90)]}
    few = profile_data(make(**rows, n_duplicates=10), None, 128)  # a twentieth of 200
    many = profile_data(make(**rows, n_duplicates=11), None, 128)
    assert few.warnings == ()
    assert len(many.warnings) == 1
    assert _said(many, "11 of 200 rows repeat the text of another")


@pytest.mark.parametrize(
    ("n_conflicts", "said"), [(1, "1 text occurs under"), (1_200, "1,200 texts occur under")]
)
def test_any_conflict_is_warned_of(make: MakeDataset, n_conflicts: int, said: str) -> None:
    profile = profile_data(make(test=MANY_TESTED, n_conflicts=n_conflicts), None, 128)
    assert len(profile.warnings) == 1
    assert _said(profile, f"{said} more than one label")


def test_dropped_rows_are_warned_of(make: MakeDataset) -> None:
    profile = profile_data(make(test=MANY_TESTED, n_dropped=4), None, 128)
    assert profile.warnings == ("4 rows of too rare classes were left out.",)


@pytest.mark.parametrize(("n_majority", "warned"), [(80, False), (81, True)])
def test_a_large_majority_asks_for_macro_f1(
    make: MakeDataset, n_majority: int, warned: bool
) -> None:
    train = [(f"text {number}", "ab"[number >= n_majority]) for number in range(100)]
    profile = profile_data(make(train=train, test=MANY_TESTED), None, 128)
    assert _said(profile, "81% of the training rows are of one class: judge by macro-F1") == warned
    assert len(profile.warnings) == warned


def test_the_majority_is_that_of_the_training_rows(make: MakeDataset) -> None:
    test = [(f"test {number}", "a") for number in range(100)]
    assert profile_data(make(test=test), None, 128).warnings == ()


@pytest.mark.parametrize(("max_length", "warned"), [(6, False), (5, True)])
def test_much_truncation_is_warned_of(
    make: MakeDataset, make_tokenizer: MakeTokenizer, max_length: int, warned: bool
) -> None:
    # 2 of 50 tokens are beyond 6, 6 of 50 beyond 5.
    profile = profile_data(make(test=MANY_TESTED), make_tokenizer(), max_length)
    assert _said(profile, "12% of the tokens are cut off at 5: raise task.max_length") == warned
    assert len(profile.warnings) == warned


@pytest.mark.parametrize(("n_test", "warned"), [(100, False), (99, True)])
def test_few_test_rows_are_warned_of(make: MakeDataset, n_test: int, warned: bool) -> None:
    profile = profile_data(make(test=MANY_TESTED[:n_test]), None, 128)
    assert _said(profile, "Only 99 test rows") == warned
    assert len(profile.warnings) == warned


def test_all_that_is_amiss_is_said_at_once(
    make: MakeDataset, make_tokenizer: MakeTokenizer
) -> None:
    train = [(text, "a") for text, _ in TEN_LENGTHS]
    dataset = make(train=train, n_duplicates=5, n_conflicts=1, n_dropped=1)
    assert len(profile_data(dataset, make_tokenizer(), 4).warnings) == 6


# --- checks

LONG = "the quick brown fox jumps over the lazy dog and runs away into the dark green wood by night"
ALIKE = LONG.replace("night", "day")
MANY_LONG = [(f"test {number:->35}", "ab"[number % 2]) for number in range(100)]


def test_the_checks_are_part_of_the_profile(make: MakeDataset) -> None:
    dataset = make(test=[*MANY_TESTED, ("w", "a")])
    profile = profile_data(dataset, None, 128)
    assert profile.checks == check_rows(dataset)
    assert profile.checks is not None
    assert profile.checks.n_leaked_test == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            {"test": [*MANY_LONG, ("W", "a")]},
            ["Test rows with the text of a training or validation row: 1; the test scores are to"],
        ),
        (
            {"validation": [("ww", "a"), ("WW", "b"), ("x", "b")]},
            ["Validation rows with the text of a training row: 2; what is chosen by them favours"],
        ),
        (
            {"train": [(LONG, "a"), (ALIKE, "b"), ("w", "b")]},
            ["Texts nearly the same as another, among 104 distinct texts: 2; they say little tha"],
        ),
        (
            {"train": [(LONG, "a"), ("w", "b")], "test": [(ALIKE, "a"), *MANY_LONG]},
            [
                "Texts nearly the same as another, among 104 distinct texts: 2; they",
                "Test texts nearly a training or validation text, among 104 distinct texts: 1; the "
                "test scores may be too good. Keep such rows together with data.group_column.",
            ],
        ),
        (
            {"train": [(LONG, "a"), ("w", "b")], "validation": [(ALIKE, "a")]},
            [
                "Texts nearly the same as another, among 103 distinct texts: 2; they",
                "Validation texts nearly a training text, among 103 distinct texts: 1; what is",
            ],
        ),
        (
            {"train": [*TEN_LENGTHS, ("x" * 401, "a")]},
            ["Rows longer than 400 characters, many times what 99 in 100 stay below: 1; see"],
        ),
        (
            {"train": [*TEN_LENGTHS, ("caf\u00c3\u00a9", "a")]},
            ["Rows with what a wrong encoding leaves, such as '\u00c3\u00a9' for '\u00e9': 1; se"],
        ),
    ],
    ids=["test", "validation", "alike", "alike in test", "alike in validation", "long", "bytes"],
)
def test_whatever_is_found_is_warned_of(
    make: MakeDataset, rows: dict[str, Pairs], said: list[str]
) -> None:
    profile = profile_data(make(**({"test": MANY_LONG} | rows)), None, 128)
    assert len(profile.warnings) == len(said)
    for warning, start in zip(profile.warnings, said, strict=True):
        assert warning.startswith(start)


def test_a_sample_is_called_one(make: MakeDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenml_ftvr.data.checks.MOST_COMPARED", 50)
    test = [(f"{LONG} {number}", "a") for number in range(200)]
    profile = profile_data(make(test=test), None, 128)
    assert _said(profile, "nearly the same as another, among a sample of 50 distinct texts: ")


def test_repeated_texts_are_in_one_split_only_where_they_are(make: MakeDataset) -> None:
    repeated = "repeat the text of another"
    apart = profile_data(make(test=[("w", "a")] * 100, n_duplicates=100), None, 128)
    assert _said(apart, f"100 of 111 rows {repeated}.")
    together = profile_data(make(test=[("z", "a")] * 100, n_duplicates=99), None, 128)
    assert _said(together, f"99 of 111 rows {repeated}; all rows of one text are in one split.")
