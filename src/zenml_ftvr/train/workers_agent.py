"""Starts the workers of one machine, ends all when one fails, and says how each ended.

    python -m zenml_ftvr.train.workers_agent FOLDER WORKERS

What torchrun does, through its own library, but how workers ended is written to `ended.json` in the
folder rather than to the screen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

__all__ = ["ENDED", "main"]

ENDED = "ended.json"
"""Exit code of each worker that failed, by its number; negative for a signal."""
LOOK_EVERY_SECONDS = 0.1  # at the workers: torchrun's own number
SAVE_SECONDS = 30
"""Between SIGTERM, after which workers save, and SIGKILL: torch's own number."""


def main() -> None:
    """Run the workers; exit code 1 where one failed."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    folder, workers = sys.argv[1:]
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=int(workers),
        run_id=Path(folder).name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",  # a machine's own name need not lead to it
        max_restarts=0,  # whoever waits decides what is tried again
        monitor_interval=LOOK_EVERY_SECONDS,
        shutdown_timeout=SAVE_SECONDS,
    )
    try:
        elastic_launch(config, sys.executable)("-P", "-m", "zenml_ftvr.train.worker", folder)
    except ChildFailedError as error:
        ended = {str(rank): one.exitcode for rank, one in error.failures.items()}
        (Path(folder) / ENDED).write_text(json.dumps(ended), encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main()
