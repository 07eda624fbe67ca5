"""Check the installation and a configuration, and say what to mend."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pydantic import TypeAdapter, ValidationError

from zenml_ftvr.cli.pipeline import parameter_types, required_parameters, step_names
from zenml_ftvr.errors import FtvrError
from zenml_ftvr.values import Request
from zenml_ftvr.values.written import name_or_guess

__all__ = ["Finding", "examine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    is_fine: bool
    text: str


def examine(path: Path | None) -> list[Finding]:
    """Everything that can be wrong before a run, each with what to mend."""
    trainer, usd_per_hour = _trainer()
    findings = [*_versions(), *trainer]
    if path is not None:
        findings.extend(_configuration(path, usd_per_hour))
    return findings


def _trainer() -> tuple[list[Finding], float | None]:
    """The active stack's trainers, checked again here, and the price of the first."""
    from zenml_ftvr.stack import trainers
    from zenml_ftvr.stack.trainer_flavor import TrainerConfig, check_target

    try:
        found = trainers()
    except Exception as error:  # whatever ZenML's client or its server raises: it is to be said
        text = f"ZenML's active stack cannot be read: {error}. Look at: zenml status"
        return [Finding(False, text)], None
    findings = []
    prices: list[float | None] = []
    for component in found:
        name = f"trainer '{component.name}'"
        try:
            config = TrainerConfig(**component.configuration)
            check_target(config)
        except FtvrError as error:
            text = f"{name}: {error} zenml step-operator update {component.name}"
            findings.append(Finding(False, text))
            continue
        prices.append(config.usd_per_hour)
        price = "no price" if config.usd_per_hour is None else f"${config.usd_per_hour:g} an hour"
        findings.append(Finding(True, f"{name} of the active stack: {config.target}, {price}"))
    return findings, prices[0] if prices else None


def _versions() -> Iterator[Finding]:
    about = importlib.metadata.metadata("zenml-ftvr")
    python = platform.python_version()
    wanted = SpecifierSet(about["Requires-Python"] or "")
    yield Finding(python in wanted, f"python {python} (wanted: {wanted})")
    for text in importlib.metadata.requires("zenml-ftvr") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(False, f"{requirement.name} is missing: pip install '{text}'")
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        remedy = "" if fits else f"; pip install '{text}'"
        wanted_text = str(requirement.specifier) or "any"
        yield Finding(fits, f"{requirement.name} {version} (wanted: {wanted_text}){remedy}")


def _configuration(path: Path, usd_per_hour: float | None) -> Iterator[Finding]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        yield Finding(False, f"{path} does not exist. Write one with: zenml-ftvr init DATA")
        return
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        yield Finding(False, f"{path} is not readable YAML: {error}")
        return
    if not isinstance(content, dict):
        yield Finding(False, f"{path} holds no mapping. Write one with: zenml-ftvr init DATA")
        return
    yield from _zenml_keys(content)
    values, problems = _parameters(content.get("parameters") or {})
    yield from problems
    if problems:
        return
    yield Finding(True, f"parameters: {', '.join(values)}")
    yield from _contents(values, usd_per_hour)


def _zenml_keys(content: dict[str, Any]) -> Iterator[Finding]:
    """ZenML ignores keys that it does not know, silently."""
    from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
    from zenml.config.step_configurations import StepConfigurationUpdate

    known = sorted(PipelineRunConfiguration.model_fields)
    for key in content:
        if key not in known:
            yield Finding(
                False, f"ZenML ignores the key '{key}' silently.{name_or_guess(str(key), known)}"
            )
    steps = content.get("steps") or {}
    if not isinstance(steps, dict):
        yield Finding(False, f"steps is {steps!r:.60}; it must be a mapping of step names.")
        return
    fields = sorted(StepConfigurationUpdate.model_fields)
    for name, settings in steps.items():
        if name not in step_names():
            guess = name_or_guess(str(name), step_names())
            yield Finding(False, f"steps.{name} is no step of the pipeline.{guess}")
        if not isinstance(settings or {}, dict):
            yield Finding(False, f"steps.{name} is {settings!r:.60}; it must be a mapping.")
            continue
        for key in settings or {}:
            if key not in fields:
                yield Finding(
                    False,
                    f"ZenML ignores the key 'steps.{name}.{key}' silently."
                    f"{name_or_guess(str(key), fields)}",
                )


def _parameters(given: Any) -> tuple[dict[str, Any], list[Finding]]:
    if not isinstance(given, dict):
        return {}, [Finding(False, f"parameters is {given!r:.60}; it must be a mapping.")]
    types = parameter_types()
    values: dict[str, Any] = {}
    problems = []
    for name in required_parameters():
        if name not in given:
            problems.append(Finding(False, f"parameters.{name} is missing."))
    for name, value in given.items():
        if name not in types:
            guess = name_or_guess(str(name), sorted(types))
            problems.append(Finding(False, f"parameters.{name} is unknown.{guess}"))
            continue
        try:
            values[name] = TypeAdapter(types[name]).validate_python(value)
        except FtvrError as error:
            problems.append(Finding(False, f"parameters.{name}: {error}"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problems.append(Finding(False, f"parameters.{name}: {first['msg']}; got {value!r:.60}"))
    return values, problems


def _contents(values: dict[str, Any], usd_per_hour: float | None) -> Iterator[Finding]:
    """Whether budget and price fit together, and the model and the data can be had."""
    from zenml_ftvr.api import resolve_base
    from zenml_ftvr.data import load_dataset

    fields = {name: values[name] for name in Request.__dataclass_fields__ if name in values}
    if "approaches" in fields:
        fields["approaches"] = tuple(fields["approaches"])
    if fields.get("usd_per_hour") is None:
        fields["usd_per_hour"] = usd_per_hour  # as the pipeline does
    try:
        request = Request(**fields)
        yield Finding(True, "budget and price")
    except FtvrError as error:
        yield Finding(False, str(error))
        return
    try:
        base = resolve_base(request)
        if base is not None:
            yield Finding(
                True,
                f"base model '{request.base_model.name}': {base.architecture.n_params:,} "
                f"parameters, sha256 {base.fingerprint[:12]}…",
            )
    except FtvrError as error:
        yield Finding(False, str(error))
    try:
        dataset = load_dataset(values["data"])
        yield Finding(
            True,
            f"data '{dataset.source.name}': {len(dataset.train):,} training, "
            f"{len(dataset.validation):,} validation and {len(dataset.test):,} test rows in "
            f"{len(dataset.labels)} classes",
        )
    except FtvrError as error:
        yield Finding(False, str(error))
