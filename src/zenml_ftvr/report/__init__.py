"""Pages, charts and cards: values to text, nothing else."""

from zenml_ftvr.report.card import model_card
from zenml_ftvr.report.markdown import comparison_markdown, render_markdown
from zenml_ftvr.report.pages import (
    calibration_page,
    comparison_page,
    dataset_page,
    evaluation_page,
    pilots_page,
    profile_page,
    recommendation_page,
    record_page,
    render_report,
    trained_model_page,
)
from zenml_ftvr.report.usage import usage_lines

__all__ = [
    "calibration_page",
    "comparison_markdown",
    "comparison_page",
    "dataset_page",
    "evaluation_page",
    "model_card",
    "pilots_page",
    "profile_page",
    "recommendation_page",
    "record_page",
    "render_markdown",
    "render_report",
    "trained_model_page",
    "usage_lines",
]
