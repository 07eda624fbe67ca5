"""Words to pieces, tags to labels, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from topics import NOISE, TOPICS

from zenml_ftvr.data import Rows, dataset_from, rows_of_inputs
from zenml_ftvr.models.processors import load_processor
from zenml_ftvr.tasks import score
from zenml_ftvr.tasks.predictions import TagPrediction
from zenml_ftvr.tasks.token_classification import IGNORED, UNTAGGED, TagWork, align, pieces
from zenml_ftvr.values import DataSource, TokenClassification

TAGS = ("B-x", "I-x", "O")
TASK = TokenClassification(max_length=32)
WORK = TagWork(task=TASK, labels=TAGS)
NOTHING = "\u200b"  # a zero-width space, which tokenizers that clean text drop

WORDS = st.one_of(
    st.sampled_from([*NOISE.split(), *TOPICS["chess"].split(), NOTHING]),
    st.text(min_size=1, max_size=8),
)
SENTENCES = st.lists(st.tuples(WORDS, st.integers(0, len(TAGS) - 1)), min_size=1, max_size=60)

Load = Callable[[str, str], Any]

FAMILIES = ("bert", "gpt2")


@pytest.fixture(scope="session")
def tokenizer_of(base_folders: dict[str, Path]) -> Load:
    """A tokenizer, loaded as the task loads it, that pads on a side."""
    loaded = {name: load_processor(base_folders[name], "token-classification") for name in FAMILIES}

    def tokenizer(name: str, side: str) -> Any:
        loaded[name].padding_side = side
        return loaded[name]

    return tokenizer


def rows_of(words: list[list[str]]) -> Rows:
    return rows_of_inputs(words, TASK)


@pytest.mark.parametrize("family", FAMILIES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sentence=SENTENCES)
def test_every_word_has_its_own_tag_or_none_was_read(
    family: str, tokenizer_of: Load, sentence: list[tuple[str, int]]
) -> None:
    tokenizer = tokenizer_of(family, "right")
    words, tags = [word for word, _ in sentence], [tag for _, tag in sentence]
    [row] = pieces(tokenizer, rows_of([words]), TASK.max_length)
    assert len(row.input_ids) <= TASK.max_length
    labels = align(row, tags)
    back = [None if place is None else labels[place] for place in row.first_pieces]
    assert [tag for tag, found in zip(tags, back, strict=True) if found is not None] == [
        found for found in back if found is not None
    ]
    # Nothing else is learnt, and no piece stands for two words.
    assert sum(label != IGNORED for label in labels) == sum(found is not None for found in back)
    # A word that was read whole alone is read here, unless it was cut.
    alone = list(pieces(tokenizer, rows_of([[word] for word in words]), TASK.max_length))
    has_pieces = [one.first_pieces[0] is not None for one in alone]
    last = max((at for at, found in enumerate(back) if found is not None), default=-1)
    assert [found is not None for found in back[: last + 1]] == has_pieces[: last + 1]


@pytest.mark.parametrize("family", FAMILIES)
def test_words_beyond_the_longest_row_are_not_read(family: str, tokenizer_of: Load) -> None:
    tokenizer = tokenizer_of(family, "right")
    [row] = pieces(tokenizer, rows_of([["pawn"] * 100]), 16)
    read = [place for place in row.first_pieces if place is not None]
    assert 0 < len(read) < 16
    assert row.first_pieces[: len(read)] == read
    assert row.first_pieces[len(read) :] == [None] * (100 - len(read))


def test_a_word_of_which_the_tokenizer_makes_nothing_is_not_read(tokenizer_of: Load) -> None:
    [row] = pieces(tokenizer_of("bert", "right"), rows_of([["pawn", NOTHING, "castle"]]), 16)
    first, nothing, last = row.first_pieces
    assert nothing is None
    assert first is not None
    assert last is not None
    assert first < last


def test_a_byte_level_tokenizer_reads_words_as_they_stand_in_texts(tokenizer_of: Load) -> None:
    tokenizer = tokenizer_of("gpt2", "right")
    [row] = pieces(tokenizer, rows_of([["the", "castle"]]), 16)
    assert row.input_ids == tokenizer(" the castle")["input_ids"]


def test_such_a_tokenizer_stays_so_in_the_folder_of_a_trained_model(
    tokenizer_of: Load, tmp_path: Path
) -> None:
    tokenizer = tokenizer_of("gpt2", "right")
    tokenizer.save_pretrained(tmp_path)
    again = load_processor(tmp_path, "token-classification")
    rows = rows_of([["castle", "the"]])
    assert list(pieces(again, rows, 16)) == list(pieces(tokenizer, rows, 16))


@pytest.mark.parametrize("side", ["left", "right"])
def test_labels_are_padded_where_the_pieces_are(side: str, tokenizer_of: Load) -> None:
    tokenizer = tokenizer_of("gpt2", side)
    given_rows = [["pawn", "the", "castle"], ["of"]]
    tags = [["B-x", "O", "B-x"], ["O"]]
    data = [{"text": words, "label": row} for words, row in zip(given_rows, tags, strict=True)]
    rows = rows_with_tags(data)
    encoded = WORK.encode(tokenizer, rows)
    batch = WORK.collator(tokenizer, None)([encoded[0], encoded[1]])
    for row in range(2):
        kept = batch["attention_mask"][row].bool()
        assert batch["input_ids"][row][kept].tolist() == encoded[row]["input_ids"]
        assert batch["labels"][row][kept].tolist() == encoded[row]["labels"]
        assert set(batch["labels"][row][~kept].tolist()) <= {IGNORED}


def rows_with_tags(rows: list[dict[str, Any]]) -> Rows:
    """These rows first, in this order, whatever split they fall into."""
    filler = [{"text": [f"w{at}"], "label": [TAGS[at % 3]]} for at in range(60)]
    whole = dataset_from([*rows, *filler], DataSource(name="made", fatal=()), task=TASK)
    wanted = [row["text"] for row in rows]
    for split in (whole.train, whole.validation, whole.test):
        found = [list(words) for words in split.inputs]
        if all(words in found for words in wanted):
            return split.take([found.index(words) for words in wanted])
    pytest.fail("the rows fell into different splits: give them other words")


def test_words_that_were_not_read_count_as_wrong() -> None:
    rows = rows_with_tags([{"text": ["pawn", "the"], "label": ["B-x", "O"]}])
    whole = WORK.answers([["B-x", "O"]], rows)
    cut = WORK.answers([["B-x", UNTAGGED]], rows)
    assert score(whole, "token_accuracy") == 1.0
    assert score(cut, "token_accuracy") == 0.5
    nothing = WORK.answers([[UNTAGGED, UNTAGGED]], rows)
    assert score(nothing, "entity_f1") == 0.0


def test_people_read_no_tag_for_a_word_that_was_not_read() -> None:
    [said] = WORK.predictions([["B-x", UNTAGGED]], [["pawn", "the"]])
    assert said == TagPrediction(words=("pawn", "the"), tags=("B-x", None))


def test_in_training_only_first_pieces_are_judged() -> None:
    import numpy as np

    labels = np.asarray([[IGNORED, 0, IGNORED, 2], [IGNORED, 2, IGNORED, IGNORED]])
    said = np.asarray([[1, 0, 1, 2], [0, 0, 0, 0]])
    answers = WORK.answers_in_training(said, labels, None)
    assert score(answers, "token_accuracy") == pytest.approx(2 / 3)
