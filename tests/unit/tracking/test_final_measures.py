"""What of an evaluation goes to a tracking server: numbers, and no text of the user's."""

from __future__ import annotations

import dataclasses
import json

import hand_made

from zenml_ftvr.tracking import (
    differences_table,
    final_measures,
    final_scores,
    report_content,
    scores_table,
)
from zenml_ftvr.values import (
    BatchLatency,
    Evaluation,
    Forgetting,
    Generation,
    GenerationSample,
    LabelDoubt,
    ProbabilityCheck,
    Reliability,
    Score,
    ServingCost,
    SliceScore,
)

CANARY = "my neighbour's diagnosis"

SERVED = ServingCost(
    form="as trained",
    device="cpu",
    n_threads=1,
    latencies=(
        BatchLatency(
            batch_size=1, n_calls=9, p50_ms=1.5, p95_ms=2.0, p99_ms=3.0, rows_per_second=600.0
        ),
    ),
    disk_bytes=1_000,
    memory_bytes=2_000,
    usd_per_million=0.25,
)


def _evaluation() -> Evaluation:
    """All parts that may hold texts of the user's, each with the canary in it."""
    plain = hand_made.evaluation()
    score = Score(metric="accuracy", value=0.5, low=0.4, high=0.6, n_rows=30)
    reliability = Reliability(bins=(), ece=0.04, ece_if_calibrated=0.01, log_loss=0.3)
    model = dataclasses.replace(
        plain.models[0],
        probabilities=ProbabilityCheck(
            as_trained=reliability,
            scaled=None,
            temperature=1.3,
            n_fitted=40,
            binning="bins",
            bias="bias",
        ),
        slices=(
            SliceScore(
                column=CANARY,
                value=CANARY,
                score=score,
                rest=0.9,
                p_value=0.001,
                p_corrected=0.002,
                n_comparisons=2,
                is_worse=True,
            ),
        ),
        label_doubts=(
            LabelDoubt(
                row_id="0" * 32,
                split="test",
                text=CANARY,
                given="a",
                suggested="b",
                probability_given=0.1,
                probability_suggested=0.9,
            ),
        ),
        serving=(SERVED,),
        forgetting=Forgetting(
            measure="masked loss",
            text=CANARY,
            n_texts=50,
            before=2.0,
            after=2.5,
            low=0.4,
            high=0.6,
        ),
        generation=Generation(
            scores=(score,),
            notes=(),
            samples=(GenerationSample(given=CANARY, wanted=CANARY, written=CANARY, scores=()),),
            n_rows=30,
        ),
        notes=(CANARY,),
    )
    return dataclasses.replace(plain, models=(model, *plain.models[1:]))


def test_measures_go_to_the_summary_by_name() -> None:
    assert final_measures(_evaluation()) == {
        "final/head/ece": 0.04,
        "final/head/temperature": 1.3,
        "final/head/masked_loss_before": 2.0,
        "final/head/masked_loss_after": 2.5,
        "final/head/as_trained/disk_bytes": 1_000,
        "final/head/as_trained/memory_bytes": 2_000,
        "final/head/as_trained/usd_per_million": 0.25,
        "final/head/as_trained/p50_ms_at_1": 1.5,
        "final/head/as_trained/p99_ms_at_1": 3.0,
        "final/head/as_trained/rows_per_second_at_1": 600.0,
    }


def test_what_was_not_measured_has_no_name() -> None:
    assert final_measures(hand_made.evaluation()) == {}


def test_no_text_of_the_user_s_is_among_what_is_sent() -> None:
    found = _evaluation()
    content = report_content(
        hand_made.recommendation(), hand_made.trained_models(), found, title="t", experiment="e"
    )
    sent = [
        final_measures(found),
        final_scores(found),
        scores_table(found),
        differences_table(found),
        dataclasses.asdict(content),
    ]
    assert CANARY not in json.dumps(sent, default=str, ensure_ascii=False)
