"""Calibration and small real trainings that give the decision its evidence."""

from zenml_ftvr.pilot.adequacy import LOOKED_AT_ROWS, measure_adequacy
from zenml_ftvr.pilot.calibrate import calibrate
from zenml_ftvr.pilot.other_bases import compare_bases
from zenml_ftvr.pilot.pilots import PilotBench, run_pilots
from zenml_ftvr.pilot.rows import PilotRows, set_apart
from zenml_ftvr.pilot.screen import screen

__all__ = [
    "LOOKED_AT_ROWS",
    "PilotBench",
    "PilotRows",
    "calibrate",
    "compare_bases",
    "measure_adequacy",
    "run_pilots",
    "screen",
    "set_apart",
]
