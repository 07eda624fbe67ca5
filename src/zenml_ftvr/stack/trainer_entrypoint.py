"""What runs in the step's process."""

import sys
from typing import TYPE_CHECKING

from zenml.client import Client
from zenml.models import ExceptionInfo, StepRunUpdate
from zenml.step_operators.step_operator_entrypoint_configuration import (
    StepOperatorEntrypointConfiguration,
)
from zenml.utils import source_utils

from zenml_ftvr.errors import FtvrError

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
        """Run it; `sys.exit` in a step fails the step, and not whoever waits for it.

        ZenML would raise the same `SystemExit` again in the waiting process, and end it.
        """
        try:
            super()._run_step(step=step, snapshot=snapshot)
        except FtvrError:
            # Stored by now, and shown in one line by the process that waits: no traceback here.
            sys.exit(1)
        except (SystemExit, KeyboardInterrupt) as end:
            what = (
                f"called sys.exit({end.code!r})"
                if isinstance(end, SystemExit)
                else "was interrupted (KeyboardInterrupt)"
            )
            message = (
                f"step '{step.config.name}' {what}. A step that fails raises an exception, and one "
                f"that is done returns."
            )
            store = Client().zen_store
            known = store.get_run_step(self.step_run.id).exception_info
            store.update_run_step(
                self.step_run.id,
                StepRunUpdate(
                    exception_info=exception_of_ours(message, known.traceback if known else "")
                ),
            )
            raise
