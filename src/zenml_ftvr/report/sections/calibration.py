"""What a few real steps took."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Paragraph, Table
from zenml_ftvr.values import Calibration

__all__ = ["calibration"]

HEADER = (
    "Approach",
    "A step",
    "Rows a step",
    "Steps timed",
    "A test row",
    "Set-up",
    "Peak memory",
    "Weights trained",
)


def calibration(measured: Calibration) -> Blocks:
    """Seconds and memory, arm by arm."""
    hardware = measured.hardware
    return (
        Paragraph(
            f"A few real steps of every arm on {hardware.device_name} ({hardware.device}), "
            f"{hardware.cores} cores; it took {w.duration(measured.seconds)}."
        ),
        Table(
            header=HEADER,
            rows=tuple(
                (
                    w.approach_name(arm.kind),
                    w.duration(arm.seconds_per_step),
                    w.count(arm.batch_size),
                    str(arm.n_steps_timed),
                    f"{1000 * arm.seconds_per_eval_row:.2f} ms",
                    w.duration(arm.setup_seconds),
                    w.gib(arm.peak_memory_gib),
                    w.count(arm.n_trainable),
                )
                for arm in measured.arms
            ),
            numeric=frozenset(range(1, len(HEADER))),
        ),
        Bullets(tuple(f"{w.approach_name(kind)}: {why}" for kind, why in measured.skipped)),
    )
