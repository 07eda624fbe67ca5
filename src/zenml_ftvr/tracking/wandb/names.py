"""Names that are written in one place and read in another."""

__all__ = ["APPROACH", "PREFIX", "REGISTERS", "STEP", "USES"]

PREFIX = "ftvr"  # of our configuration: other integrations write into the same one
USES = "uses"  # what an offline run was given, for `zenml-ftvr publish` to make into lineage
REGISTERS = "registers"  # the same for models that are to be in a registry
STEP = "train/global_step"  # the x axis of all readings
APPROACH = f"{PREFIX}.approach.kind"  # where a run's configuration says what it trains
