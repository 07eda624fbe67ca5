"""The baseline of seq2seq: the nearest text's answer, or the text itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from tiny_language_models import language_dataset, language_plan, language_rows

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import fit_baseline, load
from zenml_ftvr.models.baselines import retrieval
from zenml_ftvr.models.baselines.retrieval import RetrievalBaseline, load_retrieval
from zenml_ftvr.tasks import TargetScale, make_work, score
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import Baseline, Hardware, Seq2Seq

WORK = make_work(Seq2Seq(), (), TargetScale())
GIVEN = [f"what does the {animal} say {n}" for n in range(6) for animal in ("cat", "dog", "cow")]
WANTED = [("Meow!", "Woof!", "Moo!")[place % 3] for place in range(18)]


def test_the_nearest_texts_answer_is_given() -> None:
    baseline = fit_baseline(WORK, language_rows(GIVEN, WANTED), 0)
    assert isinstance(baseline, RetrievalBaseline)
    assert baseline.rule == "retrieve"
    assert baseline.outputs(language_rows(["the dog, what does it say?", "cow"])) == [
        "Woof!",
        "Moo!",
    ]


def test_near_is_by_the_cosine_of_character_ngrams() -> None:
    baseline = fit_baseline(WORK, language_rows(GIVEN, GIVEN[::-1]), 0)
    made = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    index = made.fit_transform(GIVEN).toarray()
    asked = ["the cat say 3", "does", "dog 5"]
    nearest = (made.transform(asked).toarray() @ index.T).argmax(1)
    retrieve = RetrievalBaseline("retrieve", baseline.given, baseline.wanted)
    assert retrieve.outputs(language_rows(asked)) == [GIVEN[::-1][place] for place in nearest]
    assert retrieve.n_params == np.count_nonzero(index)


def test_texts_are_copied_where_that_is_nearer() -> None:
    given = [f"chapter {n} of book {n * n}: page {n + 7}" for n in range(30)]
    wanted = [text.replace("page", "p.") for text in given]
    baseline = fit_baseline(WORK, language_rows(given, wanted), 0)
    assert baseline.rule == "copy"
    assert baseline.n_params == 0
    assert baseline.outputs(language_rows(["page 1"])) == ["page 1"]


def test_texts_without_any_ngram_are_answered_too() -> None:
    baseline = fit_baseline(WORK, language_rows(["", " ", "a"] * 5, ["x", "y", "z"] * 5), 0)
    assert len(baseline.outputs(language_rows(["", "?", "a"]))) == 3


def test_small_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = language_rows(GIVEN, WANTED)
    baseline = fit_baseline(WORK, rows, 0)
    whole = baseline.outputs(rows)
    monkeypatch.setattr(retrieval, "ROWS_AT_ONCE", 5)
    seen: list[tuple[int, int]] = []
    assert baseline.outputs(rows, lambda *at: seen.append(at)) == whole
    assert seen == [(5, 18), (10, 18), (15, 18), (18, 18)]


@pytest.mark.parametrize("rule", ["retrieve", "copy"])
def test_it_is_trained_saved_and_loaded_without_pickle(
    rule: str, hardware: Hardware, tmp_path: Path
) -> None:
    wanted = WANTED if rule == "retrieve" else [text + "!" for text in GIVEN]
    dataset = language_dataset(language_rows(GIVEN, wanted), 3, 3)
    plan = language_plan(Baseline(), Seq2Seq(), None, max_steps=0)
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    loaded, fitted = load(tmp_path / "model"), fit_baseline(WORK, dataset.train, 0)
    assert fitted.rule == rule
    assert loaded.outputs(dataset.test) == fitted.outputs(dataset.test)
    end = next(point.value for point in model.curve if point.metric == "eval/chrf")
    assert score(loaded.answers(dataset.validation), "chrf") == end
    assert {one.suffix for one in (tmp_path / "model").iterdir()} == {".json", ".md", ".parquet"}


def test_an_unknown_rule_is_refused(tmp_path: Path) -> None:
    RetrievalBaseline("copy", [], []).save(tmp_path)
    (tmp_path / retrieval.RULE_FILE).write_text('{"rule": "guess"}')
    with pytest.raises(ModelError, match="'guess'"):
        load_retrieval(WORK, tmp_path)
