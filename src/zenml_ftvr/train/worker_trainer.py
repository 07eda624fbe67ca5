"""The Trainer of a plan, its steps divided among workers: the same rows, losses and choices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zenml_ftvr.train.checkpoints import keep_only
from zenml_ftvr.train.faults import StopSignal
from zenml_ftvr.train.optimizers import optimizer_for
from zenml_ftvr.train.trainer import Observations
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.train.worker_shares import EvaluationShares, Shares
from zenml_ftvr.values import TrainingPlan

__all__ = ["agreement", "among_workers"]

SEEDS_APART = 1_000_003
"""Between the workers' generators, which draw what dropout hides: a prime far above the seeds that
plans count up, so that no two draw alike."""


def among_workers(planned: Any, plan: TrainingPlan, shares: Shares, group: Group) -> Any:
    """A class of Trainer that does what `planned` does, together with the other workers.

    Gradients are averaged over workers, so that the loss of a part is multiplied by their number
    and by the part's share of what the step's loss is a mean of: rows, or tokens with a label.
    transformers weighs parts alike for some models and not for others; a short last batch would
    count wrongly, and some rows twice.
    """
    import torch
    from accelerate.data_loader import DataLoaderShard
    from transformers.trainer_pt_utils import nested_concat, nested_detach, nested_truncate

    class SharingTrainer(planned):
        loss_is_scaled_for_ga = True
        weights: list[float]
        weight: float | None = None
        optimizer: Any
        round_ = 0  # of the evaluation that goes on

        def create_optimizer(self, model: Any = None) -> Any:
            if self.optimizer is None:  # sharded weights: it cannot be given when this is made
                self.optimizer = optimizer_for(plan, self.model)
            return self.optimizer

        def draw_apart(self) -> None:
            """From here on, what each worker draws is its own; the first draws as one alone."""
            if not group.is_first:
                torch.manual_seed(plan.seed + SEEDS_APART * group.rank)

        # The rows of a step.

        def get_train_dataloader(self) -> Any:
            return DataLoaderShard(
                self.train_dataset,
                device=self.accelerator.device,
                batch_sampler=shares,
                collate_fn=self.data_collator,
            )

        def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
            parts, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
            rows = shares.parts_of_step(self.state.global_step)
            counts = [
                float(self._counted(part)) if own else 0.0
                for part, own in zip(parts, rows, strict=True)
            ]
            total = sum(sum(one) for one in group.gather_numbers([sum(counts)]))
            self.weights = [group.size * count / max(1.0, total) for count in counts]
            return parts, None

        def _counted(self, part: Any) -> int:
            """What the loss of a part is a mean of."""
            labels = part["labels"][..., 1:] if self._loss_shifts_labels else part["labels"]
            return int(labels.ne(-100).sum())

        def _get_num_items_in_batch(self, batch_samples: Any, device: Any) -> None:
            return None

        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self.weight = self.weights[self.part]
            try:
                return super().training_step(model, inputs, *args, **kwargs)
            finally:
                self.weight = None

        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            found = super().compute_loss(*args, **kwargs)
            return found if self.weight is None else found * self.weight

        def rows_now(self) -> list[int]:
            return shares.parts_of_step(self.state.global_step)[self.part]

        # Evaluation.

        def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
            rows = self.eval_dataset if eval_dataset is None else eval_dataset
            self.evaluated = EvaluationShares(
                n_rows=len(rows),
                batch_size=self.args.eval_batch_size,
                rank=group.rank,
                workers=group.size,
            )
            return DataLoaderShard(
                rows,
                device=self.accelerator.device,
                batch_sampler=self.evaluated,
                collate_fn=self.data_collator,
            )

        def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
            self.round_ = -1
            self.gather_function = self._all_of_a_round
            return super().evaluation_loop(*args, **kwargs)

        def prediction_step(self, *args: Any, **kwargs: Any) -> Any:
            self.round_ += 1
            return super().prediction_step(*args, **kwargs)

        def _all_of_a_round(self, own: Any) -> Any:
            """In the order of the rows, as one worker would have found them."""
            rows = self.evaluated.rows_of_round(self.round_)
            found = group.gather(_on_the_host(nested_detach(own)))
            # A loss comes as often as a full batch has rows, in the last batch too.
            found = [nested_truncate(one, n) for one, n in zip(found, rows, strict=False)]
            whole = found[0]
            for one in found[1:]:
                whole = nested_concat(whole, one, padding_index=-100)
            return whole

        # Checkpoints.

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            if group.sharding == "none":
                super()._save(output_dir, state_dict)
                return
            # The whole weights will be in the file from which accelerate goes on.
            Path(output_dir or self.args.output_dir).mkdir(parents=True, exist_ok=True)

        def complete(self, folder: Path) -> None:
            group.wait()  # the generators of all are there
            super().complete(folder)
            group.wait()  # nobody goes on from, or ends with, what is not whole
            if group.own_folders and not group.is_first:
                best = self.state.best_global_step
                keep_only(folder.parent, {folder.name, f"checkpoint-{best}"})
            group.saved(folder.parent)

        def summed_losses(self) -> list[float]:
            return [float(loss) for loss in group.gather(super().summed_losses()[0])]

        def own_loss(self, summed: list[float]) -> float:
            if len(summed) == group.size:
                return summed[group.rank]
            return sum(summed) / len(summed)  # what is logged is a mean over workers

    return SharingTrainer


def _on_the_host(found: Any) -> Any:
    if isinstance(found, tuple | list):
        return type(found)(_on_the_host(one) for one in found)
    if isinstance(found, dict):
        return {name: _on_the_host(one) for name, one in found.items()}
    return found.cpu()


def agreement(told: StopSignal, seen: Observations, group: Group) -> Any:
    """A callback, the last one, by which all workers do after a step what the first one does.

    Each has a clock of its own, and may be told to stop alone; one that went on without the others
    would wait for them for ever.
    """
    from transformers import TrainerCallback

    class Agreement(TrainerCallback):
        def on_step_end(
            self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **_: Any
        ) -> Any:
            schedule = lr_scheduler.lr_lambdas[0]
            cool_from = -1 if schedule.cool_from is None else schedule.cool_from
            own = [
                told.came,
                control.should_evaluate,
                control.should_save,
                control.should_training_stop,
                seen.stopped_by == "budget",
                cool_from,
                schedule.cool_steps,
            ]
            all_of_them = group.gather_numbers([float(one) for one in own])
            first = all_of_them[0]
            told.came = any(one[0] for one in all_of_them)
            control.should_evaluate = bool(first[1])
            control.should_save = told.came or bool(first[2])
            control.should_training_stop = told.came or bool(first[3])
            seen.stopped_by = "budget" if first[4] else "finished"
            schedule.cool_from = None if first[5] < 0 else int(first[5])
            schedule.cool_steps = int(first[6])
            return control

    return Agreement()
