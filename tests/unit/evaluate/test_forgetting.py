"""The base model's own ability before and after, by each of the three measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import DataError
from zenml_ftvr.evaluate.forgetting import (
    NEIGHBOURS,
    forgetting_of,
    general_texts,
    neighbour_agreement,
    why_not_forgetting,
)
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Approach,
    Contrastive,
    ForgettingSettings,
    Full,
    Hardware,
    ImageClassification,
    Lora,
    TrainedModel,
    TrainingPlan,
)

GENERAL = ForgettingSettings(n_texts=60)
Train = Callable[..., TrainedModel]


@pytest.fixture
def train(
    plan_of: Callable[..., TrainingPlan], dataset: Dataset, hardware: Hardware, tmp_path: Path
) -> Train:
    """Trains an approach for a few steps, from any base."""

    def run(approach: Approach, base: Path | None = None, steps: int = 12) -> TrainedModel:
        named = {} if base is None else {"base": base}
        plan = plan_of(approach, **named, max_steps=steps)
        return run_plan(plan, dataset, tmp_path / approach.kind, hardware)

    return run


@pytest.fixture(scope="session")
def masked_folder(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder with a head for masked words, as it would be pretrained."""
    from transformers import AutoTokenizer, BertForMaskedLM, set_seed

    from zenml_ftvr.models import quiet

    folder = tmp_path_factory.mktemp("masked")
    set_seed(7)
    with quiet():
        BertForMaskedLM.from_pretrained(bert_folder).save_pretrained(folder)
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def causal_folder(gpt2_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny decoder with its head."""
    from transformers import AutoTokenizer, GPT2LMHeadModel

    from zenml_ftvr.models import quiet

    folder = tmp_path_factory.mktemp("causal")
    with quiet():
        GPT2LMHeadModel.from_pretrained(gpt2_folder).save_pretrained(folder)
    AutoTokenizer.from_pretrained(gpt2_folder).save_pretrained(folder)
    return folder


def test_the_general_text_is_english_prose_and_follows_from_the_seed() -> None:
    texts, called = general_texts(GENERAL, seed=0)
    assert called == "paragraphs of Python's language reference"
    assert len(set(texts)) == 60
    assert all(len(text.split()) >= 20 and text.endswith(".") for text in texts)
    assert not any("::=" in text or ">>>" in text for text in texts)
    assert general_texts(GENERAL, seed=0)[0] == texts
    assert general_texts(GENERAL, seed=1)[0] != texts


def test_a_file_of_one_s_own_is_read(tmp_path: Path) -> None:
    file = tmp_path / "general.csv"
    file.write_text("text\n" + "\n".join(f"sentence number {place}" for place in range(30)))
    texts, called = general_texts(ForgettingSettings(texts=str(file)), seed=0)
    assert (len(texts), called) == (30, f"texts of {file}")


def test_too_few_texts_are_refused_with_the_next_move(tmp_path: Path) -> None:
    file = tmp_path / "general.csv"
    file.write_text("text\nsame\nsame\nanother\n")
    with pytest.raises(DataError, match=r"only 2 differ.*forgetting: null"):
        general_texts(ForgettingSettings(texts=str(file)), seed=0)


def test_neighbours_agree_with_themselves_and_by_chance_with_others() -> None:
    rng = np.random.default_rng(0)
    features, others = rng.normal(size=(2, 200, 16))
    assert (neighbour_agreement(features, features * 3) == 1).all()  # lengths do not count
    by_chance = NEIGHBOURS / 199
    assert neighbour_agreement(features, others).mean() == pytest.approx(by_chance, abs=0.02)


def test_neighbours_are_those_of_scikit_learn() -> None:
    from sklearn.neighbors import NearestNeighbors

    before, after = np.random.default_rng(1).normal(size=(2, 50, 4))
    sets = []
    for features in (before, after):
        found = NearestNeighbors(n_neighbors=6, metric="cosine").fit(features)
        sets.append([set(row[1:]) for row in found.kneighbors(features)[1]])
    expected = [len(a & b) / 5 for a, b in zip(*sets, strict=True)]
    assert neighbour_agreement(before, after, 5).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("approach", [Full(learning_rate=1e-12), Lora(learning_rate=1e-12)])
def test_what_did_not_change_forgot_nothing(approach: Approach, train: Train) -> None:
    found = forgetting_of(train(approach), GENERAL, seed=0)
    assert found is not None
    assert (found.measure, found.n_texts, found.n_neighbours) == (
        "neighbour agreement",
        60,
        NEIGHBOURS,
    )
    assert found.after == pytest.approx(1.0, abs=0.02)
    assert found.change == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    "approach",
    [Full(learning_rate=3e-2), Lora(learning_rate=5e-2), Contrastive(learning_rate=3e-2, pairs=64)],
)
def test_a_rough_training_forgets_and_says_how_surely(approach: Approach, train: Train) -> None:
    found = forgetting_of(train(approach), GENERAL, seed=0)
    assert found is not None
    assert found.after < 0.8
    assert found.low < found.change < found.high < 0
    assert found.by_chance == pytest.approx(NEIGHBOURS / 59)


def test_the_masked_loss_is_that_of_the_base_s_own_head(train: Train, masked_folder: Path) -> None:
    kept = forgetting_of(train(Full(learning_rate=1e-12), masked_folder), GENERAL, seed=0)
    assert kept is not None
    assert kept.measure == "masked loss"
    assert kept.after == pytest.approx(kept.before, abs=1e-5)
    assert kept.before == pytest.approx(_masked_loss(masked_folder), rel=0.05)


def test_the_masked_loss_rises_with_what_was_forgotten(train: Train, masked_folder: Path) -> None:
    lost = forgetting_of(train(Full(learning_rate=5e-2), masked_folder), GENERAL, seed=0)
    assert lost is not None
    assert lost.change != 0
    assert lost.low <= lost.change <= lost.high


def _masked_loss(folder: Path) -> float:
    """By transformers' own collator and loss, with masks of its own."""
    import torch
    from transformers import AutoTokenizer, BertForMaskedLM, DataCollatorForLanguageModeling

    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts, _ = general_texts(GENERAL, seed=0)
    ids = tokenizer(texts, truncation=True, max_length=64)["input_ids"]
    collate = DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=0.15, mask_replace_prob=1.0, random_replace_prob=0.0
    )
    torch.manual_seed(0)
    batch = collate([{"input_ids": row} for row in ids])
    model = BertForMaskedLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        return float(model(**batch).loss)


def test_the_causal_loss_of_a_classifier_is_by_the_base_s_head(
    train: Train, causal_folder: Path
) -> None:
    import torch
    from transformers import AutoTokenizer, GPT2LMHeadModel

    kept = forgetting_of(train(Full(learning_rate=1e-12), causal_folder), GENERAL, seed=0)
    assert kept is not None
    assert kept.measure == "causal loss"
    assert kept.after == pytest.approx(kept.before, abs=1e-5)
    tokenizer = AutoTokenizer.from_pretrained(causal_folder)
    model = GPT2LMHeadModel.from_pretrained(causal_folder).eval()
    total, n_tokens = 0.0, 0
    for text in general_texts(GENERAL, seed=0)[0]:
        ids = torch.tensor([tokenizer(text, truncation=True, max_length=64)["input_ids"]])
        with torch.inference_mode():
            total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        n_tokens += ids.shape[1] - 1
    assert kept.before == pytest.approx(total / n_tokens, rel=1e-4)


def test_nothing_is_measured_where_no_pretrained_weight_changed(
    trained: Callable[[str], TrainedModel],
) -> None:
    for kind in ("baseline", "head", "scratch"):
        assert forgetting_of(trained(kind), GENERAL, seed=0) is None
        assert why_not_forgetting(trained(kind)) is None


def test_of_images_it_is_said_that_nothing_was_measured(
    trained: Callable[[str], TrainedModel],
) -> None:
    model = trained("full")
    of_images = dataclasses.replace(
        model, plan=dataclasses.replace(model.plan, task=ImageClassification())
    )
    assert "no general images" in (why_not_forgetting(of_images) or "")
    assert forgetting_of(of_images, GENERAL, seed=0) is None
