"""What the active stack has of ours; nothing of it is loaded."""

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ComponentResponse

__all__ = ["trainer_name", "trainer_usd_per_hour", "trainers"]

TRAINER_FLAVOR = "ftvr_trainer"


def trainer_name() -> str | None:
    """Of the first trainer in the active stack; None: steps run where the pipeline does."""
    found = trainers()
    return found[0].name if found else None


def trainer_usd_per_hour() -> float | None:
    """What the active stack's trainer costs; None where there is none, or it has no price."""
    found = trainers()
    price = found[0].configuration.get("usd_per_hour") if found else None
    return None if price is None else float(price)


def trainers() -> list[ComponentResponse]:
    """Those of the active stack, as they were registered."""
    operators = Client().active_stack_model.components.get(StackComponentType.STEP_OPERATOR, [])
    return [one for one in operators if one.flavor_name == TRAINER_FLAVOR]
