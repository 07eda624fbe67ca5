"""Where runs go: mistakes are found when the settings are written, not when a run begins."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import TrackedRun, TrackingSettings, project_fault


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "oflfine"}, r"mode is 'oflfine'\. Did you mean 'offline'\?"),
        ({"project": "  "}, "project is empty"),
        ({"project": "a/b:c"}, "takes no / :"),
        ({"project": "p" * 129}, "129 characters"),
        ({"entity": ""}, "entity is empty"),
        ({"experiment": " "}, "experiment is empty"),
        ({"registry": ""}, "registry is empty"),
    ],
)
def test_a_mistake_is_named_with_its_field(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TrackingSettings(**given)


def test_yaml_gives_the_same_errors() -> None:
    with pytest.raises(ConfigurationError, match=r"mode"):
        TypeAdapter(TrackingSettings).validate_python({"mode": "sometimes"})
    with pytest.raises(ConfigurationError, match=r"unknown key 'modes'.*Did you mean 'mode'"):
        TypeAdapter(TrackingSettings).validate_python({"modes": "offline"})


def test_texts_stay_here_unless_they_are_asked_for() -> None:
    assert TrackingSettings().log_texts is False


def test_wandb_itself_takes_what_we_take_and_refuses_what_we_refuse() -> None:
    import wandb

    for project in ("p", "a b", "ü", "p" * 128):
        assert project_fault(project) is None
        wandb.Settings(project=project)
    for project in ("a/b", "a\\b", "a#b", "a?b", "a%b", "a:b", "p" * 129):
        assert project_fault(project) is not None
        with pytest.raises(wandb.errors.UsageError):
            wandb.Settings(project=project)


def test_a_run_is_uploaded_from_its_folder_or_from_its_copy() -> None:
    run = TrackedRun(run_id="a", name="n", project="p", url=None, offline_folder="/my runs/x")
    assert run.sync_command == "wandb sync '/my runs/x'"
    copied = TrackedRun(
        run_id="a",
        name="n",
        project="p",
        url=None,
        offline_folder="/gone",
        offline_copy="s3://store/x",
    )
    assert copied.sync_command == "zenml-ftvr publish s3://store/x"
