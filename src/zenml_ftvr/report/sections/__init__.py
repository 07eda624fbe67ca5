"""The parts that pages are made of, by what they tell. Each takes values and returns blocks."""

from zenml_ftvr.report.sections.answer import answer, disappointments
from zenml_ftvr.report.sections.calibration import calibration
from zenml_ftvr.report.sections.cost import cost
from zenml_ftvr.report.sections.data import data
from zenml_ftvr.report.sections.loading import usage
from zenml_ftvr.report.sections.provenance import plan_table, provenance
from zenml_ftvr.report.sections.ranking import ranking, reasons
from zenml_ftvr.report.sections.results import results
from zenml_ftvr.report.sections.training import curves
from zenml_ftvr.report.sections.unchecked import limits

__all__ = [
    "answer",
    "calibration",
    "cost",
    "curves",
    "data",
    "disappointments",
    "limits",
    "plan_table",
    "provenance",
    "ranking",
    "reasons",
    "results",
    "usage",
]
