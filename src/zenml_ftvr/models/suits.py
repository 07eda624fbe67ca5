"""Whether a base model can do a task: read off its configuration, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import CausalLM, ModelSource, Seq2Seq, Task

__all__ = ["refuse_other_forms"]

DECODERS = "a decoder such as GPT-2, Llama or Qwen"
PAIRS = "an encoder-decoder such as T5 or BART"


def refuse_other_forms(source: ModelSource, folder: Path, task: Task) -> None:
    """Raise `ConfigurationError` where a task that writes text is given a model that does not."""
    wanted = {"causal-lm": DECODERS, "seq2seq": PAIRS}.get(task.kind)
    if wanted is None:
        return
    from transformers import AutoConfig

    form = _form(
        AutoConfig.from_pretrained(folder, trust_remote_code="remote_code" in source.allow)
    )
    if isinstance(task, CausalLM) and form != "a decoder":
        _refuse(source, form, task, wanted)
    if isinstance(task, Seq2Seq) and form != "an encoder-decoder":
        _refuse(source, form, task, wanted)


def _refuse(source: ModelSource, form: str, task: Task, wanted: str) -> None:
    raise ConfigurationError(
        f"base model '{source.name}' is {form}, and {task.kind} needs {wanted}. Name one as "
        f"base_model.name, or offer only approaches that need none ('baseline', 'scratch')."
    )


def _form(config: Any) -> str:
    """What a configuration describes.

    transformers makes a decoder of encoders that fill in masks (BERT and its kin) when it is asked
    to; they were not trained as one unless their configuration says so.
    """
    from transformers.models.auto import modeling_auto

    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        known = kind in modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
        return "an encoder-decoder" if known else "no model that writes text"
    if "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {}):
        return "a decoder"  # by code of its own
    if kind not in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "an encoder"
    fills_masks = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return "an encoder" if fills_masks and not config.is_decoder else "a decoder"
