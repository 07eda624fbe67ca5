"""The cost of use: what is timed, counted and dominated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zenml_ftvr.evaluate.serving import (
    LEAST_CALLS,
    UNTIMED_CALLS,
    held_bytes,
    latency_of,
    pareto_points,
    serving_costs,
)
from zenml_ftvr.models import folder_bytes, load
from zenml_ftvr.values import (
    BatchLatency,
    Kind,
    Metric,
    ModelEvaluation,
    Score,
    ServingCost,
    ServingSettings,
    TrainedModel,
)

QUICK = ServingSettings(batch_sizes=(4, 1), seconds=0.05)
Trained = Callable[[Kind], TrainedModel]


class _Clock:
    """Moves on by what each call of the model is said to take."""

    def __init__(self, taken: Sequence[float]) -> None:
        self.now = 0.0
        self.calls: list[list[Any]] = []
        self._taken = taken

    def __call__(self) -> float:
        return self.now

    def answer(self, rows: Sequence[Any]) -> None:
        self.now += self._taken[len(self.calls) % len(self._taken)]
        self.calls.append(list(rows))


def test_quantiles_and_throughput_are_of_the_timed_calls() -> None:
    clock = _Clock([0.01] * UNTIMED_CALLS + [0.001 * place for place in range(1, 101)])
    found = latency_of(clock.answer, ["a", "b", "c"], 2, 5.05, clock)
    assert found.n_calls == 100
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx(
        tuple(np.quantile(np.arange(1, 101), [0.5, 0.95, 0.99]))
    )
    assert found.rows_per_second == pytest.approx(2 * 100 / 5.05)


def test_inputs_are_taken_in_turn_and_again() -> None:
    clock = _Clock([1.0])
    latency_of(clock.answer, ["a", "b", "c"], 2, 0.1, clock)
    timed = clock.calls[UNTIMED_CALLS:]
    assert timed[:3] == [["a", "b"], ["c", "a"], ["b", "c"]]


def test_a_slow_model_is_called_a_few_times_all_the_same() -> None:
    clock = _Clock([60.0])
    assert latency_of(clock.answer, ["a"], 1, 1.0, clock).n_calls == LEAST_CALLS


@pytest.mark.parametrize("kind", ["baseline", "head", "full"])
def test_every_form_of_model_is_measured(kind: Kind, trained: Trained) -> None:
    model = trained(kind)
    ((cost,), notes) = serving_costs(model, ["one text", "another"], QUICK, 3.6)
    assert notes == ()
    assert (cost.form, cost.device, cost.n_threads) == ("as trained", "cpu", 1)
    assert [one.batch_size for one in cost.latencies] == [1, 4]
    for one in cost.latencies:
        assert 0 < one.p50_ms <= one.p95_ms <= one.p99_ms
        assert one.n_calls >= LEAST_CALLS
    assert cost.disk_bytes == folder_bytes(Path(model.path))
    # At 3.6 dollars an hour a second costs a thousandth of one.
    assert cost.usd_per_million == pytest.approx(
        1_000_000 / cost.latencies[-1].rows_per_second / 1000
    )


def test_memory_is_at_least_the_weights_and_not_much_more(trained: Trained) -> None:
    model = trained("full")
    held = held_bytes(load(model.path))
    weights = 4 * model.n_params
    assert weights <= held < 2 * weights + 3_000_000  # and the tokenizer's Python side


def test_a_tensor_that_is_seen_twice_counts_once() -> None:
    import torch

    weight = torch.zeros(1000, 100)
    alone = held_bytes({"weight": weight})
    assert alone == pytest.approx(400_000, abs=1_000)
    assert held_bytes({"weight": weight, "tied": weight, "view": weight[:10]}) < alone + 1_000


def test_an_array_counts_with_what_it_is_a_part_of() -> None:
    whole = np.zeros(100_000)
    assert held_bytes({"part": whole[:10]}) == pytest.approx(800_000, abs=2_000)


def test_lora_is_measured_merged_too_and_its_base_counts(trained: Trained) -> None:
    model = trained("lora")
    (apart, merged), notes = serving_costs(model, ["one text"], QUICK, None)
    assert notes == ()
    assert (apart.form, merged.form) == ("as trained", "merged")
    assert apart.disk_bytes > folder_bytes(Path(model.path))
    assert apart.usd_per_million is None
    assert merged.disk_bytes > 4 * (model.n_params - model.n_trainable)


def test_the_price_of_the_serving_machine_comes_first(trained: Trained) -> None:
    settings = ServingSettings(batch_sizes=(1,), seconds=0.01, usd_per_hour=7.2)
    ((cost,), _) = serving_costs(trained("baseline"), ["a text"], settings, 3.6)
    assert cost.usd_per_million == pytest.approx(
        1_000_000 / cost.latencies[0].rows_per_second / 500
    )


def _model(
    kind: Kind, quality: float, p50_ms: float, disk_bytes: int, metric: Metric = "accuracy"
) -> ModelEvaluation:
    latency = BatchLatency(
        batch_size=1, n_calls=9, p50_ms=p50_ms, p95_ms=9, p99_ms=9, rows_per_second=1.0
    )
    cost = ServingCost(
        form="as trained",
        device="cpu",
        n_threads=1,
        latencies=(latency,),
        disk_bytes=disk_bytes,
        memory_bytes=1,
        usd_per_million=None,
    )
    score = Score(metric=metric, value=quality, low=0, high=1, n_rows=9)
    return ModelEvaluation(
        kind=kind,
        scores=(score,),
        labels=(),
        confusion=(),
        seconds=1.0,
        rows_per_second=9.0,
        serving=(cost,),
    )


def test_a_model_is_dominated_by_one_that_is_no_worse_in_anything() -> None:
    points = pareto_points(
        [
            _model("full", 0.9, 20.0, 90),
            _model("lora", 0.9, 25.0, 95),  # as good as `full`, slower and larger
            _model("baseline", 0.7, 1.0, 5),
            _model("head", 0.7, 20.0, 80),  # as good as the baseline
            _model("partial", 0.95, 20.0, 100),  # best, and largest
        ],
        "accuracy",
    )
    assert [(one.kind, one.dominated_by) for one in points] == [
        ("partial", None),
        ("full", None),
        ("lora", "full"),
        ("baseline", None),
        ("head", "baseline"),
    ]


def test_equal_models_do_not_dominate_one_another() -> None:
    points = pareto_points([_model("full", 0.9, 2.0, 9), _model("lora", 0.9, 2.0, 9)], "accuracy")
    assert [one.dominated_by for one in points] == [None, None]


def test_where_less_is_better_the_lower_score_wins() -> None:
    points = pareto_points(
        [_model("full", 3.0, 5.0, 9, "perplexity"), _model("scratch", 4.0, 5.0, 9, "perplexity")],
        "perplexity",
    )
    assert [(one.kind, one.dominated_by) for one in points] == [("full", None), ("scratch", "full")]
    assert all(math.isfinite(one.quality) for one in points)
