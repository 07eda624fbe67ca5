"""ZenML flavors. A ZenML server imports this: nothing heavy here."""

from zenml_ftvr.stack.flavors import FLAVORS, WandbFlavor

__all__ = ["FLAVORS", "WandbFlavor"]
