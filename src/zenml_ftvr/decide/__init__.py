"""The decision: pure arithmetic over what was measured and what was published."""

from zenml_ftvr.decide.cost import PricedArm, hours_left, price_arm
from zenml_ftvr.decide.pilot_costs import (
    PilotRowCounts,
    judging_seconds,
    least_pilot_rows,
    pilot_arms,
    plan_of_pilot,
)
from zenml_ftvr.decide.pilot_parcels import (
    RERUN_SEED,
    SEEDS_OF_CHEAP,
    PilotArm,
    PilotProtocol,
    PilotRequest,
    pilot_sizes,
)
from zenml_ftvr.decide.pilot_plan import carry_out, pilot_allowance
from zenml_ftvr.decide.plan import PlanBasis, make_plan, plan_basis, training_facts
from zenml_ftvr.decide.recommend import recommend
from zenml_ftvr.decide.record import record_of, track_record

__all__ = [
    "RERUN_SEED",
    "SEEDS_OF_CHEAP",
    "PilotArm",
    "PilotProtocol",
    "PilotRequest",
    "PilotRowCounts",
    "PlanBasis",
    "PricedArm",
    "carry_out",
    "hours_left",
    "judging_seconds",
    "least_pilot_rows",
    "make_plan",
    "pilot_allowance",
    "pilot_arms",
    "pilot_sizes",
    "plan_basis",
    "plan_of_pilot",
    "price_arm",
    "recommend",
    "record_of",
    "track_record",
    "training_facts",
]
