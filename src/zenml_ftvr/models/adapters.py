"""Low-rank adapters in a model: all that we ask of PEFT while building one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import lora
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.heads import task_type
from zenml_ftvr.models.precision import this_device, training_precision
from zenml_ftvr.models.pretrained import HEAD_NAMES
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.tasks import HeadKind, Work
from zenml_ftvr.values import Lora

if TYPE_CHECKING:
    from zenml_ftvr.models.build import Trainable

__all__ = ["adapter_config", "base_options", "n_weights", "with_adapters"]

KEPT_IN_32_BITS = (*HEAD_NAMES, "pooler", "lm_head")
"""Not held in 4 bits: layers that start from random weights, and the output embeddings."""


def base_options(approach: Lora) -> dict[str, Any]:
    """What `from_pretrained` is told so that the base is held as the approach wants it."""
    if approach.quantise == "nothing":
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    computed = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computed[training_precision(approach, this_device())],
        llm_int8_skip_modules=list(KEPT_IN_32_BITS),
    )
    return {"quantization_config": quantisation, "device_map": {"": 0}}


def adapter_config(approach: Lora, head: HeadKind, heads: list[str]) -> Any:
    """PEFT's configuration of a resolved approach, with `heads` trained and saved whole."""
    from peft import LoraConfig

    return LoraConfig(
        task_type=task_type(head),
        r=approach.rank or lora.RANK,
        lora_alpha=lora.alpha(approach),
        lora_dropout=lora.dropout(approach),
        use_dora=approach.variant == "dora",
        use_rslora=approach.variant == "rslora",
        target_modules="all-linear",
        modules_to_save=heads or None,  # PEFT loses a head that is not named here
    )


def with_adapters(trainable: Trainable, approach: Lora, work: Work) -> Trainable:
    """The model with adapters on all of its linear layers, which train with its head alone.

    Raises `ModelError` where no classification head is found.
    """
    from peft import get_peft_model, prepare_model_for_kbit_training

    heads = [name for name in HEAD_NAMES if hasattr(trainable.model, name)]
    if not heads and work.head not in ("causal-lm", "seq2seq"):
        raise ModelError(
            f"no classification head found in {type(trainable.model).__name__} (looked for "
            f"{', '.join(HEAD_NAMES)}): its LoRA adapter would be saved without one. Use 'full'."
        )
    model = trainable.model
    with quiet():
        if approach.quantise == "4bit":
            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        try:
            model = get_peft_model(model, adapter_config(approach, work.head, heads))
        except ValueError as error:  # of a convolutional network, which has no linear layers
            raise ModelError(
                f"{type(model).__name__} takes no LoRA adapters ({str(error)[:200]}). Use 'full'."
            ) from error
    return dataclasses.replace(trainable, model=model)


def n_weights(parameter: Any) -> int:
    """How many numbers a parameter stands for; bitsandbytes stores two 4-bit ones in a byte."""
    count: int = parameter.numel()
    return 2 * count if type(parameter).__name__ == "Params4bit" else count
