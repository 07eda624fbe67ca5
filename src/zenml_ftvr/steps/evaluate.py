"""Score models on the test split, and use a model on a file."""

from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd
from zenml import step

from zenml_ftvr.data import Dataset, read_inputs, text_of
from zenml_ftvr.evaluate import evaluate_models
from zenml_ftvr.materializers import EvaluationMaterializer
from zenml_ftvr.models import load
from zenml_ftvr.stack.step_run import experiment_of, open_step_run
from zenml_ftvr.steps.cache import CACHE_POLICY
from zenml_ftvr.tasks.predictions import answer_columns
from zenml_ftvr.tracking import (
    Table,
    differences_table,
    final_measures,
    final_scores,
    model_artifact,
    scores_table,
)
from zenml_ftvr.train import print_progress
from zenml_ftvr.values import (
    Evaluation,
    EvaluationSettings,
    Ledger,
    Recommendation,
    TrackingSettings,
    TrainedModel,
)
from zenml_ftvr.values.written import user_path

__all__ = ["evaluate_model", "predict"]


@step(cache_policy=CACHE_POLICY, output_materializers=EvaluationMaterializer)
def evaluate_model(
    dataset: Dataset,
    model: TrainedModel,
    recommendation: Recommendation | None = None,
    baseline: TrainedModel | None = None,
    companion: TrainedModel | None = None,
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008  (frozen)
    evaluation: EvaluationSettings = EvaluationSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[Evaluation, "evaluation"]:
    """Score `model` on the test split, beside the baseline and a companion where given.

    `evaluation` says what is measured besides: slices by columns of yours, cost of use, forgetting.
    """
    models = [model, *(other for other in (baseline, companion) if other is not None)]
    spent = Ledger() if recommendation is None else recommendation.ledger
    for one in models:
        spent = spent.with_entries(*one.ledger.entries)
    progress = print_progress()
    config = {"models": [one.plan.fingerprint for one in models], "seed": seed}
    tags = tuple(one.kind for one in models)
    with open_step_run(tracking, "eval", f"eval-{model.plan.fingerprint[:6]}", tags, config) as run:
        experiment = experiment_of(tracking)
        for one in models:
            run.uses(model_artifact(experiment, one))
        found = evaluate_models(
            models,
            dataset,
            spent=spent,
            predicted_seconds=[_predicted_seconds(one, recommendation) for one in models],
            seed=seed,
            on_rows=lambda kind, done, total: progress(f"testing {kind}", done, total),
            settings=evaluation,
        )
        run.attach("ftvr/scores", *scores_table(found))
        run.attach("ftvr/differences", *differences_table(found))
        run.summarize({**final_scores(found), **final_measures(found)})
        if tracking.log_texts:
            run.attach("ftvr/answers", *_answers(model, dataset))
    return found


ANSWERED_ROWS = 100  # shown of the test split, where asked for: a table to read; a judgement


def _answers(model: TrainedModel, dataset: Dataset) -> Table:
    """Test rows with their label and the model's answer."""
    some = dataset.test.take(range(min(ANSWERED_ROWS, len(dataset.test))))
    answers = answer_columns(load(model.path, model.plan.allow).predict(some.inputs))
    given = [text_of(one) for one in some.inputs], [str(target) for target in some.targets]
    rows = zip(*given, *answers.values(), strict=True)
    return ["text", "label", *(f"answer_{name}" for name in answers)], [
        [one if isinstance(one, str | float | int) else str(one) for one in row] for row in rows
    ]


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


def _table(inputs: Sequence[Any], answers: Sequence[Any]) -> pd.DataFrame:
    """Inputs beside answers; of images the answers alone, in the order of the files."""
    given = {} if inputs and isinstance(inputs[0], bytes) else {"text": inputs}
    return pd.DataFrame({**given, **answer_columns(answers)})


@step(enable_cache=False)
def predict(
    model: TrainedModel,
    path: str,
    text_column: str = "text",
    encoding: str = "utf-8",
    output_path: str | None = None,
) -> Annotated[pd.DataFrame, "predictions"]:
    """Answer every row of a file, or every image of a folder.

    Beside the text stand label and probability, or labels, value, tags or what was written, as the
    model's task has it.

    With `output_path` the same table is also written there, as CSV.
    """
    loaded = load(model.path, model.plan.allow)
    inputs = read_inputs(path, loaded.task, text_column=text_column, encoding=encoding)
    progress = print_progress()
    parts = []
    for start in range(0, len(inputs), PREDICTED_ROWS):
        chunk = inputs[start : start + PREDICTED_ROWS]
        parts.append(_table(chunk, loaded.predict(chunk)))
        progress("predicting", start + len(chunk), len(inputs))
    table = pd.concat(parts, ignore_index=True)
    if output_path is not None:
        target = user_path(output_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(target, index=False)
    return table
