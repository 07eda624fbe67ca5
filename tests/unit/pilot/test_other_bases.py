"""Other base models beside the one that was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.decide.fit import other_base_sentences
from zenml_ftvr.models import ResolvedModel, resolve
from zenml_ftvr.pilot import compare_bases
from zenml_ftvr.values import ModelSource, TextClassification, TokenClassification

TASK = TextClassification(max_length=32)


@pytest.fixture(scope="module")
def base(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


def test_each_is_scored_on_the_same_rows_and_set_against_the_first(
    dataset: Dataset, base: ResolvedModel, bert_folder: Path, distilbert_folder: Path
) -> None:
    others = [ModelSource(name=str(bert_folder)), ModelSource(name=str(distilbert_folder))]
    same, other = compare_bases(dataset, base, others, TASK, "cpu", 0, 1e9)
    assert same.gain is not None
    assert (same.gain.low, same.gain.mean, same.gain.high) == (0, 0, 0)
    assert other.score is not None
    assert other.score.n_rows == len(dataset.train)
    assert other.gain is not None
    assert other.gain.low <= other.gain.mean <= other.gain.high
    said = other_base_sentences([other], "minilm")
    assert f"{other.score.value:.3f}" in said[0]
    assert "beside minilm" in said[0]


def test_one_that_cannot_be_had_or_afforded_is_listed_with_the_reason(
    dataset: Dataset, base: ResolvedModel, bert_folder: Path, tmp_path: Path
) -> None:
    missing = ModelSource(name=str(tmp_path / "nothing"))
    (found,) = compare_bases(dataset, base, [missing], TASK, "cpu", 0, 1e9)
    assert found.score is None
    assert found.skipped is not None
    assert "nothing" in found.skipped
    here = ModelSource(name=str(bert_folder))
    (late,) = compare_bases(dataset, base, [here], TASK, "cpu", 0, 0.0)
    assert late.skipped == "the 0 s for other base models were used up."
    assert "was not looked at: the 0 s" in other_base_sentences([late], "minilm")[0]


def test_where_no_head_can_be_solved_for_none_is_looked_at(
    dataset: Dataset, base: ResolvedModel, bert_folder: Path
) -> None:
    here = ModelSource(name=str(bert_folder))
    (found,) = compare_bases(dataset, base, [here], TokenClassification(), "cpu", 0, 1e9)
    assert found.score is None
    assert found.skipped
