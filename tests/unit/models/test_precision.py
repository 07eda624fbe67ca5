"""What a device computes with, and what it is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import (
    Device,
    device_refusal,
    load,
    precision_for,
    require,
    resolve,
    this_device,
    training_precision,
)
from zenml_ftvr.train import prepare, run_plan, trainer_for
from zenml_ftvr.values import (
    Approach,
    Contrastive,
    Full,
    Hardware,
    Kind,
    Lora,
    Partial,
    Precision,
    Scratch,
    TrainingPlan,
)

CPU = Device(kind="cpu", has_bf16=True, has_bitsandbytes=False)
AMPERE = Device(kind="cuda", has_bf16=True, has_bitsandbytes=True)
TURING = Device(kind="cuda", has_bf16=False, has_bitsandbytes=True)
APPLE = Device(kind="mps", has_bf16=True, has_bitsandbytes=False)
OLD_APPLE = Device(kind="mps", has_bf16=False, has_bitsandbytes=False)


@pytest.mark.parametrize(
    ("device", "auto", "bf16", "fp16"),
    [
        (AMPERE, "bf16", "bf16", "fp16"),
        (TURING, "fp16", None, "fp16"),
        (CPU, "fp32", "bf16", None),
        (APPLE, "fp32", "bf16", "fp16"),
        (OLD_APPLE, "fp32", None, "fp16"),
    ],
    ids=["ampere", "turing", "cpu", "apple", "old-apple"],
)
def test_each_device_has_its_precisions(
    device: Device, auto: str, bf16: str | None, fp16: str | None
) -> None:
    assert precision_for("auto", device) == auto
    assert precision_for("fp32", device) == "fp32"
    wanted: Precision
    for wanted, answer in (("bf16", bf16), ("fp16", fp16)):
        if answer is not None:
            assert precision_for(wanted, device) == answer
            continue
        with pytest.raises(ConfigurationError, match=f"precision is '{wanted}'.* Use .*'fp32'"):
            precision_for(wanted, device)


def test_a_precision_that_nobody_has_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"precision is 'fp8'\. Use 'auto'"):
        precision_for("fp8", CPU)  # type: ignore[arg-type]


@pytest.mark.parametrize("approach", [Partial, Full, Lora, Scratch])
def test_every_stepped_approach_has_the_knob(approach: type[Full]) -> None:
    assert training_precision(approach(precision="bf16"), CPU) == "bf16"
    assert training_precision(approach(), AMPERE) == "bf16"
    assert "fp16" in (device_refusal(approach(precision="fp16"), CPU) or "")


def test_pairs_are_trained_in_32_bits() -> None:
    assert training_precision(Contrastive(), AMPERE) == "fp32"


@pytest.mark.parametrize(
    ("approach", "knob", "otherwise"),
    [
        (Lora(quantise="4bit"), "quantise is '4bit'", "quantise: nothing"),
        (Full(optimiser="adamw_8bit"), "optimiser is 'adamw_8bit'", "optimiser: adamw"),
    ],
)
def test_what_needs_a_card_or_a_package_is_refused_without(
    approach: Approach, knob: str, otherwise: str
) -> None:
    for device in (CPU, APPLE):
        why = device_refusal(approach, device)
        assert why is not None
        assert knob in why
        assert f"'{device.kind}'" in why
        assert otherwise in why
    without = Device(kind="cuda", has_bf16=True, has_bitsandbytes=False)
    why = device_refusal(approach, without)
    assert why is not None
    assert "pip install 'zenml-ftvr[cuda]'" in why
    assert device_refusal(approach, AMPERE) is None
    with pytest.raises(ConfigurationError, match=knob):
        require(approach, CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would be trained")
@pytest.mark.parametrize(
    "approach",
    [Lora(quantise="4bit"), Full(optimiser="adamw_8bit"), Full(precision="fp16")],
    ids=["4bit", "8bit", "fp16"],
)
def test_nothing_is_loaded_or_written_for_what_is_refused(
    approach: Approach,
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_of(approach)
    monkeypatch.setattr("zenml_ftvr.train.run.resolve", None)  # whoever asks for the base fails
    with pytest.raises(ConfigurationError, match=r"Set|Use"):
        run_plan(plan, dataset, tmp_path / "in" / "model", hardware)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto is another there")
def test_this_machine_computes_with_32_bits_unless_told_otherwise() -> None:
    assert precision_for("auto", this_device()) == "fp32"


def after_steps(
    plan: TrainingPlan, dataset: Dataset, work: Path
) -> tuple[dict[str, torch.Tensor], list[float]]:
    """The weights after a plan's steps, and the losses on the way."""
    base = None if plan.model is None else resolve(plan.model)
    prepared = prepare(plan, dataset, base)
    trainer = trainer_for(plan, prepared, work, [], evaluates=False)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return dict(prepared.trainable.model.state_dict()), losses


STEPPED: tuple[Kind, ...] = ("partial", "full", "lora", "scratch")


@pytest.mark.parametrize("kind", STEPPED)
def test_bf16_learns_on_a_cpu(
    kind: Kind,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    plan = plan_of(dataclasses.replace(learns[kind], precision="bf16"))  # type: ignore[call-arg]
    weights, losses = after_steps(plan, dataset, tmp_path)
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert {tensor.dtype for tensor in weights.values()} <= {torch.float32, torch.int64}


@pytest.mark.parametrize("kind", STEPPED)
def test_in_bf16_too_equal_plans_give_equal_weights(
    kind: Kind,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    def weights(precision: str) -> dict[str, torch.Tensor]:
        approach = dataclasses.replace(learns[kind], precision=precision)  # type: ignore[call-arg]
        return after_steps(plan_of(approach, max_steps=6), dataset, tmp_path)[0]

    first, again, plain = weights("bf16"), weights("bf16"), weights("fp32")
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not all(torch.equal(tensor, plain[name]) for name, tensor in first.items())


@pytest.mark.parametrize("kind", ["partial", "full"])
def test_what_was_trained_in_bf16_is_saved_and_used_in_32_bits(
    kind: Kind,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    from safetensors.torch import load_file

    approach = dataclasses.replace(learns[kind], precision="bf16")  # type: ignore[call-arg]
    plan = plan_of(approach, max_steps=40, eval_every_steps=40)
    trained = run_plan(plan, dataset, tmp_path / "model", hardware)
    stored = load_file(tmp_path / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}
    logits = load(trained.path).logits(dataset.validation.texts)
    right = logits.argmax(1) == dataset.label_ids(dataset.validation)
    seen = {point.metric: point.value for point in trained.curve}
    assert abs(right.mean() - seen["eval/accuracy"]) < 0.06  # at most two rows of 39 on the edge
