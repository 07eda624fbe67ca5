"""A step as a task of a Ray cluster: `... ray_task MODULE ARGUMENTS`, as the step's local process.

The process here only waits. On the node the task starts a supervisor again, so that limits hold
there, and nothing is left there either: Ray ends the task when this process is gone, and then the
supervisor ends the step. The node needs this package, the user's code under the same path, and
access to ZenML's server and artifact store.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.supervise.outcome import describe_failure
from zenml_ftvr.supervise.record import Limits, ProcessRecord
from zenml_ftvr.supervise.start import Order, start
from zenml_ftvr.values.execution import Execution

__all__ = ["VARIABLES_FOR_THE_NODE", "main"]

VARIABLES_FOR_THE_NODE = "ZENML_FTVR_NODE_VARIABLES"
"""Names, as JSON, the variables of this process that the step on the node needs."""

GIB = 2**30


def run_on_the_node(
    arguments: list[str], variables: Mapping[str, str], folder: str, limits: Limits
) -> tuple[int, str]:
    """The exit code of the step's process, and what there is to say where it is not 0."""
    if not Path(folder).is_dir():
        raise TrainingError(
            f"the folder {folder} is not on this node ({os.uname().nodename}). Put the pipeline's "
            f"code there, under the same path, or mount it."
        )
    os.chdir(folder)
    with tempfile.TemporaryDirectory(prefix="ftvr-") as records:
        order = Order(
            step=arguments[-1],
            command=(sys.executable, "-m", "zenml_ftvr.supervise.step_main", *arguments[:-1]),
            limits=limits,
            record=Path(records) / "step.json",
        )
        # Ray has set CUDA_VISIBLE_DEVICES here, to the devices that it gave to this task.
        start(order, {**os.environ, **variables}).wait()
        record = ProcessRecord.read(order.record)
        if record is None:
            return 1, f"step '{order.step}' was not started."
        code = 1 if record.exit_code is None else record.exit_code
        return code, "" if code == 0 else describe_failure(record, order.raw_output)


def main() -> None:
    """Wait for the task; end as it ended."""
    execution = Execution.from_environment()
    if execution is None:
        raise TrainingError("this is started by the trainer, and not by hand.")
    import ray

    from zenml_ftvr.supervise.ray_task import run_on_the_node as on_the_node  # found by its name

    names = json.loads(os.environ[VARIABLES_FOR_THE_NODE])
    variables = {name: os.environ[name] for name in names if name in os.environ}
    # Of several workers, a step that trains is none: it has the size of one, to calibrate like one.
    resources: dict[str, Any] = {
        "num_cpus": max(1, (execution.threads or 1) // execution.workers),
        "num_gpus": -(-(execution.gpu_count or 0) // execution.workers),
        "max_retries": 0,  # ZenML retries a step, and knows of it
    }
    if execution.memory_limit_gib is not None:
        resources["memory"] = int(execution.memory_limit_gib * GIB)
    limits = Limits(memory_gib=execution.memory_limit_gib, wall_hours=execution.wall_hours)
    ray.init(address=execution.ray_address, namespace="zenml-ftvr")
    task = ray.remote(**resources)(on_the_node)
    code, message = ray.get(task.remote(sys.argv[1:], variables, str(Path.cwd()), limits))
    if message:
        os.write(2, f"{message}\n".encode())  # past Python: the trainer quotes it in its error
    ray.shutdown()
    sys.exit(code if code >= 0 else 128 - code)  # as a shell does for signals


if __name__ == "__main__":
    main()
