"""Calibration and small real trainings that give the decision its evidence."""

from zenml_ftvr.pilot.calibrate import calibrate
from zenml_ftvr.pilot.pilots import PilotBench, run_pilots
from zenml_ftvr.pilot.rows import PilotRows, set_apart
from zenml_ftvr.pilot.screen import screen

__all__ = ["PilotBench", "PilotRows", "calibrate", "run_pilots", "screen", "set_apart"]
