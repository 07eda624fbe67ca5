"""The step operator behind `ftvr_trainer`."""

import contextlib
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast
from uuid import UUID

from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.config.resource_settings import ResourceSettings
from zenml.constants import (
    ENV_ZENML_CUSTOM_SOURCE_ROOT,
    ENV_ZENML_DISABLE_DATABASE_MIGRATION,
)
from zenml.enums import ExecutionStatus
from zenml.exceptions import IllegalOperationError
from zenml.execution.pipeline.dynamic.run_context import DynamicPipelineRunContext
from zenml.logger import get_logger
from zenml.metadata.metadata_types import MetadataType
from zenml.models import StepRunResponse, StepRunUpdate
from zenml.step_operators import BaseStepOperator
from zenml.utils import source_utils
from zenml.utils.time_utils import utc_now

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack.devices import choose_gpus, one_at_a_time, visible_gpus
from zenml_ftvr.stack.step_output import StepOutput
from zenml_ftvr.stack.trainer_entrypoint import TrainerEntrypoint, exception_of_ours
from zenml_ftvr.stack.trainer_flavor import TrainerConfig, TrainerSettings, check_target
from zenml_ftvr.supervise import (
    Limits,
    Order,
    ProcessRecord,
    describe_failure,
    start,
    stop,
)
from zenml_ftvr.supervise.ray_task import VARIABLES_FOR_THE_NODE
from zenml_ftvr.values.execution import Execution

if TYPE_CHECKING:
    from zenml.config.step_run_info import StepRunInfo

__all__ = ["Trainer"]

logger = get_logger(__name__)

POLL_SECONDS = 0.2  # a look at one small file
STOP_POLL_SECONDS = 5.0  # a request to ZenML's store, to see whether the run is to stop
KEEP_RECORDS_DAYS = 30  # a judgement: a few hundred bytes a step
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # torch reads it
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",  # tokenizers reads it
)
STOPPING = (ExecutionStatus.STOPPING, ExecutionStatus.STOPPED)


class Trainer(BaseStepOperator):
    """Runs a step in a process of its own, under limits, and leaves nothing of it behind."""

    _supervisors: ClassVar[dict[UUID, subprocess.Popen[bytes]]] = {}
    """Started by this process, so that it takes their exit codes."""
    _stop_looked: ClassVar[dict[UUID, float]] = {}
    _output: StepOutput | None = None

    @property
    def config(self) -> TrainerConfig:
        """What was registered."""
        return cast(TrainerConfig, self._config)

    @property
    def settings_class(self) -> type[TrainerSettings]:
        """What can be set for each step."""
        return TrainerSettings

    @property
    def entrypoint_config_class(self) -> type[TrainerEntrypoint]:
        """What runs in the step's process."""
        return TrainerEntrypoint

    @property
    def requirements(self) -> set[str]:
        """What a remote image needs, at the version that is here."""
        extra = "[ray]" if self.config.target == "ray" else ""
        return {f"zenml-ftvr{extra}=={importlib.metadata.version('zenml-ftvr')}"}

    # In the process that starts the step.

    def submit(
        self, info: "StepRunInfo", entrypoint_command: list[str], environment: dict[str, str]
    ) -> None:
        """Start the step's process and return."""
        settings = cast(TrainerSettings, self.get_settings(info))
        check_target(settings)
        name, resources = info.pipeline_step_name, info.config.resource_settings
        records = _records()
        _forget_old(records)
        with one_at_a_time(records):
            gpus = None
            if resources.gpu_count is not None and settings.target == "local":
                gpus = choose_gpus(name, resources.gpu_count, visible_gpus(), records)
            execution = self._execution(settings, resources, gpus)
            order = Order(
                step=name,
                command=_command(entrypoint_command, name, settings),
                limits=_limits(execution),
                record=_record_path(info.step_run_id),
                gpus=gpus or (),
            )
            self._supervisors[info.step_run_id] = start(
                order, _environment(environment, settings, execution)
            )

    def _execution(
        self,
        settings: TrainerSettings,
        resources: ResourceSettings,
        gpus: tuple[str, ...] | None,
    ) -> Execution:
        memory = [settings.memory_limit_gib, resources.get_memory(unit="GiB")]
        cores = resources.cpu_count
        return Execution(
            trainer=self.name,
            target=settings.target,
            ray_address=settings.ray_address,
            ray_storage=settings.ray_storage,
            workers=settings.workers,
            least_workers=settings.least_workers,
            sharding=settings.sharding,
            threads=None if cores is None else max(1, int(cores)),
            gpu_count=resources.gpu_count,
            gpus=gpus,
            memory_limit_gib=min((limit for limit in memory if limit is not None), default=None),
            wall_hours=settings.wall_hours,
            hardware=settings.hardware,
            usd_per_hour=settings.usd_per_hour,
        )

    def wait(self, step_run: StepRunResponse) -> ExecutionStatus:
        """Look often: ZenML's own waiting would notice the end up to 16 s late."""
        while True:
            status = self.get_status(step_run)
            if status.is_finished or status == ExecutionStatus.RETRYING:
                return status
            time.sleep(POLL_SECONDS)

    # In any process of the same machine.

    def get_status(self, step_run: StepRunResponse) -> ExecutionStatus:
        """Of the process, and once it has ended, of the step: with an error that says why."""
        record = ProcessRecord.read(_record_path(step_run.id))
        if record is None or record.host != socket.gethostname():
            return Client().get_run_step(step_run.id, hydrate=False).status
        if not record.is_running:
            # Read again: it may have been written between the reading and the looking.
            record = ProcessRecord.read(_record_path(step_run.id)) or record
            return self._settle(step_run, record)
        if _is_interrupted() or self._is_to_stop(step_run):
            logger.info("The run is stopping: step `%s` is ended.", step_run.name)
            _announce_stop(step_run.id)
            return self._settle(step_run, stop(_record_path(step_run.id)) or record)
        return ExecutionStatus.RUNNING

    def cancel(self, step_run: StepRunResponse) -> None:
        """End the process and all that it started, and wait until nothing is left."""
        _announce_stop(step_run.id)
        record = stop(_record_path(step_run.id))
        if record is None:
            logger.warning(
                "There is no process of step `%s` on this machine (%s).",
                step_run.name,
                socket.gethostname(),
            )
            return
        self._settle(step_run, record)

    def cleanup_step_submission(self, step_run: StepRunResponse) -> None:
        """Called at the end, and when the waiting process is interrupted: then the step ends."""
        path = _record_path(step_run.id)
        record = ProcessRecord.read(path)
        if record is not None and record.is_running:
            self.cancel(step_run)
        supervisor = self._supervisors.pop(step_run.id, None)
        if supervisor is not None:
            supervisor.wait()
        self._stop_looked.pop(step_run.id, None)
        path.with_suffix(".out").unlink(missing_ok=True)

    def _is_to_stop(self, step_run: StepRunResponse) -> bool:
        now = time.monotonic()
        if now - self._stop_looked.get(step_run.id, now - STOP_POLL_SECONDS) < STOP_POLL_SECONDS:
            return False
        self._stop_looked[step_run.id] = now
        run = Client().get_pipeline_run(step_run.pipeline_run_id, hydrate=False)
        return run.status in STOPPING

    def _settle(self, step_run: StepRunResponse, record: ProcessRecord) -> ExecutionStatus:
        """The step's status; where the step could not say how it ended, it is said here."""
        stored = Client().get_run_step(step_run.id)
        if stored.status.is_successful:
            return stored.status
        message = describe_failure(record, _record_path(step_run.id).with_suffix(".out"))
        if stored.status.is_finished or stored.status == ExecutionStatus.RETRYING:
            if record.ended_by in ("memory", "wall_clock"):
                # The limit is the cause, whatever the step made of the signal.
                own = stored.exception_info.traceback if stored.exception_info else ""
                _publish(step_run.id, StepRunUpdate(exception_info=exception_of_ours(message, own)))
            return stored.status
        if record.exit_code == 0 and step_run.config.command is not None:
            return ExecutionStatus.COMPLETED  # a command: ZenML stores that it is done
        status = ExecutionStatus.STOPPED if record.ended_by == "request" else ExecutionStatus.FAILED
        update = StepRunUpdate(
            status=status, end_time=utc_now(), exception_info=exception_of_ours(message)
        )
        try:
            return _publish(step_run.id, update).status
        except IllegalOperationError:  # another process has said it in the meantime
            return Client().get_run_step(step_run.id).status

    # In the step's process.

    def prepare_step_run(self, info: "StepRunInfo") -> None:
        """Whole lines in the log from here on."""
        self._output = StepOutput()
        self._output.start()

    def get_step_run_metadata(self, info: "StepRunInfo") -> dict[str, MetadataType]:
        """What the step was granted, and where it ran."""
        execution = Execution.from_environment()
        if execution is None:
            return {}
        granted: dict[str, MetadataType | None] = {
            "trainer_host": socket.gethostname(),
            "trainer_pid": os.getpid(),
            "trainer_target": execution.target,
            "trainer_workers": execution.workers,
            "trainer_threads": execution.threads,
            "trainer_gpus": None if execution.gpus is None else ",".join(execution.gpus),
            "trainer_memory_limit_gib": execution.memory_limit_gib,
            "trainer_wall_hours": execution.wall_hours,
            "trainer_hardware": execution.hardware,
            "trainer_usd_per_hour": execution.usd_per_hour,
        }
        return {name: value for name, value in granted.items() if value is not None}

    def cleanup_step_run(self, info: "StepRunInfo", step_failed: bool) -> None:
        """The last line, though it has no end."""
        if self._output is not None:
            self._output.stop()
            self._output = None


def _is_interrupted() -> bool:
    """Ctrl-C in a dynamic pipeline: ZenML would wait for steps that were submitted side by side."""
    context = DynamicPipelineRunContext.get()
    raised = None if context is None else getattr(context.runner, "_exception", None)
    return isinstance(raised, KeyboardInterrupt)


def _announce_stop(step_run_id: UUID) -> None:
    """So that a training which saves, and then fails because it was told to stop, is `stopped`."""
    with contextlib.suppress(IllegalOperationError):  # it has ended in the meantime
        _publish(step_run_id, StepRunUpdate(status=ExecutionStatus.STOPPING))


def _publish(step_run_id: UUID, update: StepRunUpdate) -> StepRunResponse:
    return Client().zen_store.update_run_step(step_run_id, update)


def _records() -> Path:
    return Path(GlobalConfiguration().config_directory) / "ftvr_trainer"


def _record_path(step_run_id: UUID) -> Path:
    return _records() / f"{step_run_id}.json"


def _forget_old(records: Path) -> None:
    before = time.time() - KEEP_RECORDS_DAYS * 86400
    for path in records.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another step has just renamed or removed it
            if path.stat().st_mtime < before:
                path.unlink()


def _limits(execution: Execution) -> Limits:
    """Of the process here; a step on Ray has its memory limit on the node."""
    memory = execution.memory_limit_gib if execution.target == "local" else None
    return Limits(memory_gib=memory, wall_hours=execution.wall_hours)


def _command(
    entrypoint_command: list[str], step: str, settings: TrainerSettings
) -> tuple[str, ...]:
    """This Python, and our way in; a command step's command is left alone."""
    if entrypoint_command[:2] != ["python", "-m"]:
        if settings.target == "ray":
            raise ConfigurationError(
                f"step '{step}' is a command, and the trainer's target is 'ray', which runs steps "
                f"in Python. Set target to local for this step."
            )
        return tuple(entrypoint_command)
    own = (sys.executable, "-m", "zenml_ftvr.supervise.step_main")
    if settings.target == "ray":
        return (*own, "zenml_ftvr.supervise.ray_task", *entrypoint_command[2:], step)
    return (*own, *entrypoint_command[2:])


WANDB_SERVICE = "WANDB_SERVICE"
"""By which wandb tells a process the background service of its parent. A step's process starts one
of its own, which ends with it: in the parent's, the run of a step that was killed would stay open,
and its retry be refused ("run ID is in use")."""


def _environment(
    from_zenml: dict[str, str], settings: TrainerSettings, execution: Execution
) -> dict[str, str]:
    """Later ones win: what the user sets for the step above all but our own variable."""
    threads = (
        {} if execution.threads is None else dict.fromkeys(THREAD_VARIABLES, str(execution.threads))
    )
    gpus = {} if execution.gpus is None else {"CUDA_VISIBLE_DEVICES": ",".join(execution.gpus)}
    own = {
        **from_zenml,
        ENV_ZENML_CUSTOM_SOURCE_ROOT: source_utils.get_source_root(),
        # This process has brought the database up to date: to look again takes seconds.
        ENV_ZENML_DISABLE_DATABASE_MIGRATION: "true",
        **threads,
        **gpus,
        **settings.environment,
        **execution.to_environment(),
    }
    of_zenml = [name for name in os.environ if name.startswith("ZENML_")]
    for_the_node = {VARIABLES_FOR_THE_NODE: json.dumps(sorted({*own, *of_zenml}))}
    inherited = {name: value for name, value in os.environ.items() if name != WANDB_SERVICE}
    return {**inherited, **own, **for_the_node}
