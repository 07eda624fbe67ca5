"""What each approach would cost, before anything runs: from sizes, in seconds."""

from __future__ import annotations

from zenml_ftvr.cli.estimate.answered import estimated
from zenml_ftvr.cli.estimate.asked import Answer, Asked
from zenml_ftvr.cli.estimate.told import shown, written

__all__ = ["Answer", "Asked", "estimated", "shown", "written"]
