"""transformers' Trainer, made to survive: whole checkpoints, no lost loss, no forgotten order."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.train.brake import Brake, Schedule
from zenml_ftvr.train.checkpoints import checkpoint_bytes, commit, rotate
from zenml_ftvr.train.faults import diverged, exploded, is_out_of_memory
from zenml_ftvr.train.order import RowOrder
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.values import CurvePoint, TrainingPlan
from zenml_ftvr.values.execution import Sharding

__all__ = ["WEIGHTS_FILE", "Observations", "Stepping", "conditions", "trainer_class"]

LOOP_FILE = "ftvr_loop.json"
WEIGHTS_FILE = "model.safetensors"  # where transformers looks for them
MIB = 2**20


@dataclass(slots=True)
class Observations:
    """What was seen of one loop; a checkpoint holds it, so that a curve goes on."""

    points: list[CurvePoint] = field(default_factory=list)
    stopped_by: Literal["finished", "budget"] = "finished"
    last_loss: float = math.nan
    first_loss: float | None = None
    norms: list[float] = field(default_factory=list)
    """Of the gradient at the last step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepping:
    """How the steps of one loop are taken and watched."""

    brake: Brake
    part_rows: int
    """Of a batch, how many rows are computed at once; a batch is a whole number of parts."""
    seen: Observations = field(default_factory=Observations)
    group: Group | None = None
    """Those among whom each step is divided; None for one worker alone."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes for all."""
        return self.group is None or self.group.is_first


def conditions(
    part_rows: int, workers: int = 1, threads: int | None = None, sharding: Sharding = "none"
) -> dict[str, Any]:
    """What the bits of the weights depend on beside the plan.

    `threads` are those of each worker; None: of this process.
    """
    import torch

    versions = installed_versions()
    return {
        "device": detect().device_name,
        "threads": threads or torch.get_num_threads(),
        "workers": workers,
        "sharding": sharding,
        "versions": {name: versions.get(name) for name in ("torch", "transformers", "peft")},
        "part_rows": part_rows,
    }


def trainer_class(
    plan: TrainingPlan, sampled: RowOrder, stepping: Stepping, parent: Any = None
) -> Any:
    """A class of Trainer for the steps of one plan, over the rows as `sampled` orders them.

    `parent` is a class of transformers' Trainer; None for that itself.
    """
    import torch
    from safetensors.torch import save_model
    from transformers import Trainer

    seen, brake = stepping.seen, stepping.brake

    class PlannedTrainer(parent or Trainer):  # type: ignore[misc]
        lr_scheduler: Any
        schedule: Schedule
        part = 0  # of the batch that is computed now

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return sampled

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            if self.lr_scheduler is None:
                self.schedule = Schedule(plan.warmup_steps, num_training_steps)
                self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                    optimizer or self.optimizer, self.schedule
                )
                self._created_lr_scheduler = True
            return self.lr_scheduler

        def _load_optimizer_and_scheduler(self, checkpoint: Any) -> None:
            super()._load_optimizer_and_scheduler(checkpoint)
            if checkpoint is not None:
                self.lr_scheduler.lr_lambdas = [self.schedule] * len(self.lr_scheduler.lr_lambdas)

        def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
            # transformers takes one step more where the last one had been taken already.
            ended = self.state.global_step >= self.state.max_steps or seen.stopped_by == "budget"
            if ended:
                self.control.should_training_stop = True
                return
            brake.step_begins()
            super()._run_epoch(*args, **kwargs)

        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(model, inputs, *args, **kwargs)
            # With parts, each loss is divided by their number already.
            value = float(loss) * self.args.gradient_accumulation_steps
            if seen.first_loss is None and math.isfinite(value):
                seen.first_loss = value
            if not math.isfinite(value) or exploded(value, seen.first_loss or 0.0):
                what = f"loss of '{plan.kind}' became {value:.6g}"
                raise diverged(plan, what, self.state.global_step + 1, self.rows_now(), seen.norms)
            self.part += 1
            return loss

        def rows_now(self) -> list[int]:
            """The rows of the part that is computed."""
            places = sampled.rows_of_step(self.state.global_step)
            size = self.args.per_device_train_batch_size
            return self.rows_at(places[self.part * size : (self.part + 1) * size])

        def rows_at(self, places: list[int]) -> list[int]:
            """The rows of the training split that stand at these places of `sampled`."""
            return places

        def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
            norm = super()._get_grad_norm(model, grad_norm=grad_norm)
            self.part = 0
            value = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
            # In fp16 the scaler tries steps whose gradient overflows, and leaves them out.
            if not math.isfinite(value) and not self.args.fp16:
                rows = self.rows_at(sampled.rows_of_step(self.state.global_step))
                what = f"gradient norm of '{plan.kind}' became {value:g}"
                raise diverged(plan, what, self.state.global_step + 1, rows, seen.norms)
            seen.norms[:] = [value]
            return norm

        def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
            super()._maybe_log_save_evaluate(*args, **kwargs)
            brake.step_begins()

        def _evaluate(self, *args: Any, **kwargs: Any) -> Any:
            began = brake.clock()
            metrics = super()._evaluate(*args, **kwargs)
            brake.evaluated(brake.clock() - began)
            return metrics

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            """Weights under the names that they have in memory; of adapters as PEFT has it.

            transformers writes some families under older names (ViT in 5.23), and its checkpoints
            are loaded without a word about names that the model does not have.
            """
            if not self.args.should_save:
                return
            if hasattr(self.model, "peft_config"):
                super()._save(output_dir, state_dict)
                return
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            save_model(self.model, str(folder / WEIGHTS_FILE), metadata={"format": "pt"})

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            began = brake.clock()
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            self._refuse_lost_weights()
            try:
                super()._save_checkpoint(model, trial)
                self.complete(folder)
            except (OSError, RuntimeError, _safetensor_error()) as error:
                if is_out_of_memory(error):
                    raise
                shutil.rmtree(folder, ignore_errors=True)
                raise _unwritten(plan, folder, self.model, error) from error
            brake.saved(brake.clock() - began)

        def complete(self, folder: Path) -> None:
            """What makes a checkpoint whole; those before it that are not needed go."""
            losses = self.summed_losses()
            if not stepping.is_first:
                return
            self._save_loop(folder, losses)
            commit(folder, {"conditions": _conditions_of(stepping)})
            best = self.state.best_model_checkpoint
            rotate(folder.parent, None if best is None else Path(best))

        def _refuse_lost_weights(self) -> None:
            """The checkpoints that are kept hold numbers only."""
            for name, weight in self.model.named_parameters():
                own = weight.to_local() if hasattr(weight, "to_local") else weight
                if weight.requires_grad and not bool(torch.isfinite(own).all()):
                    raise TrainingError(
                        f"the weights of '{plan.kind}' are no numbers after step "
                        f"{self.state.global_step} ({name}). Lower its learning_rate (now "
                        f"{plan.learning_rate:g}). The checkpoints before it were kept."
                    )

        def summed_losses(self) -> list[float]:
            """Since the last reading, of each worker."""
            return [float(self._tr_loss)]

        def own_loss(self, summed: list[float]) -> float:
            """What of them is this worker's."""
            return summed[0]

        def _save_loop(self, folder: Path, losses: list[float]) -> None:
            loop = {
                "summed_losses": losses,
                "total_loss": self._total_loss_scalar,
                "last_logged": self._globalstep_last_logged,
                "first_loss": seen.first_loss,
                "norms": seen.norms,
                "stopped_by": seen.stopped_by,
                "points": [dataclasses.asdict(point) for point in seen.points],
            }
            (folder / LOOP_FILE).write_text(json.dumps(loop), encoding="utf-8")

        def restore_loop(self, folder: Path) -> None:
            """What transformers forgets: the loss since the last reading, and ours."""
            loop = json.loads((folder / LOOP_FILE).read_text(encoding="utf-8"))
            own = self.own_loss(loop["summed_losses"])
            self._tr_loss = torch.tensor(own, device=self.args.device)
            self._total_loss_scalar = loop["total_loss"]
            self._globalstep_last_logged = loop["last_logged"]
            seen.first_loss, seen.stopped_by = loop["first_loss"], loop["stopped_by"]
            seen.norms[:] = loop["norms"]
            seen.points[:] = [CurvePoint(**point) for point in loop["points"]]
            losses = [point.value for point in seen.points if point.metric == "train/loss"]
            seen.last_loss = losses[-1] if losses else math.nan

    return PlannedTrainer


def _conditions_of(stepping: Stepping) -> dict[str, Any]:
    group = stepping.group
    if group is None:
        return conditions(stepping.part_rows)
    return conditions(stepping.part_rows, group.size, sharding=group.sharding)


def _safetensor_error() -> Any:
    from safetensors import SafetensorError

    return SafetensorError


def _unwritten(plan: TrainingPlan, folder: Path, model: Any, error: BaseException) -> TrainingError:
    needed = checkpoint_bytes(model) / MIB
    free = shutil.disk_usage(folder.parent).free / MIB
    return TrainingError(
        f"'{plan.kind}' could not write or read its files: a checkpoint takes about "
        f"{needed:,.1f} MiB, {free:,.1f} MiB are free in {folder.parent} ({error}). Free disk "
        f"space, or set ZENML_FTVR_CACHE to a folder on another disk; the last whole checkpoint "
        f"was kept."
    )
