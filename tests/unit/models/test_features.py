"""Features of a frozen encoder: their mean, their cache, its faults."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset, Rows, rows_of_inputs
from zenml_ftvr.models import (
    ResolvedModel,
    cache_folder,
    cached_features,
    features,
    load_encoder,
    resolve,
)
from zenml_ftvr.values import Allowance, ModelSource, Task, TextClassification

FAMILIES = ("bert", "distilbert", "gpt2")
TASK = TextClassification(max_length=32)


def rows_of(texts: Sequence[str]) -> Rows:
    return rows_of_inputs(texts, TASK)


@pytest.fixture
def base(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


@pytest.fixture
def texts(dataset: Dataset) -> list[str]:
    """More than one batch, of unequal lengths."""
    return dataset.train.texts[:70]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the folder that features are kept in."""
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The `max_length` of every encoder that is loaded from now on."""
    seen: list[int] = []

    def recording(
        folder: Path, task: Task, device: str, allow: Sequence[Allowance]
    ) -> features.Encoder:
        seen.append(task.max_length)
        return load_encoder(folder, task, device, allow)

    monkeypatch.setattr(features, "load_encoder", recording)
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_the_mean_of_the_last_hidden_states(
    family: str, base_folders: dict[str, Path], texts: list[str]
) -> None:
    encoder = load_encoder(base_folders[family], TASK, "cpu")
    found = encoder.features(rows_of(texts))
    assert found.shape == (70, 32)
    assert found.dtype == np.float32
    for index in (0, 1, 69):
        ids = torch.tensor([encoder.tokenizer(texts[index])["input_ids"]])
        with torch.no_grad():
            states = encoder.model(input_ids=ids).last_hidden_state[0]
        assert found[index] == pytest.approx(states.mean(0).numpy(), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_order_of_texts_does_not_change_a_texts_features(
    family: str, base_folders: dict[str, Path], texts: list[str]
) -> None:
    encoder = load_encoder(base_folders[family], TASK, "cpu")
    order = np.random.default_rng(3).permutation(len(texts))
    there = encoder.features(rows_of([texts[index] for index in order]))
    assert there == pytest.approx(encoder.features(rows_of(texts))[order], abs=1e-5)


def test_what_is_beyond_the_longest_input_does_not_count(bert_folder: Path) -> None:
    encoder = load_encoder(bert_folder, TextClassification(max_length=8), "cpu")
    start = "bishop pawn castle gambit rook knight"
    short, long, other = encoder.features(rows_of([start, f"{start} tide tide", "tide tide tide"]))
    assert short == pytest.approx(long, abs=1e-6)
    assert np.abs(short - other).max() > 0.01


def test_progress_is_told_in_tokens_up_to_all_of_them(bert_folder: Path, texts: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    encoder = load_encoder(bert_folder, TASK, "cpu")
    encoder.features(rows_of(texts), lambda done, total: seen.append((done, total)))
    total = sum(len(ids) for ids in encoder.tokenizer(texts)["input_ids"])
    assert len(seen) == 3  # batches of 32
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (total, total)
    assert seen[0][0] > total * 32 / 70  # the longest texts come first


def test_no_texts_have_no_features(bert_folder: Path) -> None:
    assert load_encoder(bert_folder, TASK, "cpu").features(rows_of([])).shape == (0, 32)


def test_features_are_computed_once_and_come_back_the_same(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int]
) -> None:
    first = cached_features(base, rows_of(texts), TASK, "cpu")
    again = cached_features(base, rows_of(texts), TASK, "cpu")
    assert loads == [32]
    assert np.array_equal(first, again)
    assert np.array_equal(first, load_encoder(base.folder, TASK, "cpu").features(rows_of(texts)))


def test_a_subset_in_another_order_is_found_where_the_whole_was_computed(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int]
) -> None:
    whole = cached_features(base, rows_of(texts), TASK, "cpu")
    some = cached_features(base, rows_of([*texts[40:10:-3], texts[40]]), TASK, "cpu")
    assert loads == [32]
    assert np.array_equal(some, np.concatenate([whole[40:10:-3], whole[40:41]]))


def test_only_new_texts_are_computed(
    base: ResolvedModel, texts: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_features(base, rows_of(texts[:50]), TASK, "cpu")
    asked: list[int] = []
    of = features.TextEncoder.features_of

    def recording(self: Any, ids: Sequence[list[int]], on_batch: Any = None) -> Any:
        asked.append(len(ids))
        return of(self, ids, on_batch)

    monkeypatch.setattr(features.TextEncoder, "features_of", recording)
    cached_features(base, rows_of(texts), TASK, "cpu")
    assert asked == [len({*texts} - {*texts[:50]})]


def test_another_model_device_or_longest_input_has_features_of_its_own(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int]
) -> None:
    others: list[tuple[ResolvedModel, Rows, Task, str]] = [
        (base, rows_of(texts), TASK, "cpu"),
        (base, rows_of(texts), TextClassification(max_length=8), "cpu"),
        (base, rows_of(["".join(texts)]), TASK, "cpu"),
        (base, rows_of(texts), TASK, "cpu:0"),
        (dataclasses.replace(base, fingerprint="e" * 64), rows_of(texts), TASK, "cpu"),
    ]
    for one in others:
        cached_features(*one)
    assert len(loads) == len(others)


def test_another_tokenizer_has_features_of_its_own(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int], tmp_path: Path
) -> None:
    retokenized = tmp_path / "retokenized"
    shutil.copytree(base.folder, retokenized)
    file = retokenized / "tokenizer.json"
    file.write_text(file.read_text().replace('"bishop"', '"bishqp"'))
    other = dataclasses.replace(base, folder=retokenized)
    assert not np.array_equal(
        cached_features(base, rows_of(["bishop pawn"]), TASK, "cpu"),
        cached_features(other, rows_of(["bishop pawn"]), TASK, "cpu"),
    )
    assert len(loads) == 2


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        ("f32", lambda whole: b""),
        ("f32", lambda whole: whole[:-40]),
        ("json", lambda whole: b""),
        ("json", lambda whole: whole[:-40]),
        ("json", lambda whole: b"no index at all"),
        ("json", lambda whole: b"[1, 2]"),
    ],
)
def test_a_damaged_file_is_computed_again(
    suffix: str,
    damage: Callable[[bytes], bytes],
    base: ResolvedModel,
    texts: list[str],
    cache: Path,
    loads: list[int],
) -> None:
    first = cached_features(base, rows_of(texts), TASK, "cpu").copy()
    (file,) = cache.rglob(f"*.{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    assert np.array_equal(first, cached_features(base, rows_of(texts), TASK, "cpu"))
    assert np.array_equal(first, cached_features(base, rows_of(texts), TASK, "cpu"))
    assert loads == [32, 32]  # mended: the third call found it whole


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ZENML_FTVR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "zenml_ftvr"
