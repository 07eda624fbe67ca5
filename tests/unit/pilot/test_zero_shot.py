"""Texts beside the names of their labels."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from topics import TOPICS

from zenml_ftvr.data import Dataset, dataset_from
from zenml_ftvr.models import ResolvedModel, resolve
from zenml_ftvr.pilot import screen
from zenml_ftvr.pilot.zero_shot import is_sentence_encoder, label_text, why_not_zero_shot
from zenml_ftvr.values import DataSource, ModelSource, TextClassification, TokenClassification

TASK = TextClassification(max_length=32)


@pytest.fixture(scope="module")
def plain(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


@pytest.fixture(scope="module")
def encoder(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    """The same model with what sentence-transformers writes beside those that it trained."""
    folder = shutil.copytree(bert_folder, tmp_path_factory.mktemp("sentence") / "model")
    folder.joinpath("modules.json").write_text("[]")
    return resolve(ModelSource(name=str(folder)))


@pytest.fixture(scope="module")
def named() -> Dataset:
    """Texts that hold their label's words, one of them many times."""
    rows = [
        {"text": f"{word} {topic} {topic} {topic} {other}", "label": f"{topic}_{topic}"}
        for topic, words in TOPICS.items()
        for word in words.split()
        for other in ("the", "of", "and", "to", "in", "that", "for", "on")
    ]
    return dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)


@pytest.fixture(scope="module")
def knows_topics(named: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    """A sentence encoder with the topics' names in its vocabulary."""
    from transformers import BertConfig, BertModel, set_seed

    from zenml_ftvr.models import quiet, train_tokenizer

    set_seed(7)
    tokenizer = train_tokenizer(named.train.texts, 200, 64)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("topics")
    with quiet():
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    folder.joinpath("modules.json").write_text("[]")
    return resolve(ModelSource(name=str(folder)))


def test_texts_get_the_label_whose_name_is_nearest(
    named: Dataset, knows_topics: ResolvedModel
) -> None:
    evidence = screen(named, knows_topics, ["baseline"], TASK, "cpu", 0)
    assert evidence.zero_shot is not None
    assert evidence.zero_shot_skipped is None
    assert (evidence.zero_shot.kind, evidence.zero_shot.folds) == ("baseline", 0)
    found = evidence.zero_shot.score("accuracy")
    assert found.n_rows == len(named.train)
    assert found.low > 0.5  # a third by chance
    # What is chosen is chosen among arms that can be trained.
    assert [one.kind for one in evidence.measured] == ["baseline"]


def test_no_label_is_learnt_from(named: Dataset, knows_topics: ResolvedModel) -> None:
    """With every label exchanged for another, the same texts are right as seldom as they should."""
    others = dict(zip(named.labels, (*named.labels[1:], named.labels[0]), strict=True))
    rows = [
        {"text": text, "label": others[label]}
        for split in (named.train, named.validation, named.test)
        for text, label in zip(split.texts, split.labels, strict=True)
    ]
    exchanged = dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)
    evidence = screen(exchanged, knows_topics, ["baseline"], TASK, "cpu", 0)
    assert evidence.zero_shot is not None
    assert evidence.zero_shot.score("accuracy").value < 0.4


def test_a_model_that_is_no_sentence_encoder_is_not_asked(
    dataset: Dataset, plain: ResolvedModel
) -> None:
    assert not is_sentence_encoder(plain)
    evidence = screen(dataset, plain, ["baseline"], TASK, "cpu", 0)
    assert evidence.zero_shot is None
    assert "is no sentence encoder" in str(evidence.zero_shot_skipped)


def test_without_the_baseline_on_offer_it_is_not_measured(
    dataset: Dataset, encoder: ResolvedModel
) -> None:
    evidence = screen(dataset, encoder, ["head"], TASK, "cpu", 0)
    assert evidence.zero_shot is None
    assert evidence.zero_shot_skipped is None


@pytest.mark.parametrize("label", ["1", "-3.5", "+", "2024-01"])
def test_labels_that_name_nothing_are_not_compared(
    label: str,
    encoder: ResolvedModel,
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
) -> None:
    texts, labels = make_texts(120)
    numbered = split(texts, [label if one == "chess" else one for one in labels])
    assert f"label '{label}' names nothing" in str(why_not_zero_shot(numbered, encoder, TASK))


def test_other_tasks_have_no_names_to_compare(dataset: Dataset, encoder: ResolvedModel) -> None:
    for task in (TokenClassification(), dataclasses.replace(TASK, target="multi")):
        assert "one label" in str(why_not_zero_shot(dataset, encoder, task))


@pytest.mark.parametrize(
    ("label", "text"),
    [("card_not_working", "card not working"), ("__sport__", "sport"), ("Sci/Tech", "Sci/Tech")],
)
def test_a_labels_name_is_read_as_words(label: str, text: str) -> None:
    assert label_text(label) == text
