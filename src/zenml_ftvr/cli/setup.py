"""Register what this package adds to ZenML, and undo it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import FlavorResponse, FlavorUpdate
from zenml.stack.flavor import validate_flavor_source

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack import FLAVORS

__all__ = ["register", "unregister"]

TRACKER = "ftvr_wandb"  # the component's name, and its flavor's
TRACKER_TYPE = StackComponentType.EXPERIMENT_TRACKER


def register(stack: str, mode: str, activate: bool) -> list[str]:
    """Flavors, tracker and stack; what is there already stays, and a changed flavor is updated.

    If one of them cannot be made, those made before it are removed again.
    """
    client = Client()
    undo: list[Callable[[], None]] = []
    lines: list[str] = []
    try:
        lines.extend(_flavors(client, undo))
        lines.append(_tracker(client, mode, undo))
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
    found = client.list_stack_components(name=TRACKER, type=TRACKER_TYPE.value, hydrate=True)
    if not found.items:
        client.create_stack_component(
            name=TRACKER,
            flavor=TRACKER,
            component_type=TRACKER_TYPE,
            configuration={"mode": mode},
        )
        undo.append(lambda: client.delete_stack_component(TRACKER, TRACKER_TYPE))
        return f"experiment tracker '{TRACKER}' registered, mode {mode}"
    if found.items[0].flavor_name != TRACKER:
        raise ConfigurationError(
            f"there is an experiment tracker '{TRACKER}' of flavor "
            f"'{found.items[0].flavor_name}'. Rename it: zenml experiment-tracker rename."
        )
    if found.items[0].configuration.get("mode") != mode:
        client.update_stack_component(TRACKER, TRACKER_TYPE, configuration={"mode": mode})
        return f"experiment tracker '{TRACKER}' updated, mode {mode}"
    return f"experiment tracker '{TRACKER}' is registered already"


def _stack(client: Client, stack: str, undo: list[Callable[[], None]]) -> str:
    found = client.list_stacks(name=stack, hydrate=True)
    if found.items:
        trackers = found.items[0].components.get(TRACKER_TYPE, [])
        if all(tracker.name != TRACKER for tracker in trackers):
            raise ConfigurationError(
                f"there is a stack '{stack}' without the tracker '{TRACKER}'. Choose another name "
                f"with --stack, or add it: zenml stack update {stack} -e {TRACKER}."
            )
        return f"stack '{stack}' is registered already"
    client.create_stack(
        name=stack,
        components={
            StackComponentType.ORCHESTRATOR: "default",
            StackComponentType.ARTIFACT_STORE: "default",
            TRACKER_TYPE: TRACKER,
        },
    )
    undo.append(lambda: client.delete_stack(stack))
    return f"stack '{stack}' registered: local orchestrator and store, tracker '{TRACKER}'"


def unregister(stack: str) -> list[str]:
    """Remove stack, tracker and flavors, as far as they are there and nothing else uses them."""
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
            if component.name != TRACKER or stacks.items:
                used = ", ".join(one.name for one in stacks.items) or "no stack"
                lines.append(
                    f"'{component.name}' of flavor '{name}' is kept: not made by setup, or in use "
                    f"({used})"
                )
                continue
            client.delete_stack_component(component.id, kind)
            lines.append(f"experiment tracker '{component.name}' removed")
        flavor = _flavor(client, kind, name)
        left = client.list_stack_components(type=kind.value, flavor=name)
        if flavor is not None and not left.items:
            client.delete_flavor(str(flavor.id))
            lines.append(f"flavor '{name}' removed")
    return lines or ["there was nothing to remove"]
