"""The report in W&B: built here, kept as a file, saved to a server when there is one."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking.contents import ReportContent, ReportTable
from zenml_ftvr.tracking.wandb.names import APPROACH, STEP

__all__ = ["KeptReport", "KeptRun", "keep_report", "publish_report", "read_report"]

SCHEMA = 1
PLACEHOLDER = "entity"  # a report cannot be built without one; the server's own replaces it
TITLE_LENGTH = 128  # wandb-workspaces takes no longer ones
PANEL_WIDTH, PANEL_HEIGHT, GRID_WIDTH = 8, 7, 24  # W&B's grid is 24 columns wide
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:])")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """An offline run that the report is about."""

    run_id: str
    folder: str
    copy: str | None
    """Its URI in the artifact store; None where the folder is on the user's own machine."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A report in a file: all that saving it takes."""

    schema: int
    entity: str | None
    """None: the server's own for the key."""
    project: str
    title: str
    description: str
    experiment: str
    offline: tuple[KeptRun, ...]
    """What is to be uploaded before it can be shown."""
    spec: dict[str, Any]
    """What W&B calls the report's spec: its blocks and panels."""
    report_id: str | None = None
    """Of the report that was saved from this file last."""
    url: str | None = None


def keep_report(content: ReportContent, file: Path, *, entity: str | None, project: str) -> None:
    """Write a report as a file; one that was saved from the same file before keeps its address."""
    before = read_report(file) if file.exists() else None
    title = title_of(content.title)
    same = before is not None and (before.project, before.title) == (project, title)
    kept = KeptReport(
        schema=SCHEMA,
        entity=entity,
        project=project,
        title=title,
        description=content.verdict,
        experiment=content.experiment,
        offline=_offline(content),
        spec=_spec(content, project),
        report_id=before.report_id if same and before is not None else None,
        url=before.url if same and before is not None else None,
    )
    _write(kept, file)


def _offline(content: ReportContent) -> tuple[KeptRun, ...]:
    runs = {
        run.offline_folder: KeptRun(
            run_id=run.run_id, folder=run.offline_folder, copy=run.offline_copy
        )
        for run in content.runs
        if run.offline_folder is not None
    }
    return tuple(runs.values())


def read_report(file: Path) -> KeptReport:
    """What `keep_report` wrote; `TrackingError` for anything else."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        if held["schema"] > SCHEMA:
            raise TrackingError(
                f"{file} has schema {held['schema']}, which is newer than this version's {SCHEMA}. "
                f"Upgrade: pip install -U zenml-ftvr."
            )
        runs = tuple(KeptRun(**one) for one in held["offline"])
        return KeptReport(**{**held, "offline": runs})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrackingError(
            f"{file} is no report of ours ({type(error).__name__}). It is written by the step "
            f"publish_report; name the folder that it wrote into."
        ) from error


def _write(kept: KeptReport, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(dataclasses.asdict(kept), indent=1), encoding="utf-8")
    part.replace(file)


def publish_report(file: Path) -> str:
    """Save the report in `file` to the server, over the one of the same project and title.

    The address, which is also kept in the file. Raises `TrackingError` where W&B refuses it.
    """
    import wandb
    from wandb_workspaces.reports import v2

    kept = read_report(file)
    try:
        api = wandb.Api()
        entity = kept.entity or api.default_entity
        report = v2.Report._from_model(_viewspec(kept, entity))
        report.width = kept.spec["width"]  # which reading a spec loses
        report.id = _known_id(api, kept, entity) or ""
        report.save()
        url = str(report.url)
    except Exception as error:  # W&B raises what its server and its own checks come up with
        raise TrackingError(
            f"W&B did not take the report '{kept.title}' ({type(error).__name__}). It is kept in "
            f"{file}, to be published again."
        ) from error
    _write(dataclasses.replace(kept, entity=entity, report_id=report.id, url=url), file)
    return url


def _known_id(api: Any, kept: KeptReport, entity: str) -> str | None:
    """The report that this one replaces: the file's, if it is still there, else by its title."""
    if not any(project.name == kept.project for project in api.projects(entity)):
        return None
    by_title = None
    for view in api.reports(f"{entity}/{kept.project}"):
        if kept.report_id is not None and _same_id(view.id, kept.report_id):
            return str(view.id)
        if by_title is None and view.display_name == kept.title:
            by_title = str(view.id)
    return by_title


def _same_id(one: str, other: str) -> bool:
    return one.rstrip("=") == other.rstrip("=")  # W&B's links leave the padding out


def _viewspec(kept: KeptReport, entity: str) -> Any:
    from wandb_workspaces.reports.v2 import internal

    return internal.ReportViewspec(
        display_name=kept.title,
        description=kept.description,
        project=internal.Project(name=kept.project, entity_name=entity),
        spec=internal.Spec.model_validate(kept.spec),
    )


def title_of(text: str) -> str:
    """A title that W&B can make an address of: it puts titles there as they are."""
    plain = re.sub(r"[^\w ,.()'-]+", " ", text)
    return " ".join(plain.split())[:TITLE_LENGTH].strip() or "Report"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return MARKDOWN.sub(r"\\\1", plain)


def _spec(content: ReportContent, project: str) -> dict[str, Any]:
    from wandb_workspaces.reports import v2

    blocks: list[Any] = [
        v2.CalloutBlock(text=content.verdict),
        *(v2.P(text=reason) for reason in content.reasons),
        v2.TableOfContents(),
    ]
    for table in content.tables:
        blocks.extend(_table(table))
    blocks.extend((v2.H1(text="Training, by approach"), _curves(content)))
    blocks.extend((v2.H1(text="Runs side by side"), _comparer(content)))
    report = v2.Report(
        entity=PLACEHOLDER,
        project=project,
        title=title_of(content.title),
        description=content.verdict,
        width="fluid",
        blocks=blocks,
    )
    spec = report._to_model().spec.model_dump_json(by_alias=True, exclude_none=True)
    return dict(json.loads(spec))


def _table(table: ReportTable) -> list[Any]:
    from wandb_workspaces.reports import v2

    lines = [
        _line(table.columns),
        "|" + " --- |" * len(table.columns),
        *(_line(row) for row in table.rows),
    ]
    blocks = [v2.H1(text=table.title), v2.P(text=table.note)]
    return [*blocks, v2.MarkdownBlock(text="\n".join(lines))] if table.rows else blocks


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def _runs(content: ReportContent) -> Any:
    """The compared models' runs; where they are not known, the experiment's trainings."""
    from wandb_workspaces import expr
    from wandb_workspaces.reports import v2

    if content.run_ids:
        wanted = expr.And(expr.Metric("ID").isin(list(content.run_ids)))
    else:
        wanted = expr.And(
            expr.Metric("Group") == content.experiment, expr.Metric("JobType") == "train"
        )
    return v2.Runset(
        name="models",
        filters=wanted,
        pinned_columns=[
            f"config:{APPROACH.replace('.', '.value.', 1)}",
            *(f"summary:final/{name}" for name in content.metrics if name.startswith("eval/")),
            "summary:cost/seconds",
        ],
    )


def _curves(content: ReportContent) -> Any:
    from wandb_workspaces.reports import v2

    panels = [
        v2.LinePlot(
            title=metric,
            x=STEP,
            y=[metric],
            groupby=v2.Config(APPROACH),
            groupby_aggfunc="mean",
            layout=_place(index),
        )
        for index, metric in enumerate(content.metrics)
    ]
    bars = [
        v2.BarPlot(
            title=name,
            metrics=[v2.SummaryMetric(name)],
            groupby=v2.Config(APPROACH),
            layout=_place(len(panels) + index),
        )
        for index, name in enumerate(("cost/seconds", "cost/peak_memory_gib"))
    ]
    return v2.PanelGrid(runsets=[_runs(content)], panels=[*panels, *bars])


def _place(index: int) -> Any:
    from wandb_workspaces.reports import v2

    row, column = divmod(index, GRID_WIDTH // PANEL_WIDTH)
    return v2.Layout(x=column * PANEL_WIDTH, y=row * PANEL_HEIGHT, w=PANEL_WIDTH, h=PANEL_HEIGHT)


def _comparer(content: ReportContent) -> Any:
    from wandb_workspaces.reports import v2

    whole = v2.Layout(x=0, y=0, w=GRID_WIDTH, h=2 * PANEL_HEIGHT)
    return v2.PanelGrid(
        runsets=[_runs(content)], panels=[v2.RunComparer(diff_only="split", layout=whole)]
    )
