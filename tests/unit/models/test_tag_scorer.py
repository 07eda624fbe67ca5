"""A transformer's tags for words: of the right pieces, whatever stands beside them in a batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from topics import NOISE, TOPICS

from zenml_ftvr.data import dataset_from, rows_of_inputs
from zenml_ftvr.models import load
from zenml_ftvr.models.folder import Manifest
from zenml_ftvr.models.processors import load_processor
from zenml_ftvr.models.scorers import tags
from zenml_ftvr.models.scorers.tags import TagScorer
from zenml_ftvr.tasks.token_classification import UNTAGGED, TagWork, pieces
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    DataSource,
    Full,
    Hardware,
    ModelSource,
    TokenClassification,
    TrainingPlan,
)

TASK = TokenClassification(max_length=16)
TAGS = ("B-x", "I-x", "O")
WORK = TagWork(task=TASK, labels=TAGS)


class TagsByPiece:
    """Stands for a model whose tag of a piece follows from the piece's id alone."""

    device = "cpu"

    def to(self, device: str) -> TagsByPiece:
        return self

    def eval(self) -> TagsByPiece:
        return self

    def __call__(self, input_ids: Any, attention_mask: Any, **others: Any) -> Any:
        import torch

        logits = torch.nn.functional.one_hot(input_ids % len(TAGS), len(TAGS)).float()
        return SimpleNamespace(logits=logits)


Score = Callable[[str, str, list[list[str]]], tuple[list[list[str]], Any]]


@pytest.fixture
def scored(base_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Score:
    """What the scorer says of rows with such a model, and the tokenizer it read them with."""

    def score(family: str, side: str, words: list[list[str]]) -> tuple[list[list[str]], Any]:
        tokenizer = load_processor(base_folders[family], "token-classification")
        tokenizer.padding_side = side
        monkeypatch.setattr(tags, "load_processor", lambda *_: tokenizer)
        monkeypatch.setattr(tags, "load_transformer", lambda *_: TagsByPiece())
        manifest = Manifest(
            kind="full",
            labels=TAGS,
            base=None,
            base_fingerprint=None,
            task=TASK,
            scale=WORK.scale,
            plan_fingerprint="of no plan",
            weights="whole",
        )
        scorer = TagScorer(base_folders[family], manifest, WORK, "cpu")
        return scorer.outputs(rows_of_inputs(words, TASK)), tokenizer

    return score


def sentences(n: int) -> list[list[str]]:
    rng = random.Random(0)
    words = [*NOISE.split(), *TOPICS["chess"].split()]
    return [rng.choices(words, k=rng.randint(1, 30)) for _ in range(n)]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_word_has_the_tag_of_its_first_piece(family: str, side: str, scored: Score) -> None:
    words = sentences(70)  # more than two batches, in another order than that of their lengths
    said, tokenizer = scored(family, side, words)
    rows = pieces(tokenizer, rows_of_inputs(words, TASK), TASK.max_length)
    for row, found in zip(rows, said, strict=True):
        assert found == [
            UNTAGGED if place is None else TAGS[row.input_ids[place] % len(TAGS)]
            for place in row.first_pieces
        ]


def test_every_word_has_an_entry_and_those_beyond_the_longest_row_no_tag(scored: Score) -> None:
    [long, short], _ = scored("bert", "right", [["pawn"] * 40, ["pawn"]])
    assert len(long) == 40
    assert long[-1] == UNTAGGED
    assert UNTAGGED not in long[:4]
    assert len(short) == 1


def test_a_trained_model_says_which_words_it_did_not_read(
    hardware: Hardware, bert_folder: Path, tmp_path: Path
) -> None:
    from zenml_ftvr.api import plan_for

    rng = random.Random(0)
    rows = []
    for _ in range(60):
        words = rng.choices(NOISE.split(), k=4)
        rows.append({"text": words, "label": ["B-x" if word < "m" else "O" for word in words]})
    dataset = dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)
    plan: TrainingPlan = plan_for(
        dataset, Full(epochs=1, batch_size=16), ModelSource(name=str(bert_folder)), TASK, 0
    )
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    [said] = load(model.path).predict([["the"] * 40])
    assert len(said.tags) == len(said.words) == 40
    assert said.tags[0] in ("B-x", "O")
    assert said.tags[-1] is None
