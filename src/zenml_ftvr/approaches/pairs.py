"""Which approach makes sense for which task."""

from __future__ import annotations

from zenml_ftvr.values import (
    CausalLM,
    ImageClassification,
    Kind,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
)

__all__ = ["baseline_words", "most_tokens", "refusal"]

PATCHES = 197
"""Of an image of 224 pixels a side in patches of 16, and the class token: Dosovitskiy et al. 2021,
arXiv 2010.11929, 3.1. What most pretrained models take."""


def refusal(kind: Kind, task: Task) -> str | None:
    """Why an approach cannot do a task, in a sentence; None where it can."""
    match kind, task:
        case "head", CausalLM():
            why = "what a language model ends in is pretrained with it; train 'lora' or 'partial'"
        case "head", Seq2Seq():
            why = "one linear layer on frozen features writes no text; train 'lora' or 'full'"
        case "head", TokenClassification():
            why = "features are of whole texts, not of words; train 'partial' with layers: 1"
        case "partial", Seq2Seq():
            why = "an encoder and a decoder have no one last part above a frozen one; train 'lora'"
        case "contrastive", TextClassification(target="regression"):
            why = "pairs are of equal and of different label, and numbers are hardly ever equal"
        case "contrastive", TextClassification(target="multi"):
            why = "pairs are of equal and of different label, and sets of labels are partly equal"
        case "contrastive", ImageClassification():
            why = "it trains sentence encoders"
        case "contrastive", TokenClassification() | CausalLM() | Seq2Seq():
            why = "it trains features of whole texts, and this task asks for more than one label"
        case "scratch", CausalLM(form="chat"):
            why = "a tokenizer of its own has no chat template; use form: completion"
        case _:
            return None
    return f"'{kind}' does not do {task.kind}: {why}."


def baseline_words(task: Task) -> str:
    """What `baseline` is for a task, within a sentence, in the plural."""
    match task:
        case TextClassification(target="regression"):
            return "word counts and ridge regression"
        case TextClassification():
            return "word counts and logistic regression"
        case TokenClassification():
            return "words, their neighbours and logistic regression"
        case ImageClassification():
            return "pixels of small copies and logistic regression"
        case CausalLM():
            return "counts of which byte follows which"
        case Seq2Seq():
            return "the answers of the nearest known texts"


def most_tokens(task: Task) -> int:
    """Tokens that a row may fill, at most."""
    match task:
        case ImageClassification():
            return PATCHES
        case Seq2Seq():
            return max(task.max_length, task.max_target_length)
        case TextClassification() | TokenClassification() | CausalLM():
            return task.max_length
