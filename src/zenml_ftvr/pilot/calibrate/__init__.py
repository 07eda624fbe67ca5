"""A few real steps of each approach on the hardware that trains."""

from zenml_ftvr.pilot.calibrate.arms import calibrate, calibrate_arm

__all__ = ["calibrate", "calibrate_arm"]
