"""Weights that are missing: a new head is wanted, anything else is refused."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import build, load, load_encoder, resolve
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Approach,
    Full,
    Hardware,
    Kind,
    ModelSource,
    TextClassification,
    TrainedModel,
    TrainingPlan,
)


def drop(file: Path, part: str) -> None:
    """Take the weights with `part` in their names out of a safetensors file."""
    from safetensors.torch import load_file, save_file

    weights = load_file(file)
    left = {name: tensor for name, tensor in weights.items() if part not in name}
    assert 0 < len(left) < len(weights)
    save_file(left, file, metadata={"format": "pt"})


@pytest.fixture
def copy(bert_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert_folder, tmp_path / "copy"))


def test_a_base_model_that_lacks_a_layer_is_refused(
    copy: Path, plan_of: Callable[..., TrainingPlan]
) -> None:
    drop(copy / "model.safetensors", "layer.1.attention.self.query")
    base = resolve(ModelSource(name=str(copy)))
    said = r"lacks weights of .*layer\.1\.attention\.self\.query.*start from random"
    with pytest.raises(ModelError, match=said):
        build(plan_of(Full(), base=copy), base, [])
    with pytest.raises(ModelError, match=said):
        load_encoder(copy, TextClassification(max_length=32), "cpu")


def test_a_base_model_may_lack_its_pooler(copy: Path, plan_of: Callable[..., TrainingPlan]) -> None:
    drop(copy / "model.safetensors", "pooler")
    base = resolve(ModelSource(name=str(copy)))
    assert build(plan_of(Full(), base=copy), base, []).n_params > base.architecture.n_params


@pytest.mark.parametrize("kind", ["head", "full", "lora"])
def test_a_head_that_was_made_for_other_labels_is_replaced(
    kind: Kind,
    trained: Callable[[Kind], TrainedModel],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    rows = [pair for pair in zip(*make_texts(240), strict=True) if pair[1] != "chess"]
    two = split([text for text, _ in rows], [label for _, label in rows])
    three = Path(trained("full").path)  # a classifier of three labels as the base model
    plan = plan_of(learns[kind], of=two, base=three)
    loaded = load(run_plan(plan, two, tmp_path / "model", hardware).path)
    answers = loaded.predict(["flour oven butter", "keel mast rudder"])
    assert [answer.label for answer in answers] == ["cooking", "sailing"]
    assert set(answers[0].probabilities) == {"cooking", "sailing"}


def forget_hashes(folder: Path) -> None:
    """Make the folder one that was saved before hashes were recorded."""
    manifest = folder / "ftvr.json"
    content = json.loads(manifest.read_text())
    content["files"] = None
    manifest.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "file", "part"),
    [
        ("full", "model.safetensors", "classifier"),
        ("scratch", "model.safetensors", "pooler"),
        ("lora", "adapter_model.safetensors", "classifier"),
        ("lora", "adapter_model.safetensors", "layer.0.output.dense.lora_B"),
    ],
)
def test_a_trained_model_that_lacks_any_weight_is_refused(
    kind: Kind,
    file: str,
    part: str,
    trained: Callable[[Kind], TrainedModel],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(trained(kind).path, tmp_path / "copy"))
    load(folder)
    drop(folder / file, part)
    with pytest.raises(ModelError, match=file):  # by its hash, where that was recorded
        load(folder)
    forget_hashes(folder)
    with pytest.raises(ModelError, match=rf"lacks weights .*{part.split('.')[0]}"):
        load(folder)


def test_making_a_new_head_is_no_news(
    bert_folder: Path,
    plan_of: Callable[..., TrainingPlan],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = resolve(ModelSource(name=str(bert_folder)))
    with caplog.at_level(logging.WARNING):
        build(plan_of(Full()), base, [])
    printed = capfd.readouterr()
    assert (printed.out, printed.err, caplog.text) == ("", "", "")
