"""Build the model and tokenizer that a plan trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import lora, most_tokens, scratch
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.heads import auto_class, task_type
from zenml_ftvr.models.prefix import freeze_below
from zenml_ftvr.models.pretrained import HEAD_NAMES, load_base
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import ResolvedModel, load_tokenizer
from zenml_ftvr.tasks import HeadKind, Work
from zenml_ftvr.values import Full, Lora, Partial, Scratch, TrainingPlan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Trainable", "build", "train_tokenizer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """A model with the head of its task, ready to take optimiser steps."""

    model: Any
    tokenizer: Any
    n_frozen: int = 0
    """Lower layers whose answers do not change while the others are trained."""

    @property
    def n_params(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def n_trainable(self) -> int:
        return sum(
            parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad
        )


def build(
    plan: TrainingPlan, work: Work, base: ResolvedModel | None, texts: Sequence[str]
) -> Trainable:
    """The model of a plan that takes steps on labels; its weights follow from `plan.seed`.

    `texts` is the training split, from which `scratch` trains its tokenizer.
    """
    from transformers import set_seed

    set_seed(plan.seed)
    match plan.approach:
        case Full():
            return _pretrained(work, _required(plan, base))
        case Partial() as approach:
            whole = _pretrained(work, _required(plan, base))
            n_frozen = freeze_below(whole.model, approach.layers or 1)
            return dataclasses.replace(whole, n_frozen=n_frozen)
        case Lora() as approach:
            return _with_adapters(_pretrained(work, _required(plan, base)), approach, work.head)
        case Scratch() as approach:
            return _from_nothing(plan, work, approach, texts)
        case _:
            raise ModelError(f"approach '{plan.kind}' takes no optimiser steps.")


def _required(plan: TrainingPlan, base: ResolvedModel | None) -> ResolvedModel:
    if base is None:
        raise ModelError(f"approach '{plan.kind}' needs a base model; set base_model.name.")
    return base


def _pretrained(work: Work, base: ResolvedModel) -> Trainable:
    model = load_base(auto_class(work.head), base.folder, **work.model_settings())
    tokenizer = load_tokenizer(base.folder)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if work.head == "causal-lm":
        tokenizer.padding_side = "right"  # positions count from the row's first place
    return Trainable(model=model, tokenizer=tokenizer)


def _with_adapters(trainable: Trainable, approach: Lora, head: HeadKind) -> Trainable:
    from peft import LoraConfig, get_peft_model

    rank = approach.rank or lora.RANK
    heads = [name for name in HEAD_NAMES if hasattr(trainable.model, name)]
    if not heads and head not in ("causal-lm", "seq2seq"):  # these end in what is pretrained
        raise ModelError(
            f"no classification head found in {type(trainable.model).__name__} (looked for "
            f"{', '.join(HEAD_NAMES)}): its LoRA adapter would be saved without one. Use 'full'."
        )
    config = LoraConfig(
        task_type=task_type(head),
        r=rank,
        lora_alpha=lora.ALPHA_PER_RANK * rank,
        lora_dropout=lora.DROPOUT,
        target_modules="all-linear",
        modules_to_save=heads or None,  # PEFT loses a head that is not named here
    )
    with quiet():
        model = get_peft_model(trainable.model, config)
    return Trainable(model=model, tokenizer=trainable.tokenizer)


def train_tokenizer(
    texts: Sequence[str], vocabulary_size: int, max_length: int
) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of at most `vocabulary_size` pieces, lower-cased, from `texts`."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import WordPieceTrainer
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    normalizer, pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    # The library numbers the letters that continue a word in the order of a hash table, another in
    # every process, and breaks ties by number. Named first, they give equal texts equal pieces.
    letters = sorted(normalizer.normalize_str("".join(sorted(set().union(*texts)))))
    continuing = [
        f"##{letter}"
        for letter in dict.fromkeys(letters)
        if pre_tokenizer.pre_tokenize_str(f"a{letter}")[0][0] == f"a{letter}"
    ]
    trainer = WordPieceTrainer(
        vocab_size=vocabulary_size, special_tokens=special + continuing, show_progress=False
    )
    counted = Tokenizer(WordPiece(unk_token="[UNK]"))  # noqa: S106  (a token of text)
    counted.normalizer, counted.pre_tokenizer = normalizer, pre_tokenizer
    counted.train_from_iterator(texts, trainer)
    tokenizer = Tokenizer(WordPiece(counted.get_vocab(), unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
    )


def _from_nothing(
    plan: TrainingPlan, work: Work, approach: Scratch, texts: Sequence[str]
) -> Trainable:
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = train_tokenizer(
        texts, approach.vocabulary_size or scratch.MIN_VOCABULARY, most_tokens(plan.task)
    )
    shape = scratch.architecture(
        approach.depth or scratch.MIN_DEPTH, len(tokenizer), most_tokens(plan.task)
    )
    config = BertConfig(
        vocab_size=shape.vocabulary_size,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=most_tokens(plan.task),
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        **work.model_settings(),
    )
    return Trainable(model=BertForSequenceClassification(config), tokenizer=tokenizer)
