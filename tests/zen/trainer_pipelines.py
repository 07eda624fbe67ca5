"""Pipelines on the trainer, in a module that a step's process imports in no time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from zenml import pipeline, step
from zenml.config import ResourceSettings
from zenml.config.retry_config import StepRetryConfig
from zenml.enums import ExecutionMode

from zenml_ftvr.errors import DataError
from zenml_ftvr.values.execution import Execution

TRAINER = "ftvr_trainer"  # the component's name and the flavor's
SETTINGS = f"step_operator.{TRAINER}"
STEP_SECONDS = 0.4  # of a training that is killed: so that a store can be written to meanwhile


@step(enable_cache=False, step_operator=TRAINER)
def look_around() -> Annotated[dict[str, Any], "seen"]:
    """What this process is, and what it was given."""
    print("printed", "in", "pieces")  # noqa: T201  (that is what is tested)
    subprocess.run([sys.executable, "-c", "print('by a grandchild')"], check=True)
    for percent in range(0, 101, 10):
        sys.stderr.write(f"\r{percent}% done")
    sys.stderr.write("\n")
    execution = Execution.from_environment()
    assert execution is not None
    import torch

    return {
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "torch_threads": torch.get_num_threads(),
        "variable": os.environ.get("MINE"),
        "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "threads": execution.threads,
        "memory_limit_gib": execution.memory_limit_gib,
        "usd_per_hour": execution.usd_per_hour,
        "workers": execution.workers,
    }


@step(enable_cache=False)
def in_the_same_process() -> Annotated[int, "pid"]:
    """No trainer: runs where the pipeline does."""
    return os.getpid()


@pipeline
def settings_for_each_step() -> None:
    """One step as registered, one with settings and resources of its own, one inline."""
    inline = in_the_same_process()
    look_around.with_options(
        settings={
            SETTINGS: {"environment": {"MINE": "here"}, "memory_limit_gib": 6, "workers": 2},
            "resources": ResourceSettings(cpu_count=1, gpu_count=0, memory="4GiB"),
        }
    )(after=[inline])


@pipeline
def on_ray(address: str) -> None:
    look_around.with_options(
        settings={
            SETTINGS: {"target": "ray", "ray_address": address, "environment": {"MINE": "there"}},
            "resources": ResourceSettings(cpu_count=1),
        }
    )()


@pipeline
def too_much_on_ray(address: str) -> None:
    fills_memory.with_options(
        settings={
            SETTINGS: {"target": "ray", "ray_address": address, "memory_limit_gib": 1.0},
        }
    )()


@step(
    enable_cache=False,
    step_operator=TRAINER,
    retry=StepRetryConfig(max_retries=1, delay=0, backoff=1),
)
def dies_once(folder: str) -> Annotated[int, "attempt"]:
    """Killed from outside, as by the kernel; well the second time."""
    first = Path(folder) / "was_here"
    if not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2


@pipeline
def killed_and_tried_again(folder: str) -> None:
    dies_once(folder)


@step(enable_cache=False, step_operator=TRAINER)
def sleeps_beside(folder: str, mine: str, other: str) -> Annotated[str, "met"]:
    """Done only when the other one is there too: they must run at the same time."""
    (Path(folder) / mine).touch()
    for _ in range(600):
        if (Path(folder) / other).exists():
            return f"{mine} met {other}"
        time.sleep(0.1)
    raise RuntimeError(f"{mine} never met {other}")


@step(enable_cache=False, step_operator=TRAINER)
def refuses() -> None:
    raise DataError("the column 'label' is absent. Pass label_column.")


@step(enable_cache=False, step_operator=TRAINER)
def exits() -> None:
    sys.exit(3)


@step(enable_cache=False, step_operator=TRAINER)
def fills_memory() -> None:
    held = []
    while True:
        held.append(b"x" * (64 << 20))
        time.sleep(0.02)


@step(enable_cache=False, step_operator=TRAINER)
def takes_long() -> None:
    time.sleep(300)


@pipeline(dynamic=True, execution_mode=ExecutionMode.CONTINUE_ON_FAILURE)
def side_by_side(folder: str) -> None:
    """Two that wait for each other, and every way to fail."""
    one = sleeps_beside.submit(folder, "one", "two")
    two = sleeps_beside.submit(folder, "two", "one")
    one.wait()
    two.wait()
    refuses.submit()
    exits.submit()
    fills_memory.with_options(settings={SETTINGS: {"memory_limit_gib": 1.5}}).submit()
    takes_long.with_options(settings={SETTINGS: {"wall_hours": 15 / 3600}}).submit()


@step(enable_cache=False, step_operator=TRAINER)
def has_a_grandchild(folder: str) -> None:
    """Says who is there, and stays."""
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    part = Path(folder) / "part"
    part.write_text(f"{os.getpid()} {grandchild.pid}")
    part.rename(Path(folder) / "pids")
    time.sleep(300)


@pipeline
def stays(folder: str) -> None:
    has_a_grandchild(folder)


@pipeline(dynamic=True)
def stays_dynamically(folder: str) -> None:
    has_a_grandchild(folder)


@pipeline(dynamic=True)
def stays_beside_others(folder: str) -> None:
    has_a_grandchild.submit(folder)


@pipeline
def stays_on_ray(folder: str, address: str) -> None:
    has_a_grandchild.with_options(settings={SETTINGS: {"target": "ray", "ray_address": address}})(
        folder
    )


@pipeline(enable_cache=False)
def trains_in_steps(data_file: str, base_folder: str) -> None:
    """29 steps of a model that learns in them, with a checkpoint every fifth."""
    from zenml_ftvr.steps import finetune_full, load_data
    from zenml_ftvr.values import DataSource, Full, ModelSource, TextClassification

    rows = load_data(DataSource(name=data_file, validation_fraction=0.2, test_fraction=0.2))
    finetune_full(
        rows,
        approach=Full(learning_rate=1e-2, epochs=3, batch_size=16),
        base_model=ModelSource(name=base_folder),
        task=TextClassification(max_length=32),
    )


@pipeline(enable_cache=False)
def trains_long_on_the_trainer(data_file: str, base_folder: str, epochs: float = 100.0) -> None:
    """Some ten seconds of steps, so that they can be met from outside; tried twice."""
    from zenml_ftvr.steps import finetune_full, load_data
    from zenml_ftvr.values import DataSource, Full, ModelSource, TextClassification

    rows = load_data(DataSource(name=data_file, validation_fraction=0.2, test_fraction=0.2))
    finetune_full.with_options(
        step_operator=TRAINER, retry=StepRetryConfig(max_retries=1, delay=0, backoff=1)
    )(
        rows,
        approach=Full(learning_rate=3e-3, epochs=float(epochs), batch_size=16),
        base_model=ModelSource(name=base_folder),
        task=TextClassification(max_length=32),
    )


@pipeline(enable_cache=False)
def trains_with_two_workers(data_file: str, base_folder: str) -> None:
    """Some twenty steps, shared by two processes below the step's."""
    from zenml_ftvr.steps import finetune_full, load_data
    from zenml_ftvr.values import DataSource, Full, ModelSource, TextClassification

    rows = load_data(DataSource(name=data_file, validation_fraction=0.2, test_fraction=0.2))
    finetune_full.with_options(
        step_operator=TRAINER,
        settings={SETTINGS: {"workers": 2}, "resources": ResourceSettings(cpu_count=2)},
    )(
        rows,
        approach=Full(learning_rate=3e-3, epochs=2.0, batch_size=16),
        base_model=ModelSource(name=base_folder),
        task=TextClassification(max_length=32),
    )


def _die_on_the_way() -> None:
    """SIGKILL for the process that takes the step that KILL_AT_STEP names; steps take a moment."""
    from transformers.trainer_callback import DefaultFlowCallback

    at, inner = int(os.environ["KILL_AT_STEP"]), DefaultFlowCallback.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **given: Any) -> Any:
        time.sleep(STEP_SECONDS)
        if state.global_step == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(self, args, state, control, **given)

    DefaultFlowCallback.on_step_end = on_step_end  # type: ignore[method-assign]


if __name__ == "__main__":
    # Ignored where the tests run in a shell's background, and so by all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("KILL_AT_STEP"):
        _die_on_the_way()
    {
        "trains_in_steps": trains_in_steps,
        "trains_long_on_the_trainer": trains_long_on_the_trainer,
        "stays": stays,
        "stays_dynamically": stays_dynamically,
        "stays_beside_others": stays_beside_others,
        "stays_on_ray": stays_on_ray,
    }[sys.argv[1]](*sys.argv[2:])
