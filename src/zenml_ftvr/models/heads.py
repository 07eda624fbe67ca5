"""The transformers classes that bring each kind of head."""

from __future__ import annotations

from typing import Any, assert_never

from zenml_ftvr.tasks import HeadKind

__all__ = ["auto_class", "keeps_documents_apart", "task_type"]


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


def task_type(head: HeadKind) -> str | None:
    """What PEFT calls it; None for images, of which PEFT knows no type."""
    match head:
        case "sequence-classification":
            return "SEQ_CLS"
        case "token-classification":
            return "TOKEN_CLS"
        case "causal-lm":
            return "CAUSAL_LM"
        case "seq2seq":
            return "SEQ_2_SEQ_LM"
        case "image-classification":
            return None
        case _:
            assert_never(head)


CLOSE = 1e-3
"""Of the largest logit: what rounding leaves of a difference in 32 bits, with much to spare; a
document that is seen changes logits by far more."""


def keeps_documents_apart(model: Any) -> bool:
    """Whether a document in a block is answered as it is alone: asked of the model, six tokens.

    Families that transformers builds masks for do where positions begin anew; those with a state of
    their own (Mamba, RWKV) or without position ids (BLOOM) do not.
    """
    import torch

    if "position_ids" not in signature_of(model):
        return False
    high = min(6, int(model.config.vocab_size) - 1)
    first, second = [high, 1, high], [2, 1, 2]
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            together = _logits(model, [*first, *second], [0, 1, 2, 0, 1, 2])[3:]
            alone = _logits(model, second, [0, 1, 2])
    finally:
        model.train(was_training)
    return bool((together - alone).abs().max() <= CLOSE * alone.abs().max())


def signature_of(model: Any) -> set[str]:
    """Names of what the model's forward pass takes; of an adapted one, of what it is around."""
    import inspect

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return set(inspect.signature(inner.forward).parameters)


def _logits(model: Any, ids: list[int], positions: list[int]) -> Any:
    import torch

    made = torch.tensor([ids], device=model.device), torch.tensor([positions], device=model.device)
    return model(input_ids=made[0], position_ids=made[1], use_cache=False).logits[0].float()
