"""What turns inputs into numbers, read from a model's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.processors import load_processor


def settings_in(folder: Path) -> Path:
    return folder / "preprocessor_config.json"


@pytest.fixture
def folder(vit_folder: Path, tmp_path: Path) -> Path:
    """A model's configuration and its image processor's, to be changed."""
    for file in ("config.json", "preprocessor_config.json"):
        (tmp_path / file).write_bytes((vit_folder / file).read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    "named", ["ViTImageProcessor", "ViTImageProcessorFast", "ViTImageProcessorPil", None]
)
def test_an_image_processor_loads_without_torchvision(named: str | None, folder: Path) -> None:
    content = json.loads(settings_in(folder).read_text())
    if named is None:  # as older models have it
        del content["image_processor_type"]
    else:
        content["image_processor_type"] = named
    settings_in(folder).write_text(json.dumps(content))
    processor = load_processor(folder, "image-classification")
    assert type(processor).__name__ == "ViTImageProcessorPil"
    assert (processor.size["height"], processor.size["width"]) == (8, 8)


@pytest.mark.parametrize("family", ["beit", "convnext", "bit", "deit"])
def test_those_of_other_families_do_too(family: str, folder: Path) -> None:
    names = {"beit": "Beit", "convnext": "ConvNext", "bit": "Bit", "deit": "DeiT"}
    content = json.loads(settings_in(folder).read_text())
    content["image_processor_type"] = f"{names[family]}ImageProcessor"
    settings_in(folder).write_text(json.dumps(content))
    processor = load_processor(folder, "image-classification")
    assert type(processor).__name__.endswith("ImageProcessorPil")


def test_a_folder_without_one_says_what_to_give(folder: Path) -> None:
    settings_in(folder).unlink()
    with pytest.raises(ModelError, match=r"image processor in .* does not load.*save_pretrained"):
        load_processor(folder, "image-classification")


def test_a_damaged_one_says_so(folder: Path) -> None:
    settings_in(folder).write_text('{"size": ')
    with pytest.raises(ModelError, match=r"image processor in .* does not load"):
        load_processor(folder, "image-classification")


def test_a_text_models_folder_gives_its_tokenizer(bert_folder: Path) -> None:
    tokenizer = load_processor(bert_folder, "sequence-classification")
    assert tokenizer("pawn")["input_ids"]


def test_only_tagging_puts_a_blank_before_words(gpt2_folder: Path) -> None:
    tagging = load_processor(gpt2_folder, "token-classification")
    plain = load_processor(gpt2_folder, "sequence-classification")
    assert tagging("pawn")["input_ids"] == plain(" pawn")["input_ids"]
    assert tagging("pawn")["input_ids"] != plain("pawn")["input_ids"]
