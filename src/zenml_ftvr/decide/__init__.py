"""The decision: pure arithmetic over what was measured and what was published."""

from zenml_ftvr.decide.cost import hours_left
from zenml_ftvr.decide.plan import PlanBasis, make_plan, plan_basis, training_facts
from zenml_ftvr.decide.recommend import recommend

__all__ = [
    "PlanBasis",
    "hours_left",
    "make_plan",
    "plan_basis",
    "recommend",
    "training_facts",
]
