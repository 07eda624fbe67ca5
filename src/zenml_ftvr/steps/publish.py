"""The page that people read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from zenml import get_step_context, log_metadata, step
from zenml.types import HTMLString, MarkdownString

from zenml_ftvr.hardware import installed_versions
from zenml_ftvr.report import render_markdown, render_report
from zenml_ftvr.values import Evaluation, Recommendation, TrainedModel
from zenml_ftvr.values.written import user_path

__all__ = ["publish_report"]


# Not cached: the files are to be there whatever became of an earlier run's.
@step(enable_cache=False)
def publish_report(
    recommendation: Recommendation,
    evaluation: Evaluation,
    model: TrainedModel,
    baseline: TrainedModel | None = None,
    companion: TrainedModel | None = None,
    report_folder: str = "ftvr_report",
) -> tuple[Annotated[HTMLString, "report"], Annotated[MarkdownString, "report_markdown"]]:
    """Write report.html and report.md into `report_folder`, and show both in the dashboard."""
    models = (model, *(other for other in (baseline, companion) if other is not None))
    title = f"Which approach for {recommendation.profile.source}?"
    versions = installed_versions()
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    html = render_report(
        recommendation, models, evaluation, title=title, versions=versions, created=created
    )
    markdown = render_markdown(
        recommendation, models, evaluation, title=title, versions=versions, created=created
    )
    folder = user_path(report_folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / "report.html", html)
    _write_whole(folder / "report.md", markdown)
    log_metadata({"report": str(folder / "report.html"), "verdict": recommendation.verdict})
    print(f"{get_step_context().step_run.name}: {folder / 'report.html'}")  # noqa: T201
    return HTMLString(html), MarkdownString(markdown)


def _write_whole(path: Path, text: str) -> None:
    """Under another name first, so that a reader never sees half a page."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
