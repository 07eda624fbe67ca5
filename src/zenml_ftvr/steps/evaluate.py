"""Score models on the test split, and use a model on a file."""

from typing import Annotated

import pandas as pd
from zenml import step

from zenml_ftvr.data import Dataset, read_texts
from zenml_ftvr.evaluate import evaluate_models
from zenml_ftvr.materializers import EvaluationMaterializer
from zenml_ftvr.models import load
from zenml_ftvr.steps.cache import CACHE_POLICY
from zenml_ftvr.train import print_progress
from zenml_ftvr.values import Evaluation, Ledger, Recommendation, TrainedModel
from zenml_ftvr.values.written import user_path

__all__ = ["evaluate_model", "predict"]


@step(cache_policy=CACHE_POLICY, output_materializers=EvaluationMaterializer)
def evaluate_model(
    dataset: Dataset,
    model: TrainedModel,
    recommendation: Recommendation | None = None,
    baseline: TrainedModel | None = None,
    companion: TrainedModel | None = None,
    seed: int = 0,
) -> Annotated[Evaluation, "evaluation"]:
    """Score `model` on the test split, beside the baseline and a companion where given."""
    models = [model, *(other for other in (baseline, companion) if other is not None)]
    spent = Ledger() if recommendation is None else recommendation.ledger
    for one in models:
        spent = spent.with_entries(*one.ledger.entries)
    progress = print_progress()
    return evaluate_models(
        models,
        dataset,
        spent=spent,
        predicted_seconds=[_predicted_seconds(one, recommendation) for one in models],
        seed=seed,
        on_rows=lambda kind, done, total: progress(f"testing {kind}", done, total),
    )


def _predicted_seconds(model: TrainedModel, recommendation: Recommendation | None) -> float | None:
    """What the recommendation expected the evaluation alone to take."""
    if recommendation is None or model.plan.predicted_hours is None:
        return None
    for arm in recommendation.arms:
        if arm.kind == model.kind and arm.cost is not None:
            return (arm.cost.hours - model.plan.predicted_hours) * 3600
    return None


PREDICTED_ROWS = 1_000
"""Rows answered at a time: their probabilities are all that is held besides the texts."""


@step(enable_cache=False)
def predict(
    model: TrainedModel,
    path: str,
    text_column: str = "text",
    encoding: str = "utf-8",
    output_path: str | None = None,
) -> Annotated[pd.DataFrame, "predictions"]:
    """Label every row of a file; columns: text, label, probability.

    With `output_path` the same table is also written there, as CSV.
    """
    texts = read_texts(path, text_column=text_column, encoding=encoding)
    loaded = load(model.path, model.plan.allow)
    progress = print_progress()
    parts = []
    for start in range(0, len(texts), PREDICTED_ROWS):
        chunk = texts[start : start + PREDICTED_ROWS]
        answers = loaded.predict(chunk)
        parts.append(
            pd.DataFrame(
                {
                    "text": chunk,
                    "label": [answer.label for answer in answers],
                    "probability": [answer.probability for answer in answers],
                }
            )
        )
        progress("predicting", start + len(chunk), len(texts))
    table = pd.concat(parts, ignore_index=True)
    if output_path is not None:
        target = user_path(output_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(target, index=False)
    return table
