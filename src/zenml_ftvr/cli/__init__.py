"""The command line: zenml-ftvr setup | init | estimate | doctor | publish."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import click

from zenml_ftvr.errors import FtvrError

__all__ = ["main"]


class _Group(click.Group):
    """Ends in one line for an error of ours, and in a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FtvrError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


@click.group(cls=_Group)
@click.version_option(package_name="zenml-ftvr")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Fine-tune, use LoRA, train from scratch, or leave the neural network alone?"""


@cli.command()
@click.option("--stack", default="ftvr", show_default=True, help="Name of the stack.")
@click.option("--activate", is_flag=True, help="Make it the active stack.")
@click.option(
    "--mode",
    type=click.Choice(["auto", "online", "offline", "disabled"]),
    default="auto",
    show_default=True,
    help="Of the W&B tracker; auto is online where W&B has a key.",
)
@click.option(
    "--usd-per-hour", type=float, help="What an hour of this machine costs; the trainer keeps it."
)
@click.option("--remove", is_flag=True, help="Undo it.")
def setup(stack: str, activate: bool, mode: str, usd_per_hour: float | None, remove: bool) -> None:
    """Register our flavors, a W&B tracker, a trainer and a stack with both. Safe to run again."""
    from zenml_ftvr.cli.setup import register, unregister

    lines = unregister(stack) if remove else register(stack, mode, activate, usd_per_hour)
    for line in lines:
        click.echo(line)


@cli.command()
@click.argument("data")
@click.option("--output", default="ftvr.yaml", show_default=True, help="The file to write.")
@click.option("--text-column", help="Guessed where it is not given.")
@click.option("--label-column", help="Guessed where it is not given.")
@click.option("--encoding", default="utf-8", show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(
    data: str,
    output: str,
    text_column: str | None,
    label_column: str | None,
    encoding: str,
    force: bool,
) -> None:
    """Write a commented configuration for the file or data set DATA."""
    from zenml_ftvr.cli.init import write_configuration

    path = Path(output)
    for line in write_configuration(data, path, text_column, label_column, encoding, force):
        click.echo(line)


@cli.command()
@click.argument("model")
@click.option("--rows", type=int, help="Labelled rows in all; or --data.")
@click.option("--tokens", type=float, help="Of a row, on average; else all are at the limit.")
@click.option("--classes", type=int, default=2, show_default=True)
@click.option("--data", help="A file or data set to count rows, classes and tokens in.")
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
@click.option("--max-length", type=int, default=128, show_default=True, help="Texts are cut there.")
@click.option("--accelerator", help="Such as 'A100 SXM4 80 GB'; else this machine.")
@click.option("--devices", type=int, default=1, show_default=True, help="How many of them.")
@click.option("--utilisation", type=float, help="Share of its peak that training reaches.")
@click.option("--usd-per-hour", type=float, help="Your price of the machine; never guessed.")
@click.option("--hours", type=float, help="The budget.")
@click.option("--usd", type=float, help="The budget; needs --usd-per-hour.")
@click.option("--memory-gib", type=float, help="The most that training may take.")
@click.option("--parameters", type=int, help="The most that the model may have.")
@click.option("--calibration", help="value.json of the calibrate step, to correct by.")
@click.option("--json", "as_json", is_flag=True, help="All of it, for other programs.")
def estimate(
    model: str,
    memory_gib: float | None,
    parameters: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """What each approach would cost with the base model MODEL: hours, dollars, memory.

    MODEL is minilm, a model's folder, its config.json, or a model id in the Hugging Face cache.
    Nothing is trained, loaded or downloaded.
    """
    from zenml_ftvr.cli.estimate import Asked, estimated, shown, written
    from zenml_ftvr.values import Limits

    limits = Limits(memory_gib=memory_gib, parameters=parameters)
    answer = estimated(Asked(model=model, limits=limits, **asked))
    for line in [written(answer)] if as_json else shown(answer):
        click.echo(line)


@cli.command()
@click.argument("configuration", required=False)
def doctor(configuration: str | None) -> None:
    """Check the installation and, where given, the file CONFIGURATION; say what to mend."""
    from zenml_ftvr.cli.doctor import examine

    findings = examine(None if configuration is None else Path(configuration))
    for finding in findings:
        click.echo(f"{'ok     ' if finding.is_fine else 'PROBLEM'}  {finding.text}")
    problems = sum(not finding.is_fine for finding in findings)
    if problems:
        click.echo(f"{problems} problem{'s' if problems > 1 else ''} to mend.", err=True)
        sys.exit(1)


@cli.command()
@click.argument("location", default="ftvr_report")
def publish(location: str) -> None:
    """Upload to W&B what was kept offline: runs, data lineage, and the report.

    LOCATION is the folder that the step publish_report wrote into, or the folder of a run, or the
    URI of its copy in the artifact store of the active stack.
    """
    from zenml_ftvr.cli.publish import publish as publish_from

    for line in publish_from(location):
        click.echo(line)


def main() -> None:
    """The console script."""
    cli.main(prog_name="zenml-ftvr")
