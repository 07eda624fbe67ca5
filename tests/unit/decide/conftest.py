"""Values for the decision, made by hand: no data, no model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zenml_ftvr.values import (
    ArmCalibration,
    Calibration,
    ClassCount,
    DataProfile,
    Hardware,
    Kind,
    MeasuredScore,
    ModelSource,
    PairedDifference,
    Quantiles,
    Score,
    ScreeningEvidence,
)

FINGERPRINT = "d" * 64


def _quantiles(mean: float) -> Quantiles:
    return Quantiles(minimum=1, p50=mean, p90=2 * mean, p99=3 * mean, maximum=4 * mean, mean=mean)


@pytest.fixture
def make_profile() -> Callable[..., DataProfile]:
    def make(n_train: int = 4_000, n_classes: int = 2) -> DataProfile:
        held_out = n_train // 5
        classes = tuple(
            ClassCount(
                label=f"c{index}",
                train=n_train // n_classes,
                validation=held_out // n_classes,
                test=held_out // n_classes,
            )
            for index in range(n_classes)
        )
        return DataProfile(
            source="made by hand",
            fingerprint=FINGERPRINT,
            n_rows=n_train + 2 * held_out,
            n_train=n_train,
            n_validation=held_out,
            n_test=held_out,
            classes=classes,
            n_duplicates=0,
            n_conflicts=0,
            n_dropped=0,
            characters=_quantiles(100),
            words=_quantiles(20),
            tokens=None,
        )

    return make


@pytest.fixture
def make_calibration() -> Callable[..., Calibration]:
    def arm(kind: Kind, seconds: float, gib: float) -> ArmCalibration:
        return ArmCalibration(
            kind=kind,
            seconds_per_step=seconds,
            batch_size=32 if kind == "head" else 16,
            n_steps_timed=5,
            seconds_per_eval_row=seconds / 48,
            setup_seconds=1.0,
            save_seconds=0.2,
            peak_memory_gib=gib,
            n_params=22_000_000,
            n_trainable=700_000 if kind == "lora" else 22_000_000,
        )

    def make(
        usd_per_hour: float | None = None, memory_gib: float = 16.0, lora_seconds: float = 0.9
    ) -> Calibration:
        return Calibration(
            hardware=Hardware(
                device="cpu",
                device_name="made by hand",
                n_devices=1,
                cores=2,
                memory_gib=memory_gib,
                device_memory_gib=None,
                usd_per_hour=usd_per_hour,
            ),
            model=ModelSource(),
            data_fingerprint=FINGERPRINT,
            arms=(
                arm("baseline", 1.0, 0.1),
                arm("head", 0.5, 0.4),
                arm("contrastive", 1.6, 1.8),
                arm("partial", 0.2, 0.7),
                arm("full", 1.0, 1.5),
                arm("lora", lora_seconds, 1.0),
                arm("scratch", 0.05, 0.2),
            ),
            process_memory_gib=0.5,
            seconds=30.0,
        )

    return make


@pytest.fixture
def make_evidence() -> Callable[..., ScreeningEvidence]:
    def make(
        mean: float, half_width: float = 0.02, regret_of_baseline: float | None = None
    ) -> ScreeningEvidence:
        """`head` minus `baseline` is `mean`, give or take `half_width`."""

        def measured(kind: Kind, value: float) -> MeasuredScore:
            return MeasuredScore(
                kind=kind,
                scores=tuple(
                    Score(
                        metric=metric,
                        value=value,
                        low=value - 0.02,
                        high=value + 0.02,
                        n_rows=4_000,
                    )
                    for metric in ("accuracy", "macro_f1")
                ),
                folds=5,
                seconds=5.0,
            )

        regret = max(0.0, mean) if regret_of_baseline is None else regret_of_baseline
        return ScreeningEvidence(
            measured=(measured("baseline", 0.8), measured("head", 0.8 + mean)),
            differences=tuple(
                PairedDifference(
                    first="head",
                    second="baseline",
                    metric=metric,
                    mean=mean,
                    low=mean - half_width,
                    high=mean + half_width,
                    regret_of_first=max(0.0, -mean),
                    regret_of_second=regret,
                    n_rows=4_000,
                )
                for metric in ("accuracy", "macro_f1")
            ),
            majority_share=0.5,
            seconds=10.0,
        )

    return make
