"""What runs in the step's process."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zenml.models import ExceptionInfo
from zenml.step_operators.step_operator_entrypoint_configuration import (
    StepOperatorEntrypointConfiguration,
)
from zenml.steps import BaseStep
from zenml.utils import source_utils

from zenml_ftvr.errors import FtvrError, TrainingError

if TYPE_CHECKING:
    from zenml.config.step_configurations import Step
    from zenml.models import PipelineSnapshotResponse

__all__ = ["TrainerEntrypoint", "exception_of_ours"]


def exception_of_ours(message: str, traceback: str = "") -> ExceptionInfo:
    """What ZenML rebuilds, in the process that waits, as a `TrainingError` with this message."""
    return ExceptionInfo(
        traceback=traceback or message,
        source="zenml_ftvr.errors.TrainingError",
        message=message,
    )


class TrainerEntrypoint(StepOperatorEntrypointConfiguration):
    """ZenML's, in the folder and with the code of the process that started it."""

    def prepare_code_environment(self) -> None:
        """The code is here: nothing is downloaded, and the working folder stays what it is."""
        root = source_utils.get_source_root()
        if root not in sys.path:
            sys.path.insert(0, root)

    def _run_step(self, step: "Step", snapshot: "PipelineSnapshotResponse") -> None:
        """Run it; an error of ours is stored, and shown by the process that waits, in one line."""
        try:
            with _exit_is_an_error(step):
                super()._run_step(step=step, snapshot=snapshot)
        except FtvrError:
            sys.exit(1)  # no traceback here


@contextlib.contextmanager
def _exit_is_an_error(step: "Step") -> Iterator[None]:
    """`sys.exit` in a step fails the step, and not whoever waits for it.

    ZenML stores what the function raises, and raises it again in the process that waits, which a
    `SystemExit` would end. So it is turned into an error before ZenML sees it. There is no place
    for that but the call itself; this process runs one step and nothing else. A
    `KeyboardInterrupt` is left to ZenML where it watches the step's heartbeat: it may be its own.
    """
    ends = (SystemExit,) if step.spec.enable_heartbeat else (SystemExit, KeyboardInterrupt)
    call = BaseStep.call_entrypoint

    def call_or_fail(self: BaseStep, *arguments: Any, **inputs: Any) -> Any:
        try:
            return call(self, *arguments, **inputs)
        except ends as end:
            what = (
                f"called sys.exit({end.code!r})"
                if isinstance(end, SystemExit)
                else "was interrupted (SIGINT)"
            )
            raise TrainingError(
                f"step '{step.config.name}' {what}. A step that fails raises an exception, and one "
                f"that is done returns."
            ) from end

    BaseStep.call_entrypoint = call_or_fail  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseStep.call_entrypoint = call  # type: ignore[method-assign]
