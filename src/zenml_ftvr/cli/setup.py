"""Register what this package adds to ZenML, and undo it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import FlavorResponse, FlavorUpdate
from zenml.stack.flavor import validate_flavor_source

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack import FLAVORS

__all__ = ["register", "unregister"]

TRACKER = "ftvr_wandb"  # the component's name, and its flavor's
TRACKER_TYPE = StackComponentType.EXPERIMENT_TRACKER
TRAINER = "ftvr_trainer"  # likewise
TRAINER_TYPE = StackComponentType.STEP_OPERATOR


def register(stack: str, mode: str, activate: bool, usd_per_hour: float | None = None) -> list[str]:
    """Flavors, tracker, trainer and stack; what is there stays, and a changed flavor is updated.

    If one of them cannot be made, those made before it are removed again.
    """
    client = Client()
    undo: list[Callable[[], None]] = []
    lines: list[str] = []
    try:
        lines.extend(_flavors(client, undo))
        lines.append(_tracker(client, mode, undo))
        lines.append(_trainer(client, usd_per_hour, undo))
        lines.append(_stack(client, stack, undo))
    except Exception:
        for step in reversed(undo):
            step()
        raise
    if activate:
        client.activate_stack(stack)
        lines.append(f"stack '{stack}' is now the active one")
    elif client.active_stack_model.name != stack:
        lines.append(f"use it with: zenml stack set {stack}, or zenml pipeline run -s {stack}")
    return lines


def _flavors(client: Client, undo: list[Callable[[], None]]) -> Iterator[str]:
    for kind, source, name in FLAVORS:
        known = _flavor(client, kind, name)
        if known is None:
            made = client.create_flavor(source=source, component_type=kind)
            undo.append(lambda made=made: client.delete_flavor(str(made.id)))  # type: ignore[misc]
            yield f"flavor '{name}' registered"
            continue
        _, flavor = validate_flavor_source(source=source, component_type=kind)
        fresh = flavor.to_model(integration="custom", is_custom=True)
        if known.config_schema == fresh.config_schema and known.source == fresh.source:
            yield f"flavor '{name}' is registered already"
            continue
        client.zen_store.update_flavor(
            known.id,
            FlavorUpdate(
                config_schema=fresh.config_schema,
                source=fresh.source,
                display_name=fresh.display_name,
            ),
        )
        yield f"flavor '{name}' updated"


def _flavor(client: Client, kind: StackComponentType, name: str) -> FlavorResponse | None:
    found = client.list_flavors(name=name, type=kind.value, hydrate=True)
    return found.items[0] if found.items else None


def _tracker(client: Client, mode: str, undo: list[Callable[[], None]]) -> str:
    return _component(client, TRACKER_TYPE, TRACKER, {"mode": mode}, f", mode {mode}", undo)


def _trainer(client: Client, usd_per_hour: float | None, undo: list[Callable[[], None]]) -> str:
    """A price that is not given stays as it is."""
    price = {} if usd_per_hour is None else {"usd_per_hour": usd_per_hour}
    words = "" if usd_per_hour is None else f", ${usd_per_hour:g} an hour"
    return _component(client, TRAINER_TYPE, TRAINER, price, words, undo)


def _component(
    client: Client,
    kind: StackComponentType,
    name: str,
    configuration: dict[str, Any],
    words: str,
    undo: list[Callable[[], None]],
) -> str:
    noun = kind.value.replace("_", " ")
    found = client.list_stack_components(name=name, type=kind.value, hydrate=True)
    if not found.items:
        client.create_stack_component(
            name=name, flavor=name, component_type=kind, configuration=configuration
        )
        undo.append(lambda: client.delete_stack_component(name, kind))
        return f"{noun} '{name}' registered{words}"
    known = found.items[0]
    if known.flavor_name != name:
        article = "an" if noun[0] in "aeiou" else "a"
        raise ConfigurationError(
            f"there is {article} {noun} '{name}' of flavor '{known.flavor_name}'. Rename it: "
            f"zenml {noun.replace(' ', '-')} rename."
        )
    if any(known.configuration.get(key) != value for key, value in configuration.items()):
        client.update_stack_component(name, kind, configuration=configuration)
        return f"{noun} '{name}' updated{words}"
    return f"{noun} '{name}' is registered already"


def _stack(client: Client, stack: str, undo: list[Callable[[], None]]) -> str:
    found = client.list_stacks(name=stack, hydrate=True)
    if found.items:
        trackers = found.items[0].components.get(TRACKER_TYPE, [])
        if all(tracker.name != TRACKER for tracker in trackers):
            raise ConfigurationError(
                f"there is a stack '{stack}' without the tracker '{TRACKER}'. Choose another name "
                f"with --stack, or add it: zenml stack update {stack} -e {TRACKER}."
            )
        operators = found.items[0].components.get(TRAINER_TYPE, [])
        if any(operator.flavor_name == TRAINER for operator in operators):
            return f"stack '{stack}' is registered already"
        # Made by a version that had no trainer, or taken out since.
        before = [operator.id for operator in operators]
        client.update_stack(stack, component_updates={TRAINER_TYPE: [*before, TRAINER]})
        return f"stack '{stack}' updated: trainer '{TRAINER}' added"
    client.create_stack(
        name=stack,
        components={
            StackComponentType.ORCHESTRATOR: "default",
            StackComponentType.ARTIFACT_STORE: "default",
            TRACKER_TYPE: TRACKER,
            TRAINER_TYPE: TRAINER,
        },
    )
    undo.append(lambda: client.delete_stack(stack))
    return (
        f"stack '{stack}' registered: local orchestrator and store, tracker '{TRACKER}', "
        f"trainer '{TRAINER}'"
    )


def unregister(stack: str) -> list[str]:
    """Remove all of it again, as far as it is there and nothing else uses it."""
    client = Client()
    lines = []
    found = client.list_stacks(name=stack, hydrate=True)
    if found.items:
        if client.active_stack_model.name == stack:
            raise ConfigurationError(
                f"stack '{stack}' is the active one. Choose another first: zenml stack set default."
            )
        trackers = found.items[0].components.get(TRACKER_TYPE, [])
        if all(tracker.name != TRACKER for tracker in trackers):
            raise ConfigurationError(
                f"stack '{stack}' has no tracker '{TRACKER}', so that it was not made by setup. "
                f"Name the right one with --stack."
            )
        client.delete_stack(stack)
        lines.append(f"stack '{stack}' removed")
    for kind, _, name in FLAVORS:
        users = client.list_stack_components(type=kind.value, flavor=name, hydrate=True)
        for component in users.items:
            stacks = client.list_stacks(component_id=component.id)
            if component.name != name or stacks.items:
                used = ", ".join(one.name for one in stacks.items) or "no stack"
                lines.append(
                    f"'{component.name}' of flavor '{name}' is kept: not made by setup, or in use "
                    f"({used})"
                )
                continue
            client.delete_stack_component(component.id, kind)
            lines.append(f"{kind.value.replace('_', ' ')} '{component.name}' removed")
        flavor = _flavor(client, kind, name)
        left = client.list_stack_components(type=kind.value, flavor=name)
        if flavor is not None and not left.items:
            client.delete_flavor(str(flavor.id))
            lines.append(f"flavor '{name}' removed")
    return lines or ["there was nothing to remove"]
