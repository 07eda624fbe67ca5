"""Workers on several machines: Ray Train starts them, and starts them again where one is lost.

What has to outlive a machine is in `storage`, which all of them reach:

    NAME/       Ray's: the newest checkpoints, each with the best one beside it
    NAME-job/   what the workers are given (train/worker_job.py), and the trained model
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import ConfigurationError, TrainingError
from zenml_ftvr.hardware import detect
from zenml_ftvr.train.checkpoints import last_whole, step_of
from zenml_ftvr.train.faults import Interrupted, stop_signal
from zenml_ftvr.train.fingerprint import training_fingerprint
from zenml_ftvr.train.once import Go, Stepped, Surroundings
from zenml_ftvr.train.team import Team
from zenml_ftvr.train.worker import work_on
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.train.worker_job import (
    done_in,
    failures_in,
    hear,
    read_job,
    why_it_failed,
    write_failure,
    write_job,
)
from zenml_ftvr.values import TrainingPlan

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["Storage", "saved_on_ray", "train_on_ray"]

LOSSES = 3
"""Machines, or workers, that may be lost in one go; after that the step fails, and a retry goes on.
A judgement: more than that is not chance."""
LISTEN_EVERY_SECONDS = 0.2
KEPT_CHECKPOINTS = 2  # the newest may be half-written when all are lost
RAYS_PREFIX = "checkpoint_"  # Ray's own name of a folder with one


class Storage:
    """A folder that every machine reaches: a path, or a URI that pyarrow knows (s3, gs, abfs)."""

    def __init__(self, place: str) -> None:
        from pyarrow.fs import FileSystem, LocalFileSystem

        if "://" in place:
            self._files, self._root = FileSystem.from_uri(place)
        else:
            self._files, self._root = LocalFileSystem(), str(Path(place).absolute())

    def send(self, source: Path, name: str) -> None:
        """Copy a folder to `name`."""
        from pyarrow.fs import LocalFileSystem, copy_files

        there = f"{self._root}/{name}"
        self._files.create_dir(there, recursive=True)
        copy_files(
            str(source),
            there,
            source_filesystem=LocalFileSystem(),
            destination_filesystem=self._files,
        )

    def bring(self, name: str, target: Path) -> None:
        """Copy what is at `name` into a folder."""
        from pyarrow.fs import LocalFileSystem, copy_files

        target.mkdir(parents=True, exist_ok=True)
        copy_files(
            f"{self._root}/{name}",
            str(target),
            source_filesystem=self._files,
            destination_filesystem=LocalFileSystem(),
        )

    def remove(self, name: str) -> None:
        """Remove what is at `name`, if there is anything."""
        with contextlib.suppress(FileNotFoundError):
            self._files.delete_dir(f"{self._root}/{name}")

    def names(self, name: str) -> list[str]:
        """Of what is in the folder `name`; none where there is no such folder."""
        from pyarrow.fs import FileSelector

        there = FileSelector(f"{self._root}/{name}", allow_not_found=True)
        return [found.base_name for found in self._files.get_file_info(there)]


def run_name(plan: TrainingPlan, team: Team) -> str:
    """The same for every go at a plan with one seed, so that each goes on from the last.

    Another one with other versions, or where weights are divided otherwise: what is in a checkpoint
    may mean another thing then.
    """
    name = f"ftvr-{training_fingerprint(plan)}-{plan.data_fingerprint[:16]}"
    return name if team.sharding == "none" else f"{name}-{team.sharding}"


def saved_on_ray(plan: TrainingPlan, team: Team) -> bool:
    """Whether an earlier go at `plan` left a checkpoint in the team's storage."""
    if team.storage is None:
        return False
    names = Storage(team.storage).names(run_name(plan, team))
    return any(name.startswith(RAYS_PREFIX) for name in names)


# In the step's process.


def train_on_ray(go: Go, dataset: Dataset, around: Surroundings) -> Stepped:
    """Train with the team of `around` on its cluster; the model is brought here afterwards.

    Goes on from what an earlier go left in the storage. Raises what the workers raised, and
    `TrainingError` where machines were lost too often.
    """
    team, name = around.team, run_name(go.plan, around.team)
    if team.storage is None:
        raise ConfigurationError(
            "the trainer's target is 'ray' with several workers, and ray_storage is not set. Give "
            "a folder that all machines see, or a URI such as s3://bucket/folder."
        )
    folder, storage = around.work / "workers", Storage(team.storage)
    write_job(go, dataset, around, folder)
    storage.remove(f"{name}-job")
    storage.send(folder, f"{name}-job/job")
    with stop_signal() as told, _cluster(team), _listening(go, around) as (ear, failed):
        fit = _Fit(name, team, ear)
        fit.start()
        while fit.is_alive() and not told.came and not failed:
            fit.join(LISTEN_EVERY_SECONDS)
    if told.came:
        raise Interrupted(
            f"'{go.plan.kind}' was told to stop (SIGTERM); its last checkpoint is in "
            f"{team.storage}. Run the same plan again to go on from there."
        )
    storage.bring(f"{name}-job/job", folder)
    for failure in failures_in(folder).values():
        raise failure.as_error()
    done = done_in(folder)
    if done is None:
        raise TrainingError(
            f"training '{go.plan.kind}' on Ray did not end: {fit.error or 'no reason was given'}. "
            f"Its last checkpoint is in {team.storage}; run the same plan again to go on from it."
        )
    storage.bring(f"{name}-job/model", around.work / "model")
    for left in (name, f"{name}-job"):
        storage.remove(left)
    if done.loop.went_on_from:
        said = f"It went on from the checkpoint after step {done.loop.went_on_from}."
        done = dataclasses.replace(done, notes=(said, *done.notes))
    return done


@contextmanager
def _cluster(team: Team) -> Iterator[None]:
    import ray

    if ray.is_initialized():
        yield
        return
    ray.init(address=team.ray_address, namespace="zenml-ftvr")
    try:
        yield
    finally:
        ray.shutdown()  # and with it what still works for this process


class _Heard:
    """An actor beside this process, to which the first worker speaks."""

    def __init__(self) -> None:
        self._said: list[dict[str, Any]] = []

    def tell(self, message: dict[str, Any]) -> None:
        self._said.append(message)

    def new(self) -> list[dict[str, Any]]:
        said, self._said = self._said, []
        return said


@contextmanager
def _listening(go: Go, around: Surroundings) -> Iterator[tuple[Any, list[BaseException]]]:
    """Pass on what is said to the actor that the body gets, until it ends.

    What went wrong in passing it on is put into the list that the body gets, and raised after it.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    ear = ray.remote(num_cpus=0, scheduling_strategy=here)(_Heard).remote()
    ended = threading.Event()
    failed: list[BaseException] = []

    def listen() -> None:
        try:
            while True:
                last = ended.wait(LISTEN_EVERY_SECONDS)
                for message in ray.get(ear.new.remote()):
                    hear(message, go, around)
                if last:
                    return
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=listen, daemon=True, name="ftvr-listen")
    thread.start()
    try:
        yield ear, failed
    finally:
        ended.set()
        thread.join()
        ray.kill(ear)
    if failed:
        raise failed[0]


class _Fit(threading.Thread):
    """Ray's own waiting, beside which this process listens."""

    def __init__(self, name: str, team: Team, ear: Any) -> None:
        super().__init__(daemon=True, name="ftvr-fit")
        self._trainer = _trainer(name, team, ear)
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._trainer.fit()
        except BaseException as error:
            self.error = error


def _trainer(name: str, team: Team, ear: Any) -> Any:
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    elastic = team.least_workers < team.workers
    resources: dict[str, float] = {"CPU": team.threads or 1}
    if team.gpus_each:
        resources["GPU"] = team.gpus_each
    return TorchTrainer(
        _work,
        train_loop_config={"name": name, "team": dataclasses.asdict(team), "ear": ear},
        scaling_config=ScalingConfig(
            num_workers=(team.least_workers, team.workers) if elastic else team.workers,
            use_gpu=team.gpus_each > 0,
            resources_per_worker=resources,
        ),
        run_config=RunConfig(
            name=name,
            storage_path=team.storage,
            failure_config=FailureConfig(max_failures=LOSSES),
            checkpoint_config=CheckpointConfig(num_to_keep=KEPT_CHECKPOINTS),
        ),
    )


# On the machines.


def _work(given: Mapping[str, Any]) -> None:
    """One worker's part, from the last checkpoint that Ray knows of."""
    import torch
    from ray import train

    team, name, ear = Team(**given["team"]), given["name"], given["ear"]
    storage, context = Storage(team.storage or ""), train.get_context()
    with tempfile.TemporaryDirectory(prefix="ftvr-") as temporary:
        here = Path(temporary)
        storage.bring(f"{name}-job/job", here / "job")
        if failures_in(here / "job"):  # what one of us found out before Ray started us again
            return
        torch.set_num_threads(team.threads or 1)
        job, dataset = read_job(here / "job")
        job = dataclasses.replace(
            job,
            hardware=detect(job.hardware.usd_per_hour),
            checkpoints=str(here / "checkpoints"),
            model=str(here / "out" / "model"),
        )
        (here / "checkpoints").mkdir()
        checkpoint = train.get_checkpoint()
        if checkpoint is not None:
            with checkpoint.as_directory() as kept:
                shutil.copytree(kept, here / "checkpoints", dirs_exist_ok=True)
        group = Group(
            rank=context.get_world_rank(),
            size=context.get_world_size(),
            sharding=job.sharding,
            saved=_report,
            own_folders=True,
        )

        def tell(message: dict[str, Any]) -> None:
            ear.tell.remote(message)

        try:
            work_on(job, dataset, group, tell, here / "job")
        except BaseException as error:
            failure = why_it_failed(error)
            if failure.kind in ("ours", "memory"):  # the others may be of a machine that is lost
                (here / "failed").mkdir()
                write_failure(failure, group.rank, here / "failed")
                storage.send(here / "failed", f"{name}-job/job")
            raise
        if group.is_first:
            storage.send(here / "out" / "model", f"{name}-job/model")
            storage.send(here / "job", f"{name}-job/job")


def _report(checkpoints: Path) -> None:
    """Hand Ray this worker's files of the newest checkpoint and of the best; all do it together."""
    from ray import train
    from ray.train import Checkpoint

    newest = last_whole(checkpoints)
    step = 0 if newest is None else step_of(newest)
    train.report({"step": step}, checkpoint=Checkpoint.from_directory(checkpoints))
