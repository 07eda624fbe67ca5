"""Adapters of each variant: trained, saved, read again, and merged into an ordinary model."""

from __future__ import annotations

import importlib.metadata
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import build, load, merge_adapters, resolve
from zenml_ftvr.models.adapters import adapter_config, base_options, n_weights
from zenml_ftvr.models.folder import write_manifest
from zenml_ftvr.models.merge import TOLERANCE
from zenml_ftvr.train import prepare, run_plan, trainer_for
from zenml_ftvr.values import Hardware, Kind, Lora, TrainedModel, TrainingPlan

VARIANTS = ("lora", "dora", "rslora")
FAMILIES = ("bert", "distilbert", "gpt2")
ADAPTERS_FILE = "adapter_model.safetensors"


@pytest.fixture(scope="session")
def adapted(
    plan_of: Callable[..., TrainingPlan],
    base_folders: dict[str, Path],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """The folder of a model with adapters of a variant, a few fast steps old: made once."""
    done: dict[tuple[str, str], Path] = {}

    def make(variant: str, family: str = "bert") -> Path:
        if (variant, family) not in done:
            approach = Lora(
                learning_rate=1e-2,
                rank=4,
                batch_size=8,
                variant=variant,  # type: ignore[arg-type]
            )
            plan = plan_of(approach, base=base_folders[family], max_steps=12, eval_every_steps=12)
            folder = tmp_path_factory.mktemp("adapted") / f"{variant}-{family}"
            run_plan(plan, dataset, folder, hardware)
            done[variant, family] = folder
        return done[variant, family]

    return make


@pytest.mark.parametrize(
    ("variant", "rank", "scale"),
    [
        ("lora", 4, 2.0),
        ("lora", 64, 2.0),
        ("dora", 16, 2.0),
        ("rslora", 16, 2.0),
        ("rslora", 64, 1.0),
    ],
)
def test_an_update_is_scaled_by_two_at_rank_16_and_with_the_root_in_rslora(
    variant: Any, rank: int, scale: float, plan_of: Callable[..., TrainingPlan]
) -> None:
    plan = plan_of(Lora(rank=rank, variant=variant))
    model = build(plan, resolve(plan.model), []).model  # type: ignore[arg-type]
    scales = {module.scaling["default"] for module in model.modules() if hasattr(module, "lora_A")}
    assert scales == {scale}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_all_linear_layers_and_nothing_else_get_adapters(
    variant: Any, family: str, plan_of: Callable[..., TrainingPlan], base_folders: dict[str, Path]
) -> None:
    plan = plan_of(Lora(rank=2, variant=variant), base=base_folders[family])
    model = build(plan, resolve(plan.model), []).model  # type: ignore[arg-type]
    adapted = {name for name, module in model.named_modules() if hasattr(module, "lora_A")}
    per_layer = {"bert": 6, "distilbert": 6, "gpt2": 4}[family]  # GPT-2 has one for q, k and v
    assert len({name for name in adapted if ".layer." in name or ".h." in name}) == 2 * per_layer
    lengths = [name for name, _ in model.named_parameters() if "lora_magnitude_vector" in name]
    assert len(lengths) == (len(adapted) if variant == "dora" else 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_comes_back_and_merges_with_the_same_logits(
    variant: str, family: str, adapted: Callable[..., Path], dataset: Dataset, tmp_path: Path
) -> None:
    folder = adapted(variant, family)
    texts = dataset.test.texts
    apart = load(folder)
    merged = load(merge_adapters(folder, tmp_path / "merged", texts))
    assert (merged.kind, merged.labels) == ("lora", apart.labels)
    scale = max(1.0, float(np.abs(apart.logits(texts)).max()))
    np.testing.assert_allclose(
        merged.logits(texts), apart.logits(texts), atol=TOLERANCE * scale, rtol=0
    )
    # The steps have moved the adapters: merging nothing would be no test.
    from safetensors.torch import load_file

    stored = load_file(folder / ADAPTERS_FILE)
    assert all(tensor.any() for name, tensor in stored.items() if ".lora_B." in name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_was_trained_is_what_was_saved(
    variant: Any,
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    from zenml_ftvr.models import save_trainable

    plan = plan_of(Lora(learning_rate=1e-2, rank=4, batch_size=8, variant=variant), max_steps=8)
    base = resolve(plan.model)  # type: ignore[arg-type]
    prepared = prepare(plan, dataset, base)
    trainer_for(plan, prepared, tmp_path / "work", [], evaluates=False).train()
    save_trainable(prepared.trainable, base, plan, prepared.work, tmp_path / "model")
    rows = [prepared.validation[index] for index in range(len(prepared.validation))]
    batch = prepared.collate(rows)
    batch.pop("labels")
    with torch.no_grad():
        here = prepared.trainable.model.eval()(**batch).logits.numpy()
    back = load(tmp_path / "model").logits(dataset.validation.texts)
    np.testing.assert_allclose(back, here, atol=1e-5)


def test_a_merged_folder_is_an_ordinary_model_to_others(
    adapted: Callable[..., Path], dataset: Dataset, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    into = merge_adapters(adapted("lora"), tmp_path / "deep" / "merged")
    assert into == tmp_path / "deep" / "merged"
    assert [path.name for path in into.parent.iterdir()] == ["merged"]  # nothing half-done beside
    assert not list(into.glob("adapter*"))
    assert (into / "README.md").read_text() == (adapted("lora") / "README.md").read_text()
    model = AutoModelForSequenceClassification.from_pretrained(into).eval()
    assert tuple(model.config.id2label.values()) == dataset.labels
    tokenizer = AutoTokenizer.from_pretrained(into)
    batch = tokenizer(dataset.test.texts[:5], padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**batch).logits.numpy()
    np.testing.assert_allclose(theirs, load(into).logits(dataset.test.texts[:5]), atol=1e-5)


def test_a_merged_model_needs_its_base_no_more(
    adapted: Callable[..., Path], base_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "apart"
    shutil.copytree(adapted("lora"), folder)
    base = tmp_path / "base"
    shutil.copytree(base_folders["bert"], base)
    manifest = json.loads((folder / "ftvr.json").read_text())
    manifest["base"]["name"] = str(base)
    (folder / "ftvr.json").write_text(json.dumps(manifest))
    into = merge_adapters(folder, tmp_path / "merged")
    shutil.rmtree(base)
    assert load(into).predict(["bishop pawn castle"])[0].label in load(into).labels
    with pytest.raises(ModelError, match="no such folder"):
        load(folder)


def test_a_folder_that_does_not_say_holds_adapters_if_it_is_lora(
    adapted: Callable[..., Path], dataset: Dataset, tmp_path: Path
) -> None:
    # As folders were written before there was merging.
    manifest = json.loads((adapted("lora") / "ftvr.json").read_text())
    assert "weights" not in manifest
    assert load(adapted("lora")).kind == "lora"
    into = merge_adapters(adapted("lora"), tmp_path / "merged")
    merged = json.loads((into / "ftvr.json").read_text())
    assert merged == {**manifest, "weights": "whole", "files": merged["files"]}
    assert "model.safetensors" in merged["files"]


@pytest.fixture
def drowning(adapted: Callable[..., Path], tmp_path: Path) -> Path:
    """Adapters whose update is so large, and so nearly without effect, that in 32 bits the sum with
    the base's weights keeps few of their digits."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "drowning"
    shutil.copytree(adapted("lora"), folder)
    stored = load_file(folder / ADAPTERS_FILE)
    for name, tensor in stored.items():
        if ".layer.1.attention.self.query.lora_A" in name:
            # The states come from a norm, so that their numbers add up to next to nothing.
            stored[name] = torch.full_like(tensor, 1e5)
        elif ".layer.1.attention.self.query.lora_B" in name:
            stored[name] = torch.full_like(tensor, 10.0)
    save_file(stored, folder / ADAPTERS_FILE, metadata={"format": "pt"})
    write_manifest(json.loads((folder / "ftvr.json").read_text()), folder)
    return folder


def test_a_merge_that_answers_differently_is_refused_and_leaves_nothing(
    drowning: Path, dataset: Dataset, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError, match=r"answer differently: by up to .* Nothing was written"):
        merge_adapters(drowning, tmp_path / "merged", dataset.test.texts)
    assert sorted(tmp_path.iterdir()) == before


def test_a_head_that_is_lost_in_writing_is_noticed(
    adapted: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft.tuners.lora import LoraModel

    whole = LoraModel.merge_and_unload

    def with_another_head(self: Any, *arguments: Any, **named: Any) -> Any:
        model = whole(self, *arguments, **named)
        torch.nn.init.normal_(model.classifier.weight)
        return model

    monkeypatch.setattr(LoraModel, "merge_and_unload", with_another_head)
    with pytest.raises(ModelError, match="answer differently"):
        merge_adapters(adapted("lora"), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_damaged_adapters_are_refused(adapted: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "damaged"
    shutil.copytree(adapted("lora"), folder)
    stored = load_file(folder / ADAPTERS_FILE)
    name = next(name for name in stored if ".lora_B." in name)
    stored[name][0, 0] = math.nan
    save_file(stored, folder / ADAPTERS_FILE, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors was changed after it was"):
        merge_adapters(folder, tmp_path / "merged")
    write_manifest(json.loads((folder / "ftvr.json").read_text()), folder)
    with pytest.raises(ModelError, match=r"not finite.*Copy or train the model again"):
        merge_adapters(folder, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_what_has_no_adapters_is_not_merged(
    trained: Callable[[Kind], TrainedModel], adapted: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="whole 'full' model: it has no adapters"):
        merge_adapters(trained("full").path, tmp_path / "merged")
    into = merge_adapters(adapted("lora"), tmp_path / "merged")
    with pytest.raises(ModelError, match="whole 'lora' model"):
        merge_adapters(into, tmp_path / "again")
    with pytest.raises(ModelError, match="exists already"):
        merge_adapters(adapted("lora"), into)


def test_a_base_in_four_bits_is_asked_for_as_qlora_does(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.metadata.version
    # transformers looks for the package as soon as it is configured.
    monkeypatch.setattr(
        "importlib.metadata.version",
        lambda name: "0.46.1" if name == "bitsandbytes" else known(name),
    )
    options = base_options(Lora(quantise="4bit"))
    asked = options["quantization_config"]
    assert (asked.load_in_4bit, asked.bnb_4bit_quant_type) == (True, "nf4")
    assert asked.bnb_4bit_use_double_quant
    assert {"classifier", "score", "pooler"} <= set(asked.llm_int8_skip_modules)


def test_an_ordinary_base_is_asked_for_as_before() -> None:
    assert base_options(Lora()) == {}


def test_two_weights_of_four_bits_in_a_byte_are_counted_as_two() -> None:
    class Params4bit(torch.nn.Parameter):
        """Named as bitsandbytes names it."""

    assert n_weights(torch.nn.Parameter(torch.zeros(6, 2))) == 12
    assert n_weights(torch.nn.Parameter(torch.zeros(6, 1)).as_subclass(Params4bit)) == 12


def test_the_head_is_saved_with_the_adapters() -> None:
    config = adapter_config(Lora(rank=4), "sequence-classification", ["classifier"])
    assert config.modules_to_save == ["classifier"]
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 8, 0.05)
    assert adapter_config(Lora(rank=4, variant="dora"), "causal-lm", []).lora_dropout == 0.0
