"""What is told of a decision: whole, with intervals, and without texts of the user's."""

from __future__ import annotations

import hand_made

from zenml_ftvr.tracking import (
    Table,
    curves_table,
    data_artifact,
    differences_table,
    evidence_table,
    final_scores,
    model_artifact,
    ranking_table,
    report_content,
    scores_table,
)


def _is_whole(table: Table) -> bool:
    columns, rows = table
    return bool(rows) and all(len(row) == len(columns) for row in rows)


def test_every_table_has_as_many_cells_as_columns() -> None:
    recommendation, evaluation = hand_made.recommendation(), hand_made.evaluation()
    assert _is_whole(ranking_table(recommendation))
    assert _is_whole(evidence_table(recommendation))
    assert _is_whole(curves_table(hand_made.trained_models()))
    assert _is_whole(scores_table(evaluation))
    assert _is_whole(differences_table(evaluation))


def test_the_decision_lists_every_arm_best_first_with_its_interval_or_none() -> None:
    recommendation = hand_made.recommendation()
    _, rows = ranking_table(recommendation)
    assert [row[1] for row in rows] == [arm.kind for arm in recommendation.arms]
    for row, arm in zip(rows, recommendation.arms, strict=True):
        score = arm.forecast.score
        known = [None] * 4 if score is None else [score.metric, score.value, score.low, score.high]
        assert row[3:7] == known
        cost = arm.cost
        if cost is None or cost.limits is None or cost.limits.usd is None:
            assert row[7:] == [None] * 9
        else:
            limits = (*cost.limits.hours, *cost.limits.usd, *cost.limits.peak_memory_gib)
            assert row[7:] == [cost.hours, cost.usd, cost.peak_memory_gib, *limits]


def test_a_curve_is_a_row_a_reading() -> None:
    models = hand_made.trained_models()
    _, rows = curves_table(models)
    assert len(rows) == sum(len(model.curve) for model in models)


def test_final_scores_have_both_ends_of_their_interval() -> None:
    first = hand_made.evaluation().models[0]
    scores = final_scores(hand_made.evaluation())
    for score in first.scores:
        name = f"final/{first.kind}/{score.metric}"
        assert (scores[name], scores[f"{name}_low"], scores[f"{name}_high"]) == (
            score.value,
            score.low,
            score.high,
        )


def test_no_label_is_in_what_is_told() -> None:
    recommendation, evaluation = hand_made.recommendation(), hand_made.evaluation()
    models = hand_made.trained_models()
    content = report_content(recommendation, models, evaluation, title="T", experiment="e")
    told = repr(
        [
            content.tables,
            ranking_table(recommendation),
            evidence_table(recommendation),
            curves_table(models),
            scores_table(evaluation),
            [model_artifact("e", model) for model in models],
            data_artifact("e", "f" * 64, {"train": 3}),
        ]
    )
    for label in hand_made.LABELS:
        if label != "plain":  # a word like any other
            assert label not in told


def test_the_runs_of_the_models_are_the_compared_ones() -> None:
    models = hand_made.trained_models()
    content = report_content(
        hand_made.recommendation(), models, hand_made.evaluation(), title="T", experiment="e"
    )
    assert content.run_ids == ("abc123", "def456")  # the third was not tracked


def test_artifacts_of_one_experiment_are_told_apart_by_fingerprint() -> None:
    head, baseline, _ = hand_made.trained_models()
    names = {model_artifact("my experiment!", model).wandb_name for model in (head, baseline)}
    assert names == {"my-experiment-head", "my-experiment-baseline"}
    assert model_artifact("e", head).fingerprint == head.plan.fingerprint
