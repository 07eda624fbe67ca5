"""At what rate each weight learns, and which are drawn towards zero."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import build, resolve
from zenml_ftvr.train import prepare, trainer_for
from zenml_ftvr.train.optimizers import layer_rates, optimizer_for, plus_rates
from zenml_ftvr.values import Approach, Full, Lora, Partial, TrainingPlan

RATE = 1e-3


@pytest.fixture(scope="session")
def optimised(
    base_folders: dict[str, Path], plan_of: Callable[..., TrainingPlan]
) -> Callable[..., tuple[Any, Any]]:
    """The model of an approach and its optimiser."""

    def make(approach: Approach, family: str = "bert") -> tuple[Any, Any]:
        plan = plan_of(approach, base=base_folders[family])
        model = build(plan, resolve(plan.model), []).model  # type: ignore[arg-type]
        return model, optimizer_for(plan, model)

    return make


def settings(model: Any, optimizer: Any) -> dict[str, tuple[float, float]]:
    """Each trained weight's rate and decay, by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("family", ["bert", "distilbert", "gpt2"])
@pytest.mark.parametrize(
    "approach",
    [Full(learning_rate=RATE), Partial(learning_rate=RATE, layers=1), Lora(learning_rate=RATE)],
    ids=lambda approach: approach.kind,
)
def test_the_defaults_group_weights_as_the_trainer_would(
    approach: Approach, family: str, optimised: Callable[..., tuple[Any, Any]], tmp_path: Path
) -> None:
    from transformers import Trainer, TrainingArguments

    model, optimizer = optimised(approach, family)
    theirs = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(tmp_path), learning_rate=RATE, weight_decay=0.01, report_to=[]
        ),
    ).create_optimizer()
    assert type(optimizer) is type(theirs)
    assert settings(model, optimizer) == settings(model, theirs)
    ours, other = optimizer.defaults, theirs.defaults
    assert {key: ours[key] for key in ("betas", "eps", "fused")} == {
        key: other[key] for key in ("betas", "eps", "fused")
    }


@pytest.mark.parametrize(
    ("family", "depths"),
    [
        # Factors of one half: the layers from the last to the first, then what lies below them.
        (
            "bert",
            {
                r"^(classifier|bert\.pooler)\.": 1.0,
                r"^bert\.encoder\.layer\.1\.": 0.5,
                r"^bert\.encoder\.layer\.0\.": 0.25,
                r"^bert\.embeddings\.": 0.125,
            },
        ),
        (
            "distilbert",
            {
                r"^(pre_)?classifier\.": 1.0,
                r"^distilbert\.transformer\.layer\.1\.": 0.5,
                r"^distilbert\.transformer\.layer\.0\.": 0.25,
                r"^distilbert\.embeddings\.": 0.125,
            },
        ),
        (
            "gpt2",
            {
                r"^(score|transformer\.ln_f)\.": 1.0,
                r"^transformer\.h\.1\.": 0.5,
                r"^transformer\.h\.0\.": 0.25,
                r"^transformer\.w[tp]e\.": 0.125,
            },
        ),
    ],
)
def test_each_lower_layer_learns_at_half_the_rate_of_the_one_above(
    family: str, depths: dict[str, float], optimised: Callable[..., tuple[Any, Any]]
) -> None:
    model, optimizer = optimised(Full(learning_rate=RATE, layer_decay=0.5), family)
    rates = {name: rate for name, (rate, _) in settings(model, optimizer).items()}
    assert rates.keys() == {name for name, _ in model.named_parameters()}
    for name, rate in rates.items():
        (factor,) = [depths[pattern] for pattern in depths if re.search(pattern, name)]
        assert rate == pytest.approx(RATE * factor), name


def test_the_rate_that_is_logged_is_the_plans(optimised: Callable[..., tuple[Any, Any]]) -> None:
    for approach in (
        Full(learning_rate=RATE, layer_decay=0.5),
        Lora(learning_rate=RATE, plus_ratio=16),
    ):
        _, optimizer = optimised(approach)
        assert optimizer.param_groups[0]["lr"] == RATE


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_with_lora_plus_the_b_matrices_alone_learn_faster(
    family: str, optimised: Callable[..., tuple[Any, Any]]
) -> None:
    model, optimizer = optimised(Lora(learning_rate=RATE, plus_ratio=16.0), family)
    rates = {name: rate for name, (rate, _) in settings(model, optimizer).items()}
    fast = {name for name, rate in rates.items() if rate == pytest.approx(16 * RATE)}
    assert fast == {name for name in rates if ".lora_B." in name}
    assert {rates[name] for name in rates.keys() - fast} == {RATE}
    assert any(".lora_A." in name for name in rates)
    assert any(".modules_to_save." in name for name in rates)


def test_adapters_of_embeddings_have_b_matrices_too() -> None:
    rate = plus_rates(4.0)
    assert rate("base_model.wte.lora_embedding_B.default") == 4.0
    assert rate("base_model.wte.lora_embedding_A.default") == 1.0


def test_doras_column_lengths_are_not_drawn_towards_zero(
    optimised: Callable[..., tuple[Any, Any]],
) -> None:
    model, optimizer = optimised(Lora(learning_rate=RATE, variant="dora"))
    decays = {name: decay for name, (_, decay) in settings(model, optimizer).items()}
    lengths = {name for name in decays if "lora_magnitude_vector" in name}
    assert len(lengths) == len({name for name in decays if ".lora_A." in name}) > 0
    assert {decays[name] for name in lengths} == {0.0}
    assert all(decays[name] > 0 for name in decays if ".lora_B." in name)


def test_layers_that_have_no_single_order_are_refused() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=2, num_heads=2)
    model = T5ForConditionalGeneration(config)
    assert layer_rates(model, 1.0)("anything") == 1.0
    with pytest.raises(ConfigurationError, match=r"layer_decay is 0\.9, .*Set it to 1"):
        layer_rates(model, 0.9)


@pytest.mark.parametrize(
    "approach",
    [
        Full(learning_rate=4e-3, epochs=8, layer_decay=0.7),
        Lora(learning_rate=2e-3, epochs=10, rank=8, batch_size=8, plus_ratio=4.0),
        Lora(learning_rate=4e-3, epochs=10, rank=8, batch_size=8, variant="dora"),
        Lora(learning_rate=4e-3, epochs=10, rank=8, batch_size=8, variant="rslora"),
    ],
    ids=["layer-decay", "lora+", "dora", "rslora"],
)
def test_it_learns_and_each_weight_follows_its_own_schedule(
    approach: Approach, plan_of: Callable[..., TrainingPlan], dataset: Dataset, tmp_path: Path
) -> None:
    plan = plan_of(approach)
    prepared = prepare(plan, dataset, resolve(plan.model))  # type: ignore[arg-type]
    trainer = trainer_for(plan, prepared, tmp_path, [], evaluates=False)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    # A linear schedule ends every group at zero, whatever it began with.
    assert {group["lr"] for group in trainer.optimizer.param_groups} == {0.0}
    assert all(torch.isfinite(weight).all() for weight in prepared.trainable.model.parameters())
