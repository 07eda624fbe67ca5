"""Train an encoder on pairs of texts: alike where labels are equal, unlike where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zenml_ftvr.approaches import WEIGHT_DECAY, most_tokens
from zenml_ftvr.models import Encoder, quiet
from zenml_ftvr.tasks.text_classification import encode
from zenml_ftvr.train.loop import LOGGED_POINTS
from zenml_ftvr.values import TrainingPlan

__all__ = ["train_on_pairs"]


def train_on_pairs(
    encoder: Encoder,
    texts: Sequence[str],
    pairs: Sequence[tuple[int, int, float]],
    plan: TrainingPlan,
    work_folder: Path,
    callbacks: list[Any],
) -> Any:
    """Take the steps of `plan`, on batches of pairs; the encoder's model is trained in place.

    The loss is SetFit's: the mean squared error of the cosine similarity of two texts' mean-pooled
    features against each pair's third member (Tunstall et al. 2022, arXiv 2209.11055, 3.1). Returns
    the transformers `TrainerState`; `callbacks` are its `TrainerCallback`s. Nothing is saved.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
    from transformers.trainer_callback import PrinterCallback

    model, tokenizer, max_length = encoder.model, encoder.tokenizer, most_tokens(plan.task)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(work_folder),
        max_steps=plan.max_steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate or 0.0,
        lr_scheduler_type="linear",
        warmup_steps=plan.warmup_steps,
        weight_decay=WEIGHT_DECAY,
        eval_strategy="no",
        save_strategy="no",
        logging_steps=max(1, plan.max_steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,  # it would hide a diverged loss
        seed=plan.seed,
        data_seed=plan.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        use_cpu=model.device.type == "cpu",
    )
    lengths = [len(ids) for ids in encode(tokenizer, texts, max_length)]
    # The longer text first: batches of like length then pad only the other one.
    ordered = [sorted(pair[:2], key=lengths.__getitem__, reverse=True) for pair in pairs]
    columns = {
        "first": [texts[longer] for longer, _ in ordered],
        "second": [texts[shorter] for _, shorter in ordered],
        "label": [similarity for _, _, similarity in pairs],
    }
    with quiet():
        sentences = _sentence_encoder(model, tokenizer, max_length)
        trainer = _trainer_class([lengths[longer] for longer, _ in ordered])(
            model=sentences,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=CosineSimilarityLoss(sentences),
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)  # the callbacks show what this would print
        trainer.train()
    model.eval()
    return trainer.state


def _trainer_class(lengths: list[int]) -> Any:
    """sentence-transformers' trainer with batches of like length, of pairs with these lengths."""
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from transformers.trainer_pt_utils import LengthGroupedSampler

    class Trainer(SentenceTransformerTrainer):
        def get_batch_sampler(
            self,
            dataset: Any,
            batch_size: int,
            drop_last: bool,
            valid_label_columns: list[str] | None = None,
            generator: Any = None,
            seed: int = 0,
        ) -> Any:
            rows = LengthGroupedSampler(batch_size, lengths=lengths, generator=generator)
            return DefaultBatchSampler(rows, batch_size, drop_last)

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """None: it would copy texts of the user's into a card that nobody reads."""

    return Trainer


def _sentence_encoder(model: Any, tokenizer: Any, max_length: int) -> Any:
    """`model` in the form of sentence-transformers, with the features of `models.Encoder`."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import InputModule
    from sentence_transformers.sentence_transformer.modules import Pooling

    class LoadedTransformer(InputModule):
        """A model in memory; sentence-transformers' own `Transformer` reads one from a folder."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.tokenizer = tokenizer

        def preprocess(
            self, inputs: Sequence[Any], prompt: str | None = None, **_: Any
        ) -> dict[str, Any]:
            ids = encode(tokenizer, inputs, max_length)
            return dict(tokenizer.pad({"input_ids": ids}, return_tensors="pt"))

        def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
            names = ("input_ids", "attention_mask")
            states = self.model(**{name: features[name] for name in names}).last_hidden_state
            return {**features, "token_embeddings": states}

        def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
            raise NotImplementedError("models.save_head saves the encoder.")

    pooling = Pooling(model.config.hidden_size, pooling_mode="mean")
    return SentenceTransformer(modules=[LoadedTransformer(), pooling], device=str(model.device))
