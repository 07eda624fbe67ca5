"""The choice in every situation, its budget and its reasons; properties by hypothesis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.decide import plan_basis, recommend
from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    Baseline,
    Budget,
    Calibration,
    CausalLM,
    DataProfile,
    Full,
    Head,
    Lora,
    MeasuredScore,
    Partial,
    Recommendation,
    Request,
    Score,
    Scratch,
    ScreeningEvidence,
    Seq2Seq,
    Task,
    TextClassification,
    metric_of,
)

Make = Callable[..., object]


@pytest.fixture
def decide(
    make_profile: Callable[..., DataProfile],
    make_calibration: Callable[..., Calibration],
    make_evidence: Callable[..., ScreeningEvidence],
) -> Callable[..., Recommendation]:
    def run(
        mean: float = 0.0,
        *,
        n_train: int = 4_000,
        n_classes: int = 2,
        budget: Budget | None = None,
        approaches: tuple[Approach, ...] = ALL_APPROACHES,
        calibration: Calibration | None = None,
        evidence: ScreeningEvidence | None = None,
        also_train: str = "nothing",
        usd_per_hour: float | None = None,
        task: Task | None = None,
    ) -> Recommendation:
        request = Request(
            budget=budget or Budget(hours=10),
            approaches=approaches,
            also_train=also_train,  # type: ignore[arg-type]
            usd_per_hour=usd_per_hour,
            task=task or TextClassification(),
        )
        profile = make_profile(n_train=n_train, n_classes=n_classes)
        basis = plan_basis(profile, request.task, request.base_model, "f" * 64, request.seed)
        return recommend(
            profile,
            calibration or make_calibration(usd_per_hour=usd_per_hour),
            evidence or make_evidence(mean),
            request,
            basis,
        )

    return run


def test_features_that_beat_word_counts_lead_to_fine_tuning(decide: Make) -> None:
    recommendation = decide(0.10)
    assert recommendation.choice == "full"
    assert recommendation.arm("full").forecast.score is None
    assert any("Kumar" in line for line in recommendation.arm("full").forecast.evidence)


def test_lora_is_taken_where_full_does_not_fit(
    decide: Make, make_calibration: Callable[..., Calibration]
) -> None:
    small = make_calibration(memory_gib=1.7)
    recommendation = decide(0.10, calibration=small)
    assert not recommendation.arm("full").feasible
    assert recommendation.choice == "lora"
    assert "training all of it does not fit here" in recommendation.verdict


def test_fewer_rows_than_were_ever_compared_keep_the_model_frozen(decide: Make) -> None:
    recommendation = decide(0.10, n_train=190)
    assert recommendation.choice == "head"
    assert any("fewer than in any comparison" in reason for reason in recommendation.reasons)


def test_from_the_fewest_rows_that_were_measured_on_fine_tuning_is_trusted(decide: Make) -> None:
    recommendation = decide(0.10, n_train=200)
    assert recommendation.choice == "full"
    assert any("was measured ahead" in reason for reason in recommendation.reasons)
    assert any("replay.jsonl" in line for line in recommendation.arm("full").forecast.evidence)


def test_few_rows_a_class_are_trained_on_in_pairs(decide: Make) -> None:
    recommendation = decide(0.10, n_train=128, n_classes=2)
    assert recommendation.choice == "contrastive"
    assert "at most 64 a class" in " ".join(recommendation.reasons)
    assert any("Tunstall" in line for line in recommendation.arm("contrastive").forecast.evidence)
    assert decide(0.0, n_train=128, n_classes=2).choice == "baseline"


def test_the_last_layers_are_taken_where_the_whole_model_does_not_fit(decide: Make) -> None:
    recommendation = decide(0.10, budget=Budget(hours=0.1))
    assert not recommendation.arm("full").feasible
    assert recommendation.choice == "partial"
    assert "training all of it does not fit" in recommendation.verdict


def test_the_last_layers_say_when_the_whole_model_was_not_on_offer(decide: Make) -> None:
    recommendation = decide(0.10, approaches=(Baseline(), Head(), Partial()))
    assert recommendation.choice == "partial"
    assert recommendation.verdict.endswith("training all of it is not on offer.")


def test_no_difference_leads_to_fine_tuning_where_it_was_seen_to_gain(decide: Make) -> None:
    recommendation = decide(0.001)
    assert recommendation.choice == "full"
    assert "its features do as well as" in recommendation.verdict


def test_no_difference_on_few_rows_leaves_the_network_alone(decide: Make) -> None:
    recommendation = decide(0.001, n_train=150)
    assert recommendation.choice == "baseline"
    assert recommendation.verdict.startswith("Leave the neural network alone")


def test_a_likely_gain_beyond_the_tolerance_is_taken_without_significance(
    decide: Make, make_evidence: Callable[..., ScreeningEvidence]
) -> None:
    evidence = make_evidence(0.015, regret_of_baseline=0.016)
    assert decide(evidence=evidence, n_train=150).choice == "head"


def test_features_that_do_not_fit_put_scratch_above_fine_tuning(decide: Make) -> None:
    recommendation = decide(-0.15)
    kinds = [arm.kind for arm in recommendation.arms]
    assert recommendation.choice == "baseline"
    assert kinds.index("scratch") < kinds.index("full") < kinds.index("head")


def test_a_companion_is_the_best_arm_with_a_curve(decide: Make) -> None:
    assert decide(-0.15, also_train="best_neural").companion == "scratch"
    assert decide(0.10, also_train="best_neural").companion is None  # the choice has one
    assert decide(-0.15).companion is None


def test_only_what_was_offered_is_ranked(decide: Make) -> None:
    recommendation = decide(0.10, approaches=(Baseline(), Head()))
    assert {arm.kind for arm in recommendation.arms} == {"baseline", "head"}
    assert recommendation.choice == "head"


def test_one_expensive_arm_on_offer_is_taken_on_published_order(
    decide: Make, make_evidence: Callable[..., ScreeningEvidence]
) -> None:
    nothing = ScreeningEvidence(measured=(), differences=(), majority_share=0.5, seconds=0.0)
    assert decide(approaches=(Full(), Lora()), evidence=nothing).choice in ("full", "lora")
    assert decide(approaches=(Scratch(),), evidence=nothing).choice == "scratch"


@pytest.mark.parametrize("task", [CausalLM(), Seq2Seq()])
def test_where_no_features_can_be_compared_published_sizes_are_fine_tuned(
    decide: Make, task: Task
) -> None:
    metric = metric_of(task)
    score = Score(metric=metric, value=2.0, low=1.9, high=2.1, n_rows=400)
    measured = MeasuredScore(kind="baseline", scores=(score,), folds=5, seconds=1.0)
    evidence = ScreeningEvidence(
        measured=(measured,), differences=(), majority_share=None, seconds=1.0
    )
    offered: tuple[Approach, ...] = (Baseline(), Full(), Lora(), Scratch())
    many = decide(task=task, evidence=evidence, approaches=offered)
    few = decide(task=task, evidence=evidence, approaches=offered, n_train=400)
    assert many.choice == "full"
    assert "Nothing cheap tells" in many.reasons[0]
    assert "2,300" in many.reasons[1]
    assert few.choice == "baseline"


def test_a_head_that_was_not_offered_leaves_the_measured_baseline_chosen(
    decide: Make, make_evidence: Callable[..., ScreeningEvidence]
) -> None:
    known = make_evidence(0.1)
    alone = dataclasses.replace(known, measured=(known.measured_for("baseline"),), differences=())
    recommendation = decide(evidence=alone, approaches=(Baseline(), Full(), Lora()))
    assert recommendation.choice == "baseline"
    assert [arm.kind for arm in recommendation.arms] == ["baseline", "full", "lora"]


def test_an_arm_beyond_the_budget_is_last_with_its_numbers(decide: Make) -> None:
    recommendation = decide(0.10, budget=Budget(hours=0.1))
    for kind in ("full", "lora"):
        arm = recommendation.arm(kind)
        assert not arm.feasible
        assert arm.plan is None
        assert "the budget leaves" in arm.reasons[0]
    assert recommendation.choice == "partial"


def test_an_arm_beyond_the_memory_says_how_much(
    decide: Make, make_calibration: Callable[..., Calibration]
) -> None:
    recommendation = decide(0.10, calibration=make_calibration(memory_gib=1.3))
    assert "GiB of memory" in recommendation.arm("full").reasons[0]
    assert recommendation.choice == "partial"


def test_a_budget_below_all_epochs_shortens_the_plan_and_says_so(decide: Make) -> None:
    whole = decide(0.10).arm("lora").plan
    cut = decide(0.10, budget=Budget(hours=0.2)).arm("lora").plan
    assert whole is not None
    assert cut is not None
    assert cut.max_steps < whole.max_steps
    assert any(f"{cut.max_steps} of {whole.max_steps} steps" in line for line in cut.reasons)
    assert cut.warmup_steps == round(0.1 * cut.max_steps)


def test_dollars_bound_hours_at_the_price(decide: Make) -> None:
    recommendation = decide(0.0, budget=Budget(usd=2.0), usd_per_hour=4.0)
    assert recommendation.hours_allowed == pytest.approx(0.5 - 40 / 3600)
    cost = recommendation.arm("head").cost
    assert cost is not None
    assert cost.usd == pytest.approx(cost.hours * 4.0)


def test_no_price_shows_no_dollars(decide: Make) -> None:
    assert all(arm.cost is None or arm.cost.usd is None for arm in decide(0.0).arms)


def test_a_budget_that_measuring_used_up_is_an_error(decide: Make) -> None:
    with pytest.raises(BudgetError, match="measuring alone took 40 s"):
        decide(0.0, budget=Budget(hours=0.01))


def test_nothing_feasible_names_every_arm(decide: Make) -> None:
    with pytest.raises(BudgetError, match=r"no approach is feasible.*full: .*lora: "):
        decide(0.0, approaches=(Full(), Lora()), budget=Budget(hours=0.02))


def test_scores_at_chance_are_called_out(
    decide: Make, make_evidence: Callable[..., ScreeningEvidence]
) -> None:
    import dataclasses

    evidence = dataclasses.replace(make_evidence(0.0), majority_share=0.81)
    assert any("most frequent class" in line for line in decide(evidence=evidence).reasons)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mean=st.floats(-0.3, 0.3),
    n_train=st.integers(50, 50_000),
    hours=st.floats(0.05, 50),
    more=st.floats(1.0, 100),
)
def test_a_larger_budget_never_shrinks_the_feasible_set(
    decide: Make, mean: float, n_train: int, hours: float, more: float
) -> None:
    def feasible(budget: float) -> set[str]:
        answer = decide(mean, n_train=n_train, budget=Budget(hours=budget))
        return {arm.kind for arm in answer.arms if arm.feasible}

    try:
        small = feasible(hours)
    except BudgetError:
        small = set()
    assert small <= (feasible(hours * more) if small else small)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mean=st.floats(-0.3, 0.3), n_train=st.integers(200, 50_000))
def test_equal_evidence_gives_equal_recommendations(
    decide: Make, mean: float, n_train: int
) -> None:
    assert decide(mean, n_train=n_train) == decide(mean, n_train=n_train)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mean=st.floats(-0.3, 0.3), n_train=st.integers(200, 20_000), hours=st.floats(0.2, 100))
def test_every_feasible_plan_fits_the_budget(
    decide: Make, mean: float, n_train: int, hours: float
) -> None:
    answer = decide(mean, n_train=n_train, budget=Budget(hours=hours))
    for arm in answer.arms:
        if arm.feasible:
            assert arm.cost is not None
            assert arm.cost.hours <= answer.hours_allowed
            assert arm.plan is not None
            assert arm.plan.predicted_hours is not None
            assert arm.plan.predicted_hours < arm.cost.hours
