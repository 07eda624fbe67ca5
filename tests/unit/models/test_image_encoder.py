"""Pretrained image models: their sizes, their features, and what is frozen of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zenml_ftvr.api import plan_for, profile_dataset, resolve_base
from zenml_ftvr.approaches import ImageShape
from zenml_ftvr.data import Dataset, Rows, dataset_from, rows_of_inputs
from zenml_ftvr.errors import ConfigurationError, ModelError
from zenml_ftvr.models import ResolvedModel, build, cached_features, load_encoder, quiet, resolve
from zenml_ftvr.models.features import ImageEncoder
from zenml_ftvr.profile import profile_data
from zenml_ftvr.report import sections
from zenml_ftvr.report.page import html_of
from zenml_ftvr.values import (
    Budget,
    DataSource,
    Full,
    ImageClassification,
    Lora,
    ModelSource,
    Partial,
    Request,
    Task,
    TextClassification,
    TokenClassification,
)

TASK = ImageClassification()


def png(seed: int, side: int = 8) -> bytes:
    stream = io.BytesIO()
    levels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(levels).save(stream, "PNG")
    return stream.getvalue()


def rows_of(seeds: list[int]) -> Rows:
    return rows_of_inputs([png(seed) for seed in seeds], TASK)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def vit(vit_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(vit_folder)))


@pytest.fixture(scope="module")
def resnet_folder(vit_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolutional network of two stages."""
    from transformers import ResNetConfig, ResNetModel, set_seed

    set_seed(7)
    folder = tmp_path_factory.mktemp("resnet")
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 24], depths=[1, 2], layer_type="basic"
    )
    with quiet():
        ResNetModel(config).save_pretrained(folder)
    settings = json.loads((vit_folder / "preprocessor_config.json").read_text())
    settings["size"] = {"height": 32, "width": 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def images() -> Dataset:
    rows = [{"text": png(seed), "label": "ab"[seed % 2]} for seed in range(60)]
    return dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)


def test_a_vision_transformer_tells_its_sizes(vit: ResolvedModel) -> None:
    found = vit.architecture
    assert (found.layers, found.hidden, found.heads, found.intermediate) == (2, 32, 2, 64)
    assert found.form == "image-encoder"
    assert found.image == ImageShape(image_size=8, patch_size=2, channels=3)
    assert (found.vocabulary_size, found.max_positions) == (0, None)


def test_a_convolutional_network_tells_those_of_its_last_stage(resnet_folder: Path) -> None:
    found = resolve(ModelSource(name=str(resnet_folder))).architecture
    assert (found.layers, found.hidden, found.form) == (3, 24, "image-encoder")
    assert found.image is None


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_features_are_means_over_places(family: str, vit_folder: Path, resnet_folder: Path) -> None:
    import torch

    encoder = load_encoder({"vit": vit_folder, "resnet": resnet_folder}[family], TASK, "cpu")
    assert isinstance(encoder, ImageEncoder)
    found = encoder.features(rows_of([1, 2, 3]))
    assert found.shape == (3, {"vit": 32, "resnet": 24}[family])
    plain = [np.asarray(Image.open(io.BytesIO(png(seed)))) for seed in (1, 2, 3)]
    values = encoder.tokenizer(images=plain, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        states = encoder.model(pixel_values=values).last_hidden_state
    expected = states.flatten(2).mean(2) if states.ndim == 4 else states.mean(1)
    assert found == pytest.approx(expected.numpy(), abs=1e-5)


def test_an_image_is_encoded_once(
    vit: ResolvedModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    of = ImageEncoder.features_of

    def recording(self: Any, images: list[Any]) -> Any:
        asked.append(len(images))
        return of(self, images)

    monkeypatch.setattr(ImageEncoder, "features_of", recording)
    whole = cached_features(vit, rows_of([*range(40), 0, 1]), TASK, "cpu")
    assert sum(asked) == 40
    assert np.array_equal(whole[40:], whole[:2])
    asked.clear()
    again = cached_features(vit, rows_of([5, 3, 50]), TASK, "cpu")
    assert asked == [1]
    assert np.array_equal(again[:2], whole[[5, 3]])
    direct = load_encoder(vit.folder, TASK, "cpu").features(rows_of([5, 3, 50]))
    assert again == pytest.approx(direct, abs=1e-5)


def test_progress_is_in_images(vit: ResolvedModel, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    for _ in range(2):  # the second time from the disk
        cached_features(vit, rows_of(list(range(40))), TASK, "cpu", lambda *one: seen.append(one))
        assert seen[-1] == (40, 40)


def test_partial_trains_the_last_layer_its_norm_and_the_head(
    vit: ResolvedModel, images: Dataset
) -> None:
    plan = plan_for(images, Partial(layers=1), vit.source, TASK, 0)
    made = build(plan, vit, images.train.inputs)
    trains = {name for name, one in made.model.named_parameters() if one.requires_grad}
    assert {name.split(".")[0] for name in trains} == {"vit", "classifier"}
    assert "vit.layernorm.weight" in trains
    assert not any(name.startswith(("vit.embeddings", "vit.layers.0.")) for name in trains)
    assert any(name.startswith("vit.layers.1.") for name in trains)
    assert made.n_frozen == 0  # nothing of an image is kept


def test_adapters_of_a_network_without_linear_layers_are_refused(
    resnet_folder: Path, images: Dataset
) -> None:
    base = resolve(ModelSource(name=str(resnet_folder)))
    plan = plan_for(images, Lora(), base.source, TASK, 0)
    with pytest.raises(ModelError, match=r"takes no LoRA adapters.*Use 'full'"):
        build(plan, base, images.train.inputs)


@pytest.mark.parametrize(
    ("fixture", "task", "said"),
    [
        ("vit_folder", TextClassification(max_length=32), "reads images, but .* is about text"),
        ("vit_folder", TokenClassification(max_length=32), "reads images, but .* is about text"),
        ("bert_folder", TASK, "reads text, but task image-classification is about images"),
    ],
)
def test_a_base_model_of_other_inputs_is_refused(
    fixture: str, task: Task, said: str, request: pytest.FixtureRequest
) -> None:
    asked = Request(
        budget=Budget(hours=1.0),
        approaches=(Full(),),
        base_model=ModelSource(name=str(request.getfixturevalue(fixture))),
        task=task,
    )
    with pytest.raises(ConfigurationError, match=said):
        resolve_base(asked)


def test_images_are_profiled_without_a_tokenizer(vit: ResolvedModel, images: Dataset) -> None:
    asked = Request(budget=Budget(hours=1.0), base_model=vit.source, task=TASK)
    profile = profile_dataset(images, vit, asked)
    assert profile.tokens is None
    assert [count.label for count in profile.classes] == ["a", "b"]


def test_the_profile_of_images_tells_their_sizes() -> None:
    rows = [{"text": png(seed, side=4 + seed % 3), "label": "ab"[seed % 2]} for seed in range(90)]
    some = dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)
    profile = profile_data(some, None, 197)
    assert profile.widths == profile.heights
    assert profile.widths is not None
    assert (profile.widths.minimum, profile.widths.p50, profile.widths.maximum) == (4, 5, 6)
    assert "5 x 5" in html_of(sections.data(profile))
    assert "words in the middle text" not in html_of(sections.data(profile))
