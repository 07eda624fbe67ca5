"""Run a plan: the loop, the budget's brake, and progress."""

from zenml_ftvr.train.attempts import tracked_before
from zenml_ftvr.train.contrastive import PreparedPairs, train_on_pairs
from zenml_ftvr.train.faults import Diverged, Interrupted
from zenml_ftvr.train.fingerprint import training_fingerprint
from zenml_ftvr.train.frozen import without_frozen_part
from zenml_ftvr.train.loop import Prepared, prepare, run_loop, trainer_for
from zenml_ftvr.train.pairs import make_pairs
from zenml_ftvr.train.progress import Progress, print_progress, silent
from zenml_ftvr.train.replay import replay
from zenml_ftvr.train.run import no_log, run_plan
from zenml_ftvr.train.settle import settled
from zenml_ftvr.train.solved import LinearHead, choose_strength, fit_head
from zenml_ftvr.train.team import Team, granted_team

__all__ = [
    "Diverged",
    "Interrupted",
    "LinearHead",
    "Prepared",
    "PreparedPairs",
    "Progress",
    "Team",
    "choose_strength",
    "fit_head",
    "granted_team",
    "make_pairs",
    "no_log",
    "prepare",
    "print_progress",
    "replay",
    "run_loop",
    "run_plan",
    "settled",
    "silent",
    "tracked_before",
    "train_on_pairs",
    "trainer_for",
    "training_fingerprint",
    "without_frozen_part",
]
