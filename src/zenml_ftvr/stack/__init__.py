"""ZenML flavors. A ZenML server imports this: nothing heavy here."""

from zenml_ftvr.stack.flavors import FLAVORS, TrainerFlavor, WandbFlavor

__all__ = ["FLAVORS", "TrainerFlavor", "WandbFlavor"]
