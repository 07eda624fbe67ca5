"""Which model came from which data, as W&B artifacts that hold no data and no weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from zenml_ftvr.tracking.run import TrackedArtifact

__all__ = ["as_wandb_artifact", "link_inputs", "register_kept", "register_model"]

COMMIT_SECONDS = 60  # a judgement: the artifact has no files, only a manifest

logger = logging.getLogger(__name__)


def as_wandb_artifact(artifact: TrackedArtifact) -> Any:
    """Its metadata, and one reference that is its fingerprint: equal ones are one version."""
    import wandb

    made = wandb.Artifact(artifact.wandb_name, artifact.kind, metadata=dict(artifact.metadata))
    made.add_reference(
        f"zenml-ftvr:{artifact.kind}/{artifact.fingerprint}", name=artifact.kind, checksum=False
    )
    return made


def register_model(run: Any, artifact: TrackedArtifact, registry: str) -> None:
    """Link the model that another run made, as an input of this one."""
    with _spared(artifact, registry):
        made = run.use_artifact(_path(run.entity, run.project, artifact))
        run.link_artifact(made, _registered(artifact, registry))


def register_kept(entity: str, project: str, artifact: TrackedArtifact, registry: str) -> None:
    """The same for a run that is on the server by now."""
    import wandb

    with _spared(artifact, registry):
        made = wandb.Api().artifact(_path(entity, project, artifact))
        made.link(_registered(artifact, registry))


def _path(entity: str, project: str, artifact: TrackedArtifact) -> str:
    return f"{entity}/{project}/{artifact.wandb_name}:{artifact.fingerprint}"


def _registered(artifact: TrackedArtifact, registry: str) -> str:
    return f"wandb-registry-{registry}/{artifact.wandb_name}"


@contextmanager
def _spared(artifact: TrackedArtifact, registry: str) -> Iterator[None]:
    """A warning in place of an error: a registry belongs to an organisation, and not every server
    or account has one; a pipeline is not to fail for it."""
    try:
        yield
    except Exception as error:  # W&B raises what its server and its own checks come up with
        logger.warning(
            "W&B did not put the model '%s' into the registry '%s' (%s). Choose one with "
            "tracking: {registry: ...}, or none with registry: null.",
            artifact.wandb_name,
            registry,
            type(error).__name__,
        )


def link_inputs(
    entity: str,
    project: str,
    experiment: str,
    used_by: Mapping[str, Sequence[TrackedArtifact]],
) -> None:
    """Make what runs were given into their inputs: run id to artifacts, for runs on the server.

    What no run has made is logged by a run of the job `data`.
    """
    import wandb

    api = wandb.Api()
    wanted = {
        _path(entity, project, artifact): artifact
        for artifacts in used_by.values()
        for artifact in artifacts
    }
    found = {path: api.artifact(path) for path in wanted if api.artifact_exists(path)}
    unmade = [artifact for path, artifact in wanted.items() if path not in found]
    if unmade:
        found |= _log_data(entity, project, experiment, unmade)
    for run_id, artifacts in used_by.items():
        user = api.run(f"{entity}/{project}/{run_id}")
        for artifact in artifacts:
            user.use_artifact(found[_path(entity, project, artifact)])


def _log_data(
    entity: str, project: str, experiment: str, unmade: Sequence[TrackedArtifact]
) -> dict[str, Any]:
    import wandb

    settings = wandb.Settings(
        silent=True, console="off", save_code=False, disable_git=True, reinit="create_new"
    )
    logged = {}
    with wandb.init(
        entity=entity,
        project=project,
        group=experiment,
        name="data",
        job_type="data",
        settings=settings,
    ) as run:
        for artifact in unmade:
            made = run.log_artifact(as_wandb_artifact(artifact), aliases=[artifact.fingerprint])
            logged[_path(entity, project, artifact)] = made.wait(timeout=COMMIT_SECONDS)
    return logged
