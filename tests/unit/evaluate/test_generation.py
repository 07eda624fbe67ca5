"""Written texts: four metrics that disagree, and samples that show why."""

from __future__ import annotations

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from zenml_ftvr.evaluate.generation import NOTES, SAMPLES, judge_texts
from zenml_ftvr.tasks.text_answers import TextAnswers
from zenml_ftvr.values.task import TEXT_METRICS

WANTED = ["the cat sat on the mat", "rain is expected in the north", "yes", "he is not guilty"] * 5
WRITTEN = ["a cat sat on a mat", "the north expects rain", "yes", "he is guilty"] * 5
GIVEN = [f"input {place}" for place in range(20)]


def test_scores_stand_side_by_side_as_others_compute_them() -> None:
    found = judge_texts(GIVEN, TextAnswers(WANTED, WRITTEN), seed=0)
    values = {one.metric: one.value for one in found.scores}
    assert values["bleu"] == pytest.approx(sacrebleu.corpus_bleu(WRITTEN, [WANTED]).score / 100)
    assert values["chrf"] == pytest.approx(sacrebleu.corpus_chrf(WRITTEN, [WANTED]).score / 100)
    rouge = RougeScorer(["rougeL"])
    expected = [
        rouge.score(wanted, said)["rougeL"].fmeasure
        for wanted, said in zip(WANTED, WRITTEN, strict=True)
    ]
    assert values["rouge_l"] == pytest.approx(sum(expected) / 20)
    assert values["exact_match"] == pytest.approx(0.25)
    assert all(one.low <= one.value <= one.high for one in found.scores)
    assert found.n_rows == 20


def test_every_metric_has_a_line_on_what_it_sees_and_misses() -> None:
    assert tuple(note.metric for note in NOTES) == TEXT_METRICS
    assert all(note.sees.endswith(".") and note.misses.endswith(".") for note in NOTES)


def test_a_lost_not_is_what_word_overlap_misses() -> None:
    found = judge_texts(["?"], TextAnswers(["he is not guilty"], ["he is guilty"]), seed=0)
    scores = dict(found.samples[0].scores)
    assert scores["rouge_l"] > 0.8
    assert scores["exact_match"] == 0


def test_samples_go_from_the_worst_to_the_best() -> None:
    found = judge_texts(GIVEN, TextAnswers(WANTED, WRITTEN), seed=0)
    chrf = [dict(one.scores)["chrf"] for one in found.samples]
    assert len(found.samples) == SAMPLES
    assert chrf == sorted(chrf)
    assert chrf[-1] == pytest.approx(1.0)
    for one in found.samples:
        place = GIVEN.index(one.given)
        assert (one.wanted, one.written) == (WANTED[place], WRITTEN[place])


def test_few_rows_are_all_shown_once() -> None:
    found = judge_texts(GIVEN[:3], TextAnswers(WANTED[:3], WRITTEN[:3]), seed=0)
    assert sorted(one.given for one in found.samples) == GIVEN[:3]
