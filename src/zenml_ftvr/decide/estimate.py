"""What every arm would cost, from sizes alone: a calibration that nobody measured.

Its numbers go through the same prices, limits and budget as measured ones (`decide.cost`), and say
that they are arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.approaches import NEEDS_BASE_MODEL, Architecture, head, refusal, resolve
from zenml_ftvr.approaches.facts import FULL_PRECISION_BYTES, GIB
from zenml_ftvr.approaches.memory import memory_settings, trainable_params, training_memory
from zenml_ftvr.decide.cost import PricedArm, hours_left, price_arm
from zenml_ftvr.decide.flops import (
    flops_per_token,
    forward_flops_per_token,
    frozen_flops_per_token,
)
from zenml_ftvr.decide.plan import PlanBasis
from zenml_ftvr.decide.prior import order_arms
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.decide.transfer import Lengths, model_of
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Baseline,
    Budget,
    Calibration,
    Contrastive,
    DataProfile,
    Hardware,
    Head,
    Kind,
    Ledger,
    Lora,
    ModelSource,
    ScreeningEvidence,
)

__all__ = [
    "ACCELERATOR_UTILISATION",
    "PROCESSOR_UTILISATION",
    "EstimatedArm",
    "Rate",
    "arithmetic_calibration",
    "estimate_arms",
]

PROCESSOR_UTILISATION = 0.55
"""Of numpy's products of matrices, what training reached on one core: full fine-tuning of MiniLM at
64 tokens, 33 GFLOP a step in 0.46 s where numpy did 130 GFLOP/s (benchmarks/results/cost.jsonl)."""
ACCELERATOR_UTILISATION = 0.2
"""Of a data sheet's peak: small fine-tunings reach 10 to 35 % (from memory; nothing measured). A
calibration tells; --utilisation sets another."""
UPDATE_SECONDS_PER_WEIGHT = 5e-10  # of 22.7 million weights 12 ms, one core: the same measurements
READ_BYTES_PER_SECOND = 1e9
"""Loading and saving weights: saving 91 MB took 0.04 to 0.14 s of one core (the same). Disks and
networks differ; a judgement."""
SET_UP_SECONDS = 1.0  # tokenizer, optimiser, first calls: a judgement
WORDS_PER_SECOND = 50_000.0
"""Of TF-IDF and logistic regression: 2,612 reviews of 20 words in 1.0 s
(benchmarks/results/predictions.jsonl)."""
BASELINE_GIB = 0.2  # the same: 0.18 GiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast a machine is taken to be."""

    flops_per_second: float
    """Reached, not the peak."""
    why: str
    """Where the number is from, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedArm:
    """An arm in the order of the published evidence, with what it would cost."""

    kind: Kind
    priced: PricedArm
    evidence: tuple[str, ...]
    n_params: int
    n_trainable: int
    flops_per_token: float


def arithmetic_calibration(
    approaches: Sequence[Approach],
    basis: PlanBasis,
    shape: ModelShape | None,
    hardware: Hardware,
    rate: Rate,
) -> Calibration:
    """What a calibration would say if all went at `rate`; `shape` is of the base model."""
    arms, skipped = [], []
    for approach in approaches:
        resolved, _ = resolve(approach, basis.facts)
        if (why := refusal(resolved.kind, basis.task)) is not None:
            skipped.append((resolved.kind, why))
        elif resolved.kind in NEEDS_BASE_MODEL and shape is None:
            skipped.append((resolved.kind, "it needs a base model, and none was given."))
        else:
            arms.append(_arm(resolved, basis, shape, hardware, rate))
    return Calibration(
        hardware=hardware,
        model=basis.source or ModelSource(),
        data_fingerprint=basis.data_fingerprint,
        arms=tuple(arms),
        process_memory_gib=PROCESS_GIB,
        seconds=0.0,
        skipped=tuple(skipped),
        max_length=basis.max_length,
        basis="arithmetic",
    )


PROCESS_GIB = (
    0.4  # of torch, transformers and the rest once imported: benchmarks/results/cost.jsonl
)


def _arm(
    approach: Approach,
    basis: PlanBasis,
    shape: ModelShape | None,
    hardware: Hardware,
    rate: Rate,
) -> ArmCalibration:
    facts = basis.facts
    if isinstance(approach, Baseline):
        return ArmCalibration(
            kind="baseline",
            seconds_per_step=facts.n_words / WORDS_PER_SECOND,
            batch_size=facts.n_train,
            n_steps_timed=0,
            seconds_per_eval_row=facts.n_words / max(1, facts.n_train) / WORDS_PER_SECOND,
            setup_seconds=0.0,
            save_seconds=0.0,
            peak_memory_gib=BASELINE_GIB,
            n_params=0,
            n_trainable=0,
        )
    own = model_of(approach, basis, basis.max_length)
    if own is None:
        raise ConfigurationError(
            f"the sizes of the base model of '{approach.kind}' are not known. Give the basis of "
            f"its plan an architecture."
        )
    if shape is None or approach.kind == "scratch":
        shape = ModelShape(
            model_type="scratch",
            architecture=own,
            attended_share=0.5 if own.form == "decoder" else 1.0,
        )
    lengths = _lengths(basis)
    texts = 2 if isinstance(approach, Contrastive) else 1
    batch = head.BATCH_SIZE if isinstance(approach, Head) else _batch_size(approach, basis)
    length = max(1, round(lengths.mean))
    each = flops_per_token(approach, shape, length) * lengths.mean * texts * batch
    trained = trainable_params(approach, own)
    update = UPDATE_SECONDS_PER_WEIGHT * trained if hardware.device == "cpu" else 0.0
    read = forward_flops_per_token(shape, lengths.longest) * lengths.longest
    if isinstance(approach, Head | Contrastive):
        read = forward_flops_per_token(shape, length) * lengths.mean
    frozen = frozen_flops_per_token(approach, shape, length) * lengths.mean
    n_params = own.n_params + (trained if isinstance(approach, Lora) else 0)
    written = trained if isinstance(approach, Lora) else own.n_params
    loading = FULL_PRECISION_BYTES * own.n_params / READ_BYTES_PER_SECOND
    return ArmCalibration(
        kind=approach.kind,
        seconds_per_step=update + each / rate.flops_per_second,
        batch_size=batch,
        n_steps_timed=0,
        seconds_per_eval_row=read / rate.flops_per_second,
        setup_seconds=SET_UP_SECONDS + loading,
        save_seconds=FULL_PRECISION_BYTES * written / READ_BYTES_PER_SECOND,
        peak_memory_gib=_peak(approach, own, lengths.longest, hardware),
        n_params=n_params,
        n_trainable=trained,
        seconds_per_frozen_row=frozen / rate.flops_per_second,
        update_seconds=update,
        mean_tokens=lengths.mean,
        longest_tokens=lengths.longest,
        latency_seconds=None,
    )


def _lengths(basis: PlanBasis) -> Lengths:
    """Of the rows; where they were not counted, full ones."""
    longest = basis.facts.longest_tokens or basis.max_length
    return Lengths(mean=basis.facts.mean_tokens or float(basis.max_length), longest=longest)


def _batch_size(approach: Approach, basis: PlanBasis) -> int:
    wanted: int = getattr(approach, "batch_size", None) or 1
    return wanted if isinstance(approach, Contrastive) else min(wanted, basis.facts.n_train)


def _peak(approach: Approach, own: Architecture, longest: int, hardware: Hardware) -> float:
    settings = dataclasses.replace(memory_settings(approach, own, longest), device=hardware.device)
    return training_memory(approach, own, settings).peak / GIB


def estimate_arms(
    profile: DataProfile,
    basis: PlanBasis,
    calibration: Calibration,
    approaches: Sequence[Approach],
    shape: ModelShape | None,
    budget: Budget,
) -> tuple[EstimatedArm, ...]:
    """Every arm priced, in the order of the published evidence; those that do not fit are last.

    `calibration` is `arithmetic_calibration`'s or a stored one. Nothing was measured on the data,
    so that the order is that of a situation of which nothing is known.
    """
    nothing = ScreeningEvidence(measured=(), differences=(), majority_share=None, seconds=0.0)
    order = order_arms(profile, nothing, calibration, basis.task)
    left = hours_left(budget, calibration.hardware, Ledger()) * 3600
    reference = price_arm(Baseline(), basis, calibration, left, 0.0)
    beside = 0.0 if reference.cost is None else reference.cost.hours * 3600
    found = []
    for approach in approaches:
        priced = price_arm(approach, basis, calibration, left, beside)
        arm = calibration.arm(approach.kind)
        model = model_of(priced.approach, basis, basis.max_length)
        counted = shape
        if approach.kind == "scratch" and model is not None:
            counted = ModelShape(model_type="scratch", architecture=model)
        each = 0.0
        if counted is not None and arm is not None and approach.kind != "baseline":
            each = flops_per_token(priced.approach, counted, max(1, round(_lengths(basis).mean)))
        found.append(
            EstimatedArm(
                kind=approach.kind,
                priced=priced,
                evidence=order.evidence[approach.kind],
                n_params=0 if arm is None else arm.n_params,
                n_trainable=0 if arm is None else arm.n_trainable,
                flops_per_token=each,
            )
        )
    return tuple(
        sorted(found, key=lambda one: (bool(one.priced.problems), order.kinds.index(one.kind)))
    )
