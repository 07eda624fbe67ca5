"""The parts that pages are made of, by what they tell. Each takes values and returns blocks."""

from zenml_ftvr.report.sections.adequacy import adequacy
from zenml_ftvr.report.sections.answer import answer, disappointments
from zenml_ftvr.report.sections.calibration import calibration
from zenml_ftvr.report.sections.comparison import comparison, comparison_serving
from zenml_ftvr.report.sections.cost import cost
from zenml_ftvr.report.sections.data import data
from zenml_ftvr.report.sections.foresight import decision_map, growth, pilot_runs
from zenml_ftvr.report.sections.forgetting import forgetting
from zenml_ftvr.report.sections.generation import generation
from zenml_ftvr.report.sections.loading import usage
from zenml_ftvr.report.sections.outcomes import outcomes, record
from zenml_ftvr.report.sections.provenance import plan_table, provenance
from zenml_ftvr.report.sections.ranking import ranking, reasons, task_of
from zenml_ftvr.report.sections.reliability import reliability
from zenml_ftvr.report.sections.results import results
from zenml_ftvr.report.sections.serving import serving
from zenml_ftvr.report.sections.training import curves
from zenml_ftvr.report.sections.unchecked import limits
from zenml_ftvr.report.sections.weaknesses import label_doubts, slices

__all__ = [
    "adequacy",
    "answer",
    "calibration",
    "comparison",
    "comparison_serving",
    "cost",
    "curves",
    "data",
    "decision_map",
    "disappointments",
    "forgetting",
    "generation",
    "growth",
    "label_doubts",
    "limits",
    "outcomes",
    "pilot_runs",
    "plan_table",
    "provenance",
    "ranking",
    "reasons",
    "record",
    "reliability",
    "results",
    "serving",
    "slices",
    "task_of",
    "usage",
]
