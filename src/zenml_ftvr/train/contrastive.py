"""Train an encoder on pairs of texts: alike where labels are equal, unlike where they differ."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.approaches import WEIGHT_DECAY, most_tokens
from zenml_ftvr.models import Encoder, quiet
from zenml_ftvr.tasks.text_classification import encode
from zenml_ftvr.train.brake import Brake
from zenml_ftvr.train.loop import LOGGED_POINTS
from zenml_ftvr.train.order import RowOrder
from zenml_ftvr.train.trainer import WEIGHTS_FILE, Stepping, trainer_class
from zenml_ftvr.train.worker_shares import share_of
from zenml_ftvr.values import TrainingPlan

__all__ = ["PreparedPairs", "train_on_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPairs:
    """An encoder, and the pairs of texts that it is trained on."""

    encoder: Encoder
    texts: Sequence[str]
    pairs: Sequence[tuple[int, int, float]]
    """Two places in `texts`, and how similar they are to be."""
    n_features: int = 0
    """Texts whose features are computed once the encoder is trained."""

    @property
    def rows_looked_at(self) -> float:
        """After the last step, in pairs."""
        return self.n_features / 2

    def look_every(self, plan: TrainingPlan) -> int | None:
        """None: what the features are worth is seen once there is a head."""
        return None

    def trainer(
        self, plan: TrainingPlan, work_folder: Path, callbacks: list[Any], stepping: Stepping
    ) -> Any:
        """sentence-transformers' trainer, for the plan's steps on batches of pairs of like length.

        The loss is SetFit's: the mean squared error of the cosine similarity of two texts'
        mean-pooled features against each pair's third member (Tunstall et al. 2022, arXiv
        2209.11055, 3.1).
        """
        from datasets import Dataset
        from sentence_transformers import SentenceTransformerTrainingArguments
        from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
        from transformers.trainer_callback import PrinterCallback

        model, tokenizer = self.encoder.model, self.encoder.tokenizer
        max_length = most_tokens(plan.task)
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(work_folder),
            max_steps=plan.max_steps,
            per_device_train_batch_size=stepping.part_rows,
            gradient_accumulation_steps=share_of(plan.batch_size, stepping.part_rows),
            learning_rate=plan.learning_rate or 0.0,
            weight_decay=WEIGHT_DECAY,
            eval_strategy="no",
            save_strategy="no",  # at an evaluation; there is none, and the clock says when
            logging_steps=max(1, plan.max_steps // LOGGED_POINTS),
            logging_nan_inf_filter=False,  # it would hide a diverged loss
            seed=plan.seed,
            data_seed=plan.seed,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=model.device.type == "cpu",
        )
        # Else as many parts at once as there are cards: another batch size.
        arguments._n_gpu = min(1, arguments.n_gpu)
        lengths = [len(ids) for ids in encode(tokenizer, self.texts, max_length)]
        # The longer text first: batches of like length then pad only the other one.
        ordered = [sorted(pair[:2], key=lengths.__getitem__, reverse=True) for pair in self.pairs]
        columns = {
            "first": [self.texts[longer] for longer, _ in ordered],
            "second": [self.texts[shorter] for _, shorter in ordered],
            "label": [similarity for _, _, similarity in self.pairs],
        }

        def step() -> int:
            return int(trainer.state.global_step)

        sampled = RowOrder(
            [lengths[longer] for longer, _ in ordered], plan.batch_size, plan.seed, "grouped", step
        )
        with quiet():
            sentences = _sentence_encoder(model, tokenizer, max_length)
            trainer = _pairs_trainer_class(plan, sampled, stepping, ordered)(
                model=sentences,
                args=arguments,
                train_dataset=Dataset.from_dict(columns),
                loss=CosineSimilarityLoss(sentences),
                callbacks=callbacks,
            )
        trainer.remove_callback(PrinterCallback)  # the callbacks show what this would print
        return trainer


def train_on_pairs(
    prepared: PreparedPairs, plan: TrainingPlan, work_folder: Path, callbacks: list[Any]
) -> Any:
    """Take the plan's steps; the encoder's model is trained in place, and nothing is saved.

    Returns the transformers `TrainerState`; `callbacks` are its `TrainerCallback`s.
    """
    stepping = Stepping(brake=Brake(None, time.monotonic()), part_rows=plan.batch_size)
    trainer = prepared.trainer(plan, work_folder, callbacks, stepping)
    with quiet():
        trainer.train()
    prepared.encoder.model.eval()
    return trainer.state


def _pairs_trainer_class(
    plan: TrainingPlan, sampled: RowOrder, stepping: Stepping, pairs: Sequence[Sequence[int]]
) -> Any:
    """sentence-transformers' trainer under our plan; `pairs` are places of rows, two each."""
    from safetensors.torch import load_model
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers.base.sampler import DefaultBatchSampler

    class PairsTrainer(trainer_class(plan, sampled, stepping, SentenceTransformerTrainer)):  # type: ignore[misc]
        def get_batch_sampler(self, dataset: Any, batch_size: int, **_: Any) -> Any:
            return DefaultBatchSampler(sampled, batch_size, drop_last=False)

        def rows_at(self, places: list[int]) -> list[int]:
            return [row for place in places for row in pairs[place]]

        def _load_from_checkpoint(self, checkpoint: str, model: Any = None) -> None:
            load_model(self.model, str(Path(checkpoint) / WEIGHTS_FILE))

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """None: it would copy texts of the user's into a card that nobody reads."""

    return PairsTrainer


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
