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

from zenml_ftvr.data import Dataset
from zenml_ftvr.models import ResolvedModel, cached_features, features, load_encoder, resolve
from zenml_ftvr.values import ModelSource

FAMILIES = ("bert", "distilbert", "gpt2")


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
    return tmp_path / "cache" / "features"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The `max_length` of every encoder that is loaded from now on."""
    seen: list[int] = []

    def recording(folder: Path, max_length: int, device: str) -> features.Encoder:
        seen.append(max_length)
        return load_encoder(folder, max_length, device)

    monkeypatch.setattr(features, "load_encoder", recording)
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_the_mean_of_the_last_hidden_states(
    family: str, base_folders: dict[str, Path], texts: list[str]
) -> None:
    encoder = load_encoder(base_folders[family], 32, "cpu")
    found = encoder.features(texts)
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
    encoder = load_encoder(base_folders[family], 32, "cpu")
    order = np.random.default_rng(3).permutation(len(texts))
    there = encoder.features([texts[index] for index in order])
    assert there == pytest.approx(encoder.features(texts)[order], abs=1e-5)


def test_what_is_beyond_the_longest_input_does_not_count(bert_folder: Path) -> None:
    encoder = load_encoder(bert_folder, 8, "cpu")
    start = "bishop pawn castle gambit rook knight"
    short, long, other = encoder.features([start, f"{start} tide tide", "tide tide tide"])
    assert short == pytest.approx(long, abs=1e-6)
    assert np.abs(short - other).max() > 0.01


def test_progress_is_told_in_tokens_up_to_all_of_them(bert_folder: Path, texts: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    encoder = load_encoder(bert_folder, 32, "cpu")
    encoder.features(texts, lambda done, total: seen.append((done, total)))
    total = sum(len(ids) for ids in encoder.tokenizer(texts)["input_ids"])
    assert len(seen) == 3  # batches of 32
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (total, total)
    assert seen[0][0] > total * 32 / 70  # the longest texts come first


def test_no_texts_have_no_features(bert_folder: Path) -> None:
    assert load_encoder(bert_folder, 32, "cpu").features([]).shape == (0, 32)


def test_features_are_computed_once_and_come_back_the_same(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int]
) -> None:
    first = cached_features(base, texts, 32, "cpu")
    again = cached_features(base, texts, 32, "cpu")
    assert loads == [32]
    assert np.array_equal(first, again)
    assert np.array_equal(first, load_encoder(base.folder, 32, "cpu").features(texts))
    assert [file.suffix for file in cache.iterdir()] == [".npy"]  # no half of a file


def test_another_input_has_features_of_its_own(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int], tmp_path: Path
) -> None:
    retokenized = tmp_path / "retokenized"
    shutil.copytree(base.folder, retokenized)
    with (retokenized / "tokenizer_config.json").open("a") as stream:
        stream.write("\n")
    others: list[tuple[ResolvedModel, Sequence[str], int, str]] = [
        (base, texts, 32, "cpu"),
        (base, texts, 16, "cpu"),
        (base, texts[::-1], 32, "cpu"),
        (base, texts[:-1], 32, "cpu"),
        (base, ["".join(texts)], 32, "cpu"),
        (base, texts, 32, "cpu:0"),
        (dataclasses.replace(base, fingerprint="e" * 64), texts, 32, "cpu"),
        (dataclasses.replace(base, folder=retokenized), texts, 32, "cpu"),
    ]
    for one in others:
        cached_features(*one)
    assert len(loads) == len(others) == len(list(cache.iterdir()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:5],
        lambda whole: whole[:-40],
        lambda whole: b"\0" * len(whole),
        lambda whole: b"no array at all",
    ],
    ids=["empty", "head cut", "tail cut", "zeros", "text"],
)
def test_a_damaged_file_is_computed_again(
    damage: Callable[[bytes], bytes],
    base: ResolvedModel,
    texts: list[str],
    cache: Path,
    loads: list[int],
) -> None:
    first = cached_features(base, texts, 32, "cpu").copy()
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert np.array_equal(first, cached_features(base, texts, 32, "cpu"))
    assert np.array_equal(first, cached_features(base, texts, 32, "cpu"))
    assert loads == [32, 32]  # mended: the third call found it whole


def test_a_file_of_other_rows_is_computed_again(
    base: ResolvedModel, texts: list[str], cache: Path, loads: list[int]
) -> None:
    first = cached_features(base, texts, 32, "cpu").copy()
    (file,) = cache.iterdir()
    np.save(file, first[:-1])
    assert np.array_equal(first, cached_features(base, texts, 32, "cpu"))
    assert loads == [32, 32]


def test_nothing_is_kept_of_features_that_could_not_be_written(
    base: ResolvedModel, texts: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(stream: Any, array: Any, **_: Any) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        cached_features(base, texts, 32, "cpu")
    assert list(cache.iterdir()) == []


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path))
    assert features.cache_folder() == tmp_path
    monkeypatch.delenv("ZENML_FTVR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert features.cache_folder() == tmp_path / "xdg" / "zenml_ftvr"
