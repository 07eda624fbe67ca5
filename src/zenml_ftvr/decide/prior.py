"""The order of the arms before any of the expensive ones was trained: cited evidence only.

Nothing here gives a score. What can be measured in seconds (word counts against frozen features) is
measured, and tells which published situation the data is in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from zenml_ftvr.approaches import lora, refusal
from zenml_ftvr.values import (
    Calibration,
    DataProfile,
    Kind,
    PairedDifference,
    ScreeningEvidence,
    Task,
    metric_of,
)
from zenml_ftvr.values.words import metric_words

__all__ = ["SMALLEST_PUBLISHED_ROWS", "Order", "Situation", "order_arms"]

Situation: TypeAlias = Literal["transfers", "no difference", "does not transfer", "unmeasured"]

SMALLEST_PUBLISHED_ROWS = 2_300
"""Training rows of the smallest published set, of those we collected, on which full fine-tuning
beat a linear probe: Castelluccio et al. 2015, arXiv 1508.00092 (90.8 against 84.0). Below it the
published evidence is of instability (Mosbach et al. 2021; Zhang et al. 2021)."""

SMALLEST_MEASURED_ROWS = 200
"""Training rows from which on we measured full fine-tuning of a small sentence encoder ahead of a
linear head on its features wherever that was not behind word counts: by 2 to 20 points at 200, by
2 to 18 at 400 and by 3 to 14 at 800 rows of four data sets (benchmarks/results/replay.jsonl)."""

FEW_SHOT_ROWS_A_CLASS = 64
"""The most rows a class at which Tunstall et al. 2022 compare: there SetFit is still ahead."""

FEW_SHOT = (
    "With few rows, pairs of texts and then a head (SetFit) beat full fine-tuning by 19.3 points "
    "at 8 rows a class and by 5.6 at 64 (Tunstall et al. 2022, arXiv 2209.11055, table 2)."
)
LAST_LAYERS = (
    "A fourth of the layers, the last, reach 90 % of the quality of all (Lee et al. 2019, arXiv "
    "1911.03090)."
)
GLUE = (
    "LoRA equals full fine-tuning on GLUE: 87.2 against 86.4 with RoBERTa base, 89.0 against 88.9 "
    "with large (Hu et al. 2021, arXiv 2106.09685, table 2)."
)
PROBE = (
    "On data like its training data, full fine-tuning beat a linear probe by 2.3 points on average "
    "of five sets, 85.8 against 83.5 (Kumar et al. 2022, arXiv 2202.10054)."
)
UNSTABLE = (
    "Fine-tuning on a few thousand rows or fewer is unstable across seeds (Mosbach et al. 2021, "
    "arXiv 2006.04884)."
)
MEASURED = (
    "At 200, 400 and 800 rows of four data sets full fine-tuning of a small sentence encoder beat "
    "a head on its features by 2 to 20 points, and word counts by 2 to 24 (measured here, "
    "benchmarks/results/replay.jsonl)."
)
FULL_FIRST = (
    "Of published comparisons full fine-tuning wins or ties most, and LoRA first was worse on "
    "those that no rule was made from (benchmarks/results/published.json): LoRA is for where full "
    "fine-tuning does not fit."
)
MANY_LABELS = (
    "A pretrained start was worth 10 to 20 times the labels at 100 labels (Howard & Ruder 2018, "
    "arXiv 1801.06146), and training from scratch drew level only at some 20 million sentence "
    "pairs in translation (Liu et al. 2020, arXiv 2001.08210)."
)
OWN_DOMAIN = (
    "Where text is far from what a model was pretrained on, models pretrained from scratch on the "
    "domain won: BLURB 81.2 against 76.1 (Gu et al. 2021, arXiv 2007.15779)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The arms, best first, before feasibility and cost have their say."""

    situation: Situation
    kinds: tuple[Kind, ...]
    evidence: dict[Kind, tuple[str, ...]]
    """For each arm, the sentences that place it, each with its source."""
    reasons: tuple[str, ...]
    """What the situation is, and how it is known."""
    trusted: tuple[Kind, ...]
    """Unmeasured arms that published evidence puts above the measured ones, best first."""


def order_arms(
    profile: DataProfile,
    evidence: ScreeningEvidence,
    calibration: Calibration,
    task: Task,
) -> Order:
    """Place every arm by the situation that the cheap measurements show.

    Unmeasured arms are trusted over measured ones where features were compared with word counts, or
    where the task has no features to compare: a model that writes or tags is known by its training
    alone, and the published comparisons of such tasks have the pretrained model ahead.
    """
    difference = evidence.difference(metric_of(task))
    situation = _situation(difference)
    tuned: tuple[Kind, Kind] = ("full", "lora")
    enough = profile.n_train >= SMALLEST_MEASURED_ROWS
    published = profile.n_train >= SMALLEST_PUBLISHED_ROWS
    few = profile.n_train <= FEW_SHOT_ROWS_A_CLASS * max(1, profile.n_classes)
    kinds: tuple[Kind, ...]
    trusted: tuple[Kind, ...] = ()
    match situation:
        case "transfers" | "no difference" if enough:
            # Where LoRA's equality was not published, it was measured below the last layers.
            trusted = ("full", "lora", "partial") if published else ("full", "partial", "lora")
            kinds = (*trusted, "contrastive", "head", "baseline", "scratch")
        case "transfers" if few:
            trusted = ("contrastive",)
            kinds = (*trusted, "head", "partial", *tuned, "baseline", "scratch")
        case "transfers":
            kinds = ("head", "contrastive", "partial", *tuned, "baseline", "scratch")
        case "unmeasured" if published:
            kinds = (*tuned, "partial", "contrastive", "head", "baseline", "scratch")
            if refusal("head", task) is not None:
                trusted = (*tuned, "partial")
        case "no difference" | "unmeasured":
            kinds = ("baseline", "head", "contrastive", "partial", *tuned, "scratch")
        case "does not transfer":
            kinds = ("baseline", "scratch", *tuned, "partial", "contrastive", "head")
        case _:
            assert_never(situation)
    return Order(
        situation=situation,
        kinds=kinds,
        evidence=_evidence(situation, enough, profile, calibration),
        reasons=_reasons(situation, difference, profile, task, enough=enough, few=few),
        trusted=trusted,
    )


def _situation(difference: PairedDifference | None) -> Situation:
    if difference is None:
        return "unmeasured"
    if not difference.is_significant:
        return "no difference"
    # The head is `first`; which way is better is the metric's to say, and regrets say it.
    is_ahead = difference.regret_of_second > difference.regret_of_first
    return "transfers" if is_ahead else "does not transfer"


def _label_bits(profile: DataProfile) -> float:
    """What the training targets can teach at most, in bits.

    log2(classes) a row; of texts to be written, and of numbers, about one bit a token: Schulman et
    al. 2025, "LoRA Without Regret".
    """
    if profile.n_classes > 1:
        return profile.n_train * math.log2(profile.n_classes)
    return profile.n_train if profile.tokens is None else profile.tokens.total_train_tokens


def _reasons(
    situation: Situation,
    difference: PairedDifference | None,
    profile: DataProfile,
    task: Task,
    *,
    enough: bool,
    few: bool,
) -> tuple[str, ...]:
    if difference is None and refusal("head", task) is not None:
        return (
            f"Nothing cheap tells how much of the pretrained model carries over to {task.kind}: it "
            f"has no head on frozen features to compare.",
            _rows_words(profile, enough=enough, few=False),
        )
    if difference is None:
        return (
            "The baseline and frozen features were not both measured, so nothing tells how much of "
            "the pretrained model carries over.",
        )
    measured = (
        f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] "
        f"{metric_words(difference.metric)} on the same {difference.n_rows:,} cross-validated rows"
    )
    match situation:
        case "transfers":
            return (
                f"The pretrained model knows something near: a linear head on its frozen "
                f"features beats the baseline by {measured}.",
                _rows_words(profile, enough=enough, few=few),
            )
        case "does not transfer":
            return (
                f"What the pretrained model knows does not carry over as it stands: a linear head "
                f"on its frozen features falls short of the baseline, {measured}.",
                *_tokenizer_words(profile),
            )
        case "no difference" | "unmeasured":
            return (
                f"A linear head on frozen features does as well as the baseline, {measured}, which "
                f"is within chance.",
                _rows_words(profile, enough=enough, few=False),
            )
        case _:
            assert_never(situation)


def _rows_words(profile: DataProfile, *, enough: bool, few: bool) -> str:
    """What is known at so many rows."""
    if profile.n_train >= SMALLEST_PUBLISHED_ROWS:
        return (
            f"{profile.n_train:,} training rows are in the range where published comparisons have "
            f"fine-tuning ahead of a frozen model (from {SMALLEST_PUBLISHED_ROWS:,} rows)."
        )
    if enough:
        return (
            f"{profile.n_train:,} training rows are in the range where fine-tuning was measured "
            f"ahead of a frozen model (from {SMALLEST_MEASURED_ROWS:,} rows, "
            f"benchmarks/results/replay.jsonl)."
        )
    if few:
        return (
            f"{profile.n_train:,} training rows of {profile.n_classes} classes are few: at most "
            f"{FEW_SHOT_ROWS_A_CLASS} a class, where training on pairs of texts has been ahead of "
            f"fine-tuning."
        )
    return (
        f"{profile.n_train:,} training rows are fewer than in any comparison we hold that has "
        f"fine-tuning ahead of a frozen model ({SMALLEST_MEASURED_ROWS:,} rows)."
    )


def _tokenizer_words(profile: DataProfile) -> tuple[str, ...]:
    if profile.tokens is None:
        return ()
    return (
        f"Its tokenizer makes {profile.tokens.pieces_per_word:.1f} pieces of a word, "
        f"{profile.tokens.unknown_share:.1%} of them unknown.",
    )


def _evidence(
    situation: Situation, enough: bool, profile: DataProfile, calibration: Calibration
) -> dict[Kind, tuple[str, ...]]:
    published = profile.n_train >= SMALLEST_PUBLISHED_ROWS
    gains = (PROBE,) if published else ((MEASURED, UNSTABLE) if enough else (UNSTABLE,))
    capacity: tuple[str, ...] = ()
    if (arm := calibration.arm("lora")) is not None:
        bits, room = _label_bits(profile), lora.capacity_bits(arm.n_trainable)
        compared = "more than" if bits > room else "within"
        capacity = (
            f"The training labels hold at most {bits:,.0f} bits, {compared} the {room:,.0f} that "
            f"{arm.n_trainable:,} trained weights can take (2 bits each: Allen-Zhu & Li 2024, "
            f"arXiv 2404.05405).",
        )
    return {
        "baseline": (),
        "head": (PROBE,) if situation == "transfers" else (),
        "contrastive": (FEW_SHOT,),
        "partial": (LAST_LAYERS,),
        "full": (*gains, FULL_FIRST),
        "lora": (*gains, GLUE, *capacity),
        "scratch": (OWN_DOMAIN,) if situation == "does not transfer" else (MANY_LABELS,),
    }
