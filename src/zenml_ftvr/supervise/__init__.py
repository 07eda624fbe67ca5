"""A step's process, and the one that watches it: limits, stops, and nothing left behind.

Neither ZenML nor torch is loaded here: a supervisor starts in a tenth of a second.
"""

from zenml_ftvr.supervise.kernel import kill_counters
from zenml_ftvr.supervise.lines import WholeLines
from zenml_ftvr.supervise.outcome import describe_failure
from zenml_ftvr.supervise.record import Limits, ProcessId, ProcessRecord, record_of_this_process
from zenml_ftvr.supervise.start import Order, start, stop

__all__ = [
    "Limits",
    "Order",
    "ProcessId",
    "ProcessRecord",
    "WholeLines",
    "describe_failure",
    "kill_counters",
    "record_of_this_process",
    "start",
    "stop",
]
