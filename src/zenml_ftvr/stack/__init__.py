"""ZenML flavors. A ZenML server imports this: nothing heavy here."""

from zenml_ftvr.stack.active import trainer_name, trainer_usd_per_hour, trainers
from zenml_ftvr.stack.flavors import FLAVORS, TrainerFlavor, WandbFlavor

__all__ = [
    "FLAVORS",
    "TrainerFlavor",
    "WandbFlavor",
    "trainer_name",
    "trainer_usd_per_hour",
    "trainers",
]
