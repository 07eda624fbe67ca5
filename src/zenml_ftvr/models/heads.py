"""The transformers classes that bring each kind of head."""

from __future__ import annotations

from typing import Any, assert_never

from zenml_ftvr.tasks import HeadKind

__all__ = ["auto_class"]


def auto_class(head: HeadKind) -> Any:
    """The class whose `from_pretrained` gives a model with this head."""
    import transformers

    match head:
        case "sequence-classification":
            return transformers.AutoModelForSequenceClassification
        case "token-classification":
            return transformers.AutoModelForTokenClassification
        case "causal-lm":
            return transformers.AutoModelForCausalLM
        case "seq2seq":
            return transformers.AutoModelForSeq2SeqLM
        case "image-classification":
            return transformers.AutoModelForImageClassification
        case _:
            assert_never(head)
