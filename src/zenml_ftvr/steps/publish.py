"""The page that people read."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from zenml import get_step_context, log_metadata, step
from zenml.metadata.metadata_types import Uri
from zenml.types import HTMLString, MarkdownString

from zenml_ftvr.hardware import installed_versions
from zenml_ftvr.report import render_markdown, render_report
from zenml_ftvr.stack.step_run import (
    experiment_of,
    offline_runs_of_pipeline,
    open_step_run,
    tracked_run,
)
from zenml_ftvr.tracking import (
    WANDB_REPORT_FILE,
    RunTracker,
    curves_table,
    decision_map_table,
    evidence_table,
    learning_curves_table,
    model_artifact,
    pareto_table,
    pilots_table,
    ranking_table,
    report_content,
)
from zenml_ftvr.values import Evaluation, Recommendation, TrackingSettings, TrainedModel
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
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008  (frozen)
) -> tuple[Annotated[HTMLString, "report"], Annotated[MarkdownString, "report_markdown"]]:
    """Write report.html and report.md into `report_folder`, and show both in the dashboard.

    Where runs are tracked the report also becomes one of W&B's: saved to the server, over that of
    the last time, or kept in the folder for `zenml-ftvr publish`.
    """
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
    _publish(recommendation, evaluation, models, folder, tracking)
    return HTMLString(html), MarkdownString(markdown)


def _publish(
    recommendation: Recommendation,
    evaluation: Evaluation,
    models: tuple[TrainedModel, ...],
    folder: Path,
    tracking: TrackingSettings,
) -> None:
    experiment = experiment_of(tracking)
    config = {"choice": recommendation.choice, "verdict": recommendation.verdict}
    tags = (recommendation.choice,)
    with open_step_run(tracking, "report", f"report-{experiment}", tags, config) as run:
        run.attach("ftvr/recommendation", *ranking_table(recommendation))
        run.attach("ftvr/evidence", *evidence_table(recommendation))
        run.attach("ftvr/curves", *curves_table(models))
        _attach_foresight(run, recommendation)
        if evaluation.pareto:
            run.attach("ftvr/pareto", *pareto_table(evaluation))
        if tracking.registry is not None:
            run.register(model_artifact(experiment, models[0]), tracking.registry)
        content = report_content(
            recommendation,
            models,
            evaluation,
            title=f"{experiment}. Which approach for {Path(recommendation.profile.source).name}?",
            experiment=experiment,
            runs=offline_runs_of_pipeline(),
        )
        url = run.publish(content, folder / WANDB_REPORT_FILE)
        tracked = tracked_run(run)
        if url is not None:
            log_metadata({"wandb_report": Uri(url)})
        elif tracked is not None:
            place = shlex.quote(tracked.offline_copy or str(folder))
            log_metadata({"wandb_publish_command": f"zenml-ftvr publish {place}"})


def _attach_foresight(run: RunTracker, recommendation: Recommendation) -> None:
    """Pilots, the curves through them and the map, as tables."""
    if recommendation.pilots is not None:
        run.attach("ftvr/pilots", *pilots_table(recommendation.pilots))
    foresight = recommendation.foresight
    if foresight is None:
        return
    run.attach("ftvr/learning_curves", *learning_curves_table(foresight))
    if foresight.map is not None:
        run.attach("ftvr/map", *decision_map_table(foresight.map))


def _write_whole(path: Path, text: str) -> None:
    """Under another name first, so that a reader never sees half a page."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
