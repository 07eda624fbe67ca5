"""Calibration and small real trainings that give the decision its evidence."""

from zenml_ftvr.pilot.calibrate import calibrate
from zenml_ftvr.pilot.screen import screen

__all__ = ["calibrate", "screen"]
