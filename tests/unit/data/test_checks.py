"""What is amiss with rows is counted; what the source calls fatal ends their loading."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hand_made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from zenml_ftvr.data import (
    Dataset,
    check_rows,
    dataset_from,
    load_dataset,
    make_rows,
    normalise,
    read_dataset,
    row_id_of,
    write_dataset,
)
from zenml_ftvr.data.near import jaccard, shingles_of
from zenml_ftvr.data.rows import Rows as SplitRows
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import DataProfile, DataSource

Texts = list[str]
MakeDataset = Callable[..., Dataset]
Rows = list[dict[str, Any]]

LONG = "the quick brown fox jumps over the lazy dog and runs away into the dark green wood by night"
ALIKE = LONG.replace("night", "day")  # 16 of its 17 runs of three words are kept


def _rows(texts: Texts) -> SplitRows:
    labels = ["ab"[at % 2] for at in range(len(texts))]
    return make_rows([row_id_of(text) for text in texts], texts, labels)


@pytest.fixture
def make() -> MakeDataset:
    """A data set of texts that are in the splits one says, whatever their hashes."""

    def dataset(
        train: Sequence[str], validation: Sequence[str] = (), test: Sequence[str] = ()
    ) -> Dataset:
        return Dataset(
            source=DataSource(name="made by hand"),
            train=_rows(["first in train", *train]),
            validation=_rows(["first in validation", *validation]),
            test=_rows(["first in test", *test]),
            labels=("a", "b"),
            fingerprint="f" * 64,
            n_duplicates=0,
            n_conflicts=0,
            n_dropped=0,
        )

    return dataset


# --- counted


def test_good_rows_are_found_without_fault(make: MakeDataset) -> None:
    checks = dataclasses.asdict(check_rows(make([LONG], ["another text"], ["a third text"])))
    assert checks.pop("n_distinct") == checks.pop("n_compared") == 6
    assert checks.pop("far_longer_than") == 10 * len("first in validation")
    assert checks.pop("unseen_tags") == ()
    assert set(checks.values()) == {0}


def test_every_row_of_a_leaked_text_is_counted_in_the_later_split(make: MakeDataset) -> None:
    checks = check_rows(
        make(["in both", "in all"], ["In  BOTH", "in all", "late"], ["in all", "IN ALL", "late"])
    )
    assert checks.n_leaked_validation == 2
    assert checks.n_leaked_test == 3
    assert checks.n_near_duplicates == 0  # the same is not nearly the same
    assert checks.n_distinct == 6


def test_repeated_texts_of_one_split_do_not_leak(make: MakeDataset) -> None:
    checks = check_rows(make(["x", "X"], ["y", "y"], ["z", "z "]))
    assert (checks.n_leaked_test, checks.n_leaked_validation) == (0, 0)


@pytest.mark.parametrize(
    ("splits", "counts"),
    [
        (("train", "train"), (2, 0, 0)),
        (("train", "validation"), (2, 0, 1)),
        (("train", "test"), (2, 1, 0)),
        (("validation", "test"), (2, 1, 0)),
        (("test", "test"), (2, 0, 0)),
        (("test", "train"), (2, 1, 0)),
    ],
)
def test_nearly_the_same_texts_leak_into_the_later_split(
    make: MakeDataset, splits: tuple[str, str], counts: tuple[int, int, int]
) -> None:
    texts: dict[str, Texts] = {"train": [], "validation": [], "test": []}
    for split, text in zip(splits, (LONG, ALIKE), strict=True):
        texts[split].append(text)
    checks = check_rows(make(**texts))
    assert (
        checks.n_near_duplicates,
        checks.n_near_leaked_test,
        checks.n_near_leaked_validation,
    ) == counts


def test_every_test_text_of_a_family_leaks_whichever_pair_is_met_first(make: MakeDataset) -> None:
    families = [LONG.replace(" ", f"x{number} ") for number in range(30)]
    train = [f"{text} {end}" for text in families for end in ("one", "two")]
    test = [f"{text} {end}" for text in families for end in ("three", "four")]
    checks = check_rows(make(train, [], test))
    assert (checks.n_near_duplicates, checks.n_near_leaked_test) == (120, 60)


def test_a_text_alike_that_repeats_is_one_text(make: MakeDataset) -> None:
    checks = check_rows(make([LONG, LONG.upper()], [], [ALIKE, ALIKE]))
    assert (checks.n_near_duplicates, checks.n_near_leaked_test) == (2, 1)
    assert checks.n_distinct == checks.n_compared == 5


def test_texts_below_the_threshold_are_not_nearly_the_same(make: MakeDataset) -> None:
    below = LONG.replace("fox", "cat")  # 14 of 20: 0.7
    assert check_rows(make([LONG], [], [below])).n_near_duplicates == 0
    short = "three words only"
    assert check_rows(make([short], [], ["three words alone"])).n_near_duplicates == 0


words = st.lists(st.sampled_from("abcd"), min_size=1, max_size=30).map(" ".join)


@st.composite
def families(draw: st.DrawFn) -> Texts:
    """Texts, and changed copies of them."""
    texts = draw(st.lists(words, max_size=8))
    copies = []
    for text in texts:
        for _ in range(draw(st.integers(0, 3))):
            changed = text.split()
            changed[draw(st.integers(0, len(changed) - 1))] = draw(st.sampled_from("abcdx"))
            copies.append(" ".join(changed))
    return texts + copies


@settings(max_examples=100, deadline=None)
@given(train=families(), test=families(), both=families())
def test_what_is_counted_is_nearly_the_same_and_what_clearly_is_is_counted(
    train: Texts, test: Texts, both: Texts
) -> None:
    train, test = [*train, *both], [*test, *both[1:]]
    dataset = Dataset(
        source=DataSource(name="made by hand"),
        train=_rows(["first in train", *train]),
        validation=_rows(["first in validation"]),
        test=_rows(["first in test", *test]),
        labels=("a", "b"),
        fingerprint="f" * 64,
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
    )
    checks = check_rows(dataset)
    learnt, tested = {normalise(text) for text in train}, {normalise(text) for text in test}

    def near(ones: set[str], others: set[str], threshold: float) -> int:
        return sum(
            any(
                one != other and jaccard(shingles_of(one), shingles_of(other)) >= threshold
                for other in others
            )
            for one in ones
        )

    every = learnt | tested
    # MinHash overlooks one pair in six hundred at 0.8, and one in a million at 0.9.
    assert near(every, every, 0.9) <= checks.n_near_duplicates <= near(every, every, 0.8)
    leaks = checks.n_near_leaked_test
    assert near(tested, learnt, 0.9) <= leaks <= near(tested, learnt, 0.8)


def test_of_very_many_texts_a_sample_is_compared(
    make: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.data.checks.MOST_COMPARED", 100)
    texts = [f"{LONG} {number}" for number in range(400)]
    texts += [f"a text of its own {number}" for number in range(397)]
    checks = check_rows(make(texts))
    assert (checks.n_distinct, checks.n_compared) == (800, 100)
    assert 30 <= checks.n_near_duplicates <= 70
    random.Random(1).shuffle(texts)
    assert check_rows(make(texts)) == checks


def test_rows_ten_times_as_long_as_nearly_all_others_are_counted(make: MakeDataset) -> None:
    usual = ["w" * 20 for _ in range(300)]
    checks = check_rows(make([*usual, "x" * 200, "x" * 201], [], ["y" * 5_000]))
    assert checks.far_longer_than == 200
    assert checks.n_far_longer == 2


def test_the_longest_of_few_rows_does_not_excuse_itself(make: MakeDataset) -> None:
    assert check_rows(make(["w" * 20] * 10 + ["x" * 9_000])).n_far_longer == 1


@pytest.mark.parametrize(
    "text",
    [
        "café",
        "naïve",
        "garçon",
        "20 °C",
        "£5",
        "it’s",
        "“quoted”",
        "a – b",
        "great 😀",
        "привет",
    ],
)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_utf8_that_was_read_as_another_encoding_is_found(
    make: MakeDataset, text: str, encoding: str
) -> None:
    # The bytes that cp1252 lacks are kept as control codes, as browsers do.
    wrong = "".join(
        bytes([byte]).decode(encoding) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in text.encode()
    )
    assert check_rows(make([], [], [f"it was {wrong} then"])).n_misencoded == 1
    assert check_rows(make([], [], [f"it was {text} then"])).n_misencoded == 0


@pytest.mark.parametrize("text", ["caf\ufffd", "it\x92s"])
def test_what_decoders_leave_is_found(make: MakeDataset, text: str) -> None:
    assert check_rows(make([text])).n_misencoded == 1


@pytest.mark.parametrize(
    "text",
    [
        "SÃO PAULO",
        "“MANHÔ",
        "«MANHû",
        "NÃO!",
        "Âge",
        "ESPAÑA",
        "CAFÉ”",
        "Ðóra",
        "5 €",
        "â",
        "a\x85b",
    ],
)
def test_letters_that_look_like_it_are_let_through(make: MakeDataset, text: str) -> None:
    assert check_rows(make([text])).n_misencoded == 0


# --- fatal

BASE: Rows = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(240)]
FOLDS = ["train", "dev", "test"]


def _source(**fields: Any) -> DataSource:
    return DataSource(name="any", **fields)


def _folded(*more: tuple[str, str, str]) -> Rows:
    rows = [row | {"fold": FOLDS[at % 3]} for at, row in enumerate(BASE)]
    return rows + [{"text": text, "label": label, "fold": fold} for text, label, fold in more]


def test_a_test_row_that_is_learnt_from_ends_loading_unless_allowed() -> None:
    rows = _folded(
        ("Twice", "a", "train"),
        ("twice ", "a", "test"),
        ("thrice", "b", "dev"),
        ("thrice", "b", "test"),
    )
    with pytest.raises(DataError) as caught:
        dataset_from(rows, _source(split_column="fold"))
    message = str(caught.value)
    assert message.startswith(
        "in memory: test rows with the text of a training or validation row: 2, such"
    )
    assert "such as 'twice ' and 'thrice'. Remove them from one of the two; or leave" in message
    assert "'leakage' out of data.fatal" in message
    allowed = dataset_from(rows, _source(split_column="fold", fatal=()))
    assert check_rows(allowed).n_leaked_test == 2


def test_a_leak_into_the_validation_split_alone_is_let_through() -> None:
    rows = _folded(("twice", "a", "train"), ("twice", "a", "dev"))
    checks = check_rows(dataset_from(rows, _source(split_column="fold")))
    assert (checks.n_leaked_test, checks.n_leaked_validation) == (0, 1)


def test_a_test_file_that_repeats_the_main_one_ends_loading(tmp_path: Path) -> None:
    for name in ("main", "test"):
        lines = [json.dumps(row) for row in BASE[: 240 if name == "main" else 20]]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    files = {"name": str(tmp_path / "main.jsonl"), "test_file": str(tmp_path / "test.jsonl")}
    with pytest.raises(DataError, match=r"main\.jsonl: test rows with the text of .*row: 20, such"):
        load_dataset(DataSource(**files))  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["group_column", "time_column"])
def test_one_text_in_two_groups_or_times_may_leak_too(setting: str) -> None:
    rows = [row | {"by": at} for at, row in enumerate(BASE)]
    rows += [{"text": "the same", "label": "a", "by": by} for by in range(0, 240, 5)]
    with pytest.raises(DataError, match=r"such as 'the same' and 'the same'\. Remove"):
        dataset_from(rows, _source(**{setting: "by"}))


def test_a_hash_of_the_text_never_leaks() -> None:
    checks = check_rows(dataset_from(BASE + [row | {"text": row["text"].upper()} for row in BASE]))
    assert (checks.n_leaked_test, checks.n_leaked_validation) == (0, 0)


@pytest.mark.parametrize(
    ("fatal", "more", "said"),
    [
        (
            "near_leakage",
            [(LONG, "a", "train"), (ALIKE, "a", "test")],
            rf"test texts nearly a training or validation text: 1, such as '{ALIKE[:60]}'\. Keep",
        ),
        (
            "near_duplicates",
            [(LONG, "a", "train"), (ALIKE, "a", "train")],
            r"texts nearly the same as another: 2, such as 'the quick .* and 'the quick.*Remove",
        ),
        (
            "conflicts",
            [("good Or bad", "a", "train"), ("good or bad", "b", "train")],
            r"texts under more than one label: 1, such as 'good Or bad'\. Decide on one",
        ),
        (
            "encoding",
            [("caf\u00c3\u00a9", "a", "train"), ("\ufffd", "a", "dev"), ("\ufffd?", "a", "test")],
            r"rows with what a wrong .*: 3, such as 'caf\u00c3\u00a9' and '\ufffd'\. Set enc",
        ),
    ],
)
def test_what_is_fatal_only_when_asked(
    fatal: str, more: list[tuple[str, str, str]], said: str
) -> None:
    rows = _folded(*more)
    dataset_from(rows, _source(split_column="fold"))
    with pytest.raises(DataError, match=rf"in memory: {said}.*leave '{fatal}' out of data\.fatal"):
        dataset_from(rows, _source(split_column="fold", fatal=(fatal,)))


def test_good_rows_pass_all_that_can_be_fatal() -> None:
    every = ("leakage", "near_leakage", "conflicts", "near_duplicates", "encoding")
    assert dataset_from(BASE, _source(fatal=every)).source.fatal == every


def test_an_unknown_fatal_names_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"DataSource\.fatal holds 'leak'\. Did you mean 'leakage'\? Known"
    ):
        DataSource(name="rows.csv", fatal=("leak",))  # type: ignore[arg-type]


# --- kept


def test_a_list_in_yaml_says_what_is_fatal() -> None:
    written = {"name": "rows.csv", "fatal": ["encoding", "leakage"], "group_column": "customer"}
    source = TypeAdapter(DataSource).validate_python(written)
    assert source.fatal == ("encoding", "leakage")
    dumped = TypeAdapter(DataSource).dump_python(source, mode="json")
    assert TypeAdapter(DataSource).validate_python(dumped) == source
    with pytest.raises(ConfigurationError, match=r"DataSource\.fatal\.0: .*got 'all'"):
        TypeAdapter(DataSource).validate_python({"name": "rows.csv", "fatal": ["all"]})


def test_the_settings_of_a_source_are_stored_with_its_rows(tmp_path: Path) -> None:
    source = _source(split_column="fold", fatal=("conflicts", "leakage"))
    dataset = dataset_from(_folded(), source)
    write_dataset(dataset, tmp_path / "dataset")
    again = read_dataset(tmp_path / "dataset")
    assert again.source == dataset.source == dataclasses.replace(source, name="in memory")
    hash(again.source)


def test_a_record_without_the_younger_settings_is_still_read(tmp_path: Path) -> None:
    dataset = dataset_from(BASE)
    write_dataset(dataset, tmp_path / "dataset")
    path = tmp_path / "dataset" / "dataset.json"
    record = json.loads(path.read_text())
    younger = (
        "split_column",
        "validation_file",
        "test_file",
        "group_column",
        "time_column",
        "fatal",
    )
    for setting in younger:
        del record["source"][setting]
    path.write_text(json.dumps(record))
    assert read_dataset(tmp_path / "dataset").source == dataset.source


def test_a_profile_from_before_the_checks_is_still_read() -> None:
    kept = TypeAdapter(DataProfile).dump_python(hand_made.data_profile(), mode="json")
    del kept["checks"]
    assert TypeAdapter(DataProfile).validate_python(kept) == hand_made.data_profile()
