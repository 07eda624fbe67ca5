"""The n-gram baseline: against Witten-Bell written out symbol by symbol."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tiny_language_models import language_dataset, language_plan, language_rows

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import fit_baseline, load
from zenml_ftvr.models.baselines.ngram import NGRAM_FILE, NgramBaseline, load_ngrams
from zenml_ftvr.tasks import TargetScale, make_work, score
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import Baseline, CausalLM, Hardware

WORK = make_work(CausalLM(), (), TargetScale())
TEXTS = ["abab cab", "bab abc", "ac", "", "né né"] * 4


def symbols(text: str) -> list[int]:
    return [*text.encode(), 256]


def written_out(texts: list[str], order: int, text: str) -> float:
    """-ln p of a text and its end, by the recursion as it is published."""
    grams: Counter[tuple[int, ...]] = Counter()
    for one in texts:
        padded = [257] * 6 + symbols(one)
        for place in range(6, len(padded)):
            for length in range(1, order + 1):
                grams[tuple(padded[place - length + 1 : place + 1])] += 1

    def chance(history: tuple[int, ...], symbol: int) -> float:
        lower = chance(history[1:], symbol) if history else 1 / 257
        after = [count for gram, count in grams.items() if gram[:-1] == history]
        if not after:
            return lower
        return (grams[(*history, symbol)] + len(after) * lower) / (sum(after) + len(after))

    padded = [257] * 6 + symbols(text)
    return -sum(
        math.log(chance(tuple(padded[place - order + 1 : place]), padded[place]))
        for place in range(6, len(padded))
    )


def test_chances_are_witten_and_bells() -> None:
    baseline = fit_baseline(WORK, language_rows(TEXTS), 0)
    assert isinstance(baseline, NgramBaseline)
    for text in ("abc", "", "é!", "cab cab"):
        (row,) = baseline.outputs(language_rows([text]))
        expected = written_out(TEXTS, len(baseline.orders), text)
        assert row[0] == pytest.approx(expected)
        assert row[1:3].tolist() == [len(text.encode()) + 1, len(text.encode())]


def test_chances_of_all_that_can_follow_sum_to_one() -> None:
    baseline = fit_baseline(WORK, language_rows(TEXTS), 0)
    contexts = np.asarray([list(b"aaaaaa"), list(b"xyz ab"), [257] * 6], dtype=np.uint16)
    for table in baseline._tables(contexts):
        np.testing.assert_allclose(table.sum(1), 1.0)


def test_the_order_follows_from_the_text() -> None:
    rng = random.Random(0)
    noise = ["".join(rng.choices("abcd", k=50)) for _ in range(40)]
    verse = ["the quality of mercy is not strained, it droppeth as the gentle rain"] * 40
    assert len(fit_baseline(WORK, language_rows(noise), 0).orders) <= 2
    assert len(fit_baseline(WORK, language_rows(verse), 0).orders) >= 4


def test_hits_are_counted_and_what_was_learnt_is_written() -> None:
    baseline = fit_baseline(WORK, language_rows(["to be or not"] * 20), 0)
    (row,) = baseline.outputs(language_rows(["to be or not"]))
    assert row[3] == row[1] == 13
    assert baseline.written(language_rows(["to be"])) == [" or not"]


def test_of_prompts_and_answers_only_answers_are_scored() -> None:
    work = make_work(CausalLM(form="completion"), (), TargetScale())
    rows = language_rows(["one:", "two:"] * 10, ["1", "22"] * 10)
    baseline = fit_baseline(work, rows, 0)
    outputs = baseline.outputs(rows.take([0, 1]))
    assert outputs[:, 1].tolist() == [2, 3]
    assert outputs[:, 2].tolist() == [1, 2]
    assert baseline.written(rows.take([1])) == ["22"]


def test_of_a_conversation_the_assistant_is_scored_and_written() -> None:
    work = make_work(CausalLM(form="chat"), (), TargetScale())
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    rows = language_rows([chat] * 10)
    baseline = fit_baseline(work, rows, 0)
    assert baseline.outputs(rows.take([0]))[0, 1:3].tolist() == [3, 2]
    assert baseline.written(language_rows([chat[:1]])) == ["ho"]


def test_it_is_trained_saved_and_loaded_without_pickle(hardware: Hardware, tmp_path: Path) -> None:
    dataset = language_dataset(language_rows(TEXTS), 4, 4)
    plan = language_plan(Baseline(), CausalLM(), None, max_steps=0)
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    loaded = load(tmp_path / "model")
    fitted = fit_baseline(WORK, dataset.train, 0)
    np.testing.assert_array_equal(loaded.outputs(dataset.test), fitted.outputs(dataset.test))
    end = next(point.value for point in model.curve if point.metric == "eval/bits_per_byte")
    assert score(loaded.answers(dataset.validation), "bits_per_byte") == end
    assert loaded.predict(["né"])[0].text == fitted.written(language_rows(["né"]))[0]
    assert model.n_params == fitted.n_params
    assert sorted(one.suffix for one in (tmp_path / "model").iterdir()) == [
        ".json",
        ".md",
        ".safetensors",
    ]


def test_a_file_without_all_arrays_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(
        {"keys_1": np.zeros(1, np.uint64), "keys_2": np.zeros(1, np.uint64)}, tmp_path / NGRAM_FILE
    )
    with pytest.raises(ModelError, match="damaged"):
        load_ngrams(WORK, tmp_path)
