"""The question in plain Python: no ZenML, no W&B.

python recommend.py [FILE.csv] [HOURS]
"""

import sys

import zenml_ftvr
from zenml_ftvr import Budget


def main(data: str = "docstrings", hours: str = "0.05") -> None:
    """Ask, and print the ranking."""
    answer = zenml_ftvr.recommend(data, budget=Budget(hours=float(hours)))
    print(answer.verdict)
    for place, arm in enumerate(answer.arms, start=1):
        score, cost = arm.forecast.score, arm.cost
        known = "not measured" if score is None else f"{score.value:.3f}"
        time = "" if cost is None else f"{cost.hours * 60:.1f} min"
        print(f"{place}. {arm.kind:<9} {known:<13} {time:<10} {' '.join(arm.reasons)}")
    for reason in answer.reasons:
        print("-", reason)


if __name__ == "__main__":
    main(*sys.argv[1:])
