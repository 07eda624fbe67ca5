"""Every weight of the base model is trained."""

from __future__ import annotations

import dataclasses

from zenml_ftvr.approaches.facts import Architecture, TrainingFacts, epochs_for
from zenml_ftvr.values import Full

__all__ = [
    "AMPLE_ROWS",
    "BATCH_SIZE",
    "EPOCHS",
    "LEARNING_RATE",
    "MIN_EPOCHS",
    "MOST_EPOCHS",
    "flops_per_token",
    "resolve",
]

LEARNING_RATE = 1e-4
"""Best on the built-in corpus, and within a point of the best of 5e-5, 1e-4 and 2e-4 on customer
reviews: benchmarks/results/learning_rates.jsonl; Devlin et al. 2019,
arXiv 1810.04805, A.3 give 2e-5 to 5e-5 for models five times as wide and more."""

BATCH_SIZE = 16  # Devlin et al. 2019, A.3: 16 or 32
EPOCHS = 4.0  # Devlin et al. 2019, A.3: 2 to 4
MIN_EPOCHS = 2.0  # the lower end of the same
MOST_EPOCHS = 20.0  # Mosbach et al. 2021, arXiv 2006.04884, 6: 20 epochs on a few thousand rows
AMPLE_ROWS = 2_000
"""Below it, epochs rise so that the number of updates does not fall: Mosbach et al. 2021 and Zhang
et al. 2021 (arXiv 2006.05987) find small sets under-trained at three epochs; their smallest, RTE,
has 2,490 rows."""


def resolve(approach: Full, facts: TrainingFacts) -> tuple[Full, tuple[str, ...]]:
    """Fill the knobs that the user left open; the sentences say how."""
    reasons = []
    epochs = approach.epochs
    if epochs is None:
        epochs = epochs_for(facts.n_train, ample=EPOCHS, most=MOST_EPOCHS, ample_rows=AMPLE_ROWS)
        reasons.append(
            f"{epochs:.3g} epochs: {EPOCHS:g} from {AMPLE_ROWS:,} rows on, more for fewer rows, at "
            f"most {MOST_EPOCHS:g} (Devlin et al. 2019; Mosbach et al. 2021)."
        )
    if approach.learning_rate is None:
        reasons.append(
            f"learning rate {LEARNING_RATE:g}: the best of those measured on the default model."
        )
    resolved = dataclasses.replace(
        approach,
        learning_rate=approach.learning_rate or LEARNING_RATE,
        epochs=epochs,
        batch_size=approach.batch_size or BATCH_SIZE,
    )
    return resolved, tuple(reasons)


def flops_per_token(architecture: Architecture, approach: Full | None = None) -> float:
    """Forward 2 and backward 4 a parameter: Kaplan et al. 2020, arXiv 2001.08361, 2.1.

    Checkpointing makes the forward pass a second time: Korthikanti et al. 2022, arXiv 2205.05198.
    """
    again = approach is not None and approach.gradient_checkpointing == "always"
    return (8.0 if again else 6.0) * architecture.n_body_params
