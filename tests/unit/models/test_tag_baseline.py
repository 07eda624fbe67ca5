"""Tags from spelling and neighbours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from topics import NOISE

from zenml_ftvr.data import Dataset, dataset_from, rows_of_inputs
from zenml_ftvr.models.baselines.tags import fit_tag_baseline, load_tag_baseline
from zenml_ftvr.tasks import score, work_for
from zenml_ftvr.tasks.token_classification import TagWork
from zenml_ftvr.values import DataSource, TokenClassification

TASK = TokenClassification()


def by_neighbour(rng: random.Random) -> dict[str, list[str]]:
    """A number after `page` is a page; any other number, and any other word, is nothing."""
    words, tags = [], []
    for _ in range(rng.randint(3, 6)):
        before = rng.choice(["page", rng.choice(NOISE.split())])
        words += [before, str(rng.randint(1, 10_000))]
        tags += ["O", "B-page" if before == "page" else "O"]
    return {"text": words, "label": tags}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = random.Random(0)
    rows = [by_neighbour(rng) for _ in range(120)]
    return dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)


@pytest.fixture(scope="module")
def work(dataset: Dataset) -> TagWork:
    made = work_for(TASK, dataset)
    assert isinstance(made, TagWork)
    return made


def test_it_tags_words_that_it_never_saw_by_what_stands_before(
    dataset: Dataset, work: TagWork
) -> None:
    baseline = fit_tag_baseline(work, dataset.train, 0)
    answers = work.answers(baseline.outputs(dataset.test), dataset.test)
    assert score(answers, "entity_f1") > 0.95
    said = baseline.outputs(rows_of_inputs([["page", "99999", "the", "88888"]], TASK))
    assert said == [["O", "B-page", "O", "O"]]


def test_what_was_saved_answers_alike(dataset: Dataset, work: TagWork, tmp_path: Path) -> None:
    baseline = fit_tag_baseline(work, dataset.train, 0)
    tmp_path.joinpath("model").mkdir()
    baseline.save(tmp_path / "model")
    again = load_tag_baseline(work, tmp_path / "model")
    assert again.outputs(dataset.test) == baseline.outputs(dataset.test)
    assert again.n_params == baseline.n_params > 0


@pytest.mark.parametrize("word", ["", " ", "two words", "\u200b", "=", "x" * 5_000])
def test_any_word_has_a_tag(word: str, dataset: Dataset, work: TagWork) -> None:
    baseline = fit_tag_baseline(work, dataset.train, 0)
    [said] = baseline.outputs(rows_of_inputs([["page", word]], TASK))
    assert len(said) == 2
    assert set(said) <= set(work.labels)


def test_a_row_without_words_has_no_tags(dataset: Dataset, work: TagWork) -> None:
    baseline = fit_tag_baseline(work, dataset.train, 0)
    assert baseline.outputs(rows_of_inputs([[], ["page"]], TASK))[0] == []
    assert baseline.outputs(rows_of_inputs([[]], TASK)) == [[]]
