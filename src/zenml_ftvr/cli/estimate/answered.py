"""From the model, the data and the machine to the cost of every arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from zenml_ftvr.cli.estimate.asked import Answer, Asked
from zenml_ftvr.cli.estimate.machine import machine, rounded, stored
from zenml_ftvr.decide import plan_basis
from zenml_ftvr.decide.estimate import (
    arithmetic_calibration,
    estimate_arms,
)
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models.described import DescribedModel, described, fast_tokenizer_view
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    Budget,
    ClassCount,
    DataProfile,
    ModelSource,
    Quantiles,
    TextClassification,
    TokenProfile,
)

__all__ = ["estimated"]

TEST_SHARE = VALIDATION_SHARE = 0.15  # as data.assign splits, where rows are only counted
WORDS_A_TOKEN = 0.75  # OpenAI's help centre, "What are tokens and how to count them": 100 are 75
NO_BUDGET_HOURS = 1e6  # a century: no limit


def estimated(asked: Asked) -> Answer:
    """Work out every arm; raises an `FtvrError` that says what to mend."""
    _refuse_what_cannot_be(asked)
    model = described(asked.model)
    task = TextClassification(max_length=asked.max_length)
    profile, counted = _profile(asked, model)
    basis = dataclasses.replace(
        plan_basis(profile, task, ModelSource(name=asked.model), "", 0, model.shape.architecture),
        limits=asked.limits,
    )
    if asked.calibration is not None:
        approaches: Sequence[Approach] = ALL_APPROACHES
        calibration = stored(asked)
        why = (
            f"Hours and memory are corrected by the calibration {asked.calibration}, made on "
            f"{calibration.hardware.device_name}."
        )
    else:
        hardware, rate = machine(asked)
        approaches = [rounded(one, hardware) for one in ALL_APPROACHES]
        calibration = arithmetic_calibration(approaches, basis, model.shape, hardware, rate)
        why = (
            f"{rate.why} Nothing was measured: zenml-ftvr's pipelines calibrate before they train."
        )
    limited = asked.hours is not None or asked.usd is not None
    budget = Budget(
        hours=asked.hours if limited else NO_BUDGET_HOURS, usd=asked.usd if limited else None
    )
    arms = estimate_arms(profile, basis, calibration, approaches, model.shape, budget)
    return Answer(
        model=model,
        profile=profile,
        calibration=calibration,
        arms=arms,
        basis=basis,
        said=(counted, why),
    )


def _refuse_what_cannot_be(asked: Asked) -> None:
    if (asked.rows is None) == (asked.data is None):
        raise ConfigurationError(
            "say how much data there is: --rows N (and --tokens, --classes), or --data FILE to "
            "count them."
        )
    positive = ("rows", "tokens", "max_length", "devices", "utilisation", "usd_per_hour")
    for name in positive:
        value = getattr(asked, name)
        if value is not None and not value > 0:
            raise ConfigurationError(f"--{name.replace('_', '-')} is {value}; it must be above 0.")
    if asked.rows is not None and asked.rows < 10:
        raise ConfigurationError(f"--rows is {asked.rows}; fewer than 10 cannot be split.")
    if asked.classes < 2:
        raise ConfigurationError(f"--classes is {asked.classes}; sorting takes at least 2.")
    if asked.utilisation is not None and asked.utilisation > 1:
        raise ConfigurationError(f"--utilisation is {asked.utilisation}; it is a share, at most 1.")
    if asked.calibration is not None and (asked.accelerator or asked.utilisation):
        raise ConfigurationError(
            "a calibration is of the machine it was made on. Leave out --accelerator and "
            "--utilisation, or --calibration."
        )


def _profile(asked: Asked, model: DescribedModel) -> tuple[DataProfile, str]:
    """The data in numbers, and what they rest on."""
    if asked.data is None:
        mean = min(asked.tokens or asked.max_length, asked.max_length)
        said = "as was said" if asked.tokens else "as many as a text is cut at (--tokens N)"
        counted = f"{asked.rows:,} rows of {mean:,.0f} tokens, {said}."
        return _counted_profile(asked, mean), counted
    from zenml_ftvr.data import load_dataset
    from zenml_ftvr.profile import profile_data
    from zenml_ftvr.values import DataSource

    source = DataSource(
        name=asked.data, text_column=asked.text_column, label_column=asked.label_column
    )
    dataset = load_dataset(source, TextClassification(max_length=asked.max_length))
    view = fast_tokenizer_view(model)
    profile = profile_data(dataset, view, asked.max_length)
    tokens = (
        f"no tokenizer.json beside {asked.model}'s configuration, so that each row counts as "
        f"{asked.max_length} tokens"
    )
    if profile.tokens is not None:
        tokens = f"{profile.tokens.tokens.mean:,.0f} tokens a row, as its tokenizer cuts them"
    return profile, f"{profile.n_rows:,} rows in {profile.n_classes} classes; {tokens}."


def _counted_profile(asked: Asked, mean: float) -> DataProfile:
    """A profile of rows that nobody has seen: only their number and length are known."""
    rows = asked.rows or 0
    n_test, n_validation = round(TEST_SHARE * rows), round(VALIDATION_SHARE * rows)
    n_train = rows - n_test - n_validation
    words = _all(WORDS_A_TOKEN * mean)
    return DataProfile(
        source="",
        fingerprint="",
        n_rows=rows,
        n_train=n_train,
        n_validation=n_validation,
        n_test=n_test,
        classes=tuple(
            ClassCount(
                label=str(one),
                train=n_train // asked.classes,
                validation=n_validation // asked.classes,
                test=n_test // asked.classes,
            )
            for one in range(asked.classes)
        ),
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
        characters=_all(0.0),
        words=words,
        tokens=TokenProfile(
            tokenizer=asked.model,
            vocabulary_size=0,
            tokens=dataclasses.replace(_all(mean), maximum=float(asked.max_length)),
            total_train_tokens=round(mean * n_train),
            pieces_per_word=1 / WORDS_A_TOKEN,
            unknown_share=0.0,
            truncated_share=0.0,
            max_length=asked.max_length,
        ),
    )


def _all(value: float) -> Quantiles:
    return Quantiles(minimum=value, p50=value, p90=value, p99=value, maximum=value, mean=value)
