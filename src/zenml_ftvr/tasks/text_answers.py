"""Written texts beside the wanted ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from zenml_ftvr.tasks.answers import sampled_sums
from zenml_ftvr.values import Metric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Weights = npt.NDArray[np.float64]

__all__ = ["TextAnswers"]

Kept = Literal["bleu", "chrf", "rouge_l", "exact_match"]


@dataclass(frozen=True, slots=True)
class TextAnswers:
    """A text a row: the wanted one, and the one that was written. All metrics are of 0 to 1."""

    truth: Sequence[str]
    written: Sequence[str]
    _kept: dict[Kept, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Statistics of each row by metric, once they were needed: draws ask for them again."""

    @property
    def n_rows(self) -> int:
        return len(self.truth)

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """BLEU (Papineni et al. 2002) and chrF (Popovic 2015) of the corpus as sacrebleu has them
        by default; ROUGE-L's F (Lin 2004) and exact matches, apart from white space around, as
        means over rows."""
        import numpy as np

        if metric in ("rouge_l", "exact_match"):
            sums = sampled_sums(self._statistics(cast(Kept, metric)), weights)
            means: Floats = sums[:, 0] / np.maximum(weights.sum(1), 1)
            return means
        if metric in ("bleu", "chrf"):
            sums = sampled_sums(self._statistics(cast(Kept, metric)), weights)
            compute = _of_corpora(cast(Kept, metric))._compute_score_from_stats
            return np.asarray([compute(row).score / 100 for row in np.rint(sums).tolist()])
        raise NotImplementedError(metric)

    def _statistics(self, metric: Kept) -> Floats:
        """What is summed over rows, [rows, statistics]."""
        import numpy as np

        if metric not in self._kept:
            rows = self._row_statistics(metric)
            self._kept[metric] = np.asarray(rows, dtype=np.float64).reshape(self.n_rows, -1)
        found: Floats = self._kept[metric]
        return found

    def _row_statistics(self, metric: Kept) -> Any:
        pairs = zip(self.truth, self.written, strict=True)
        match metric:
            case "exact_match":
                return [wanted.strip() == said.strip() for wanted, said in pairs]
            case "rouge_l":
                from rouge_score.rouge_scorer import RougeScorer

                scorer = RougeScorer(["rougeL"], tokenizer=_Words())
                return [scorer.score(wanted, said)["rougeL"].fmeasure for wanted, said in pairs]
            case "bleu" | "chrf":
                corpora = _of_corpora(metric)
                return corpora._extract_corpus_statistics(list(self.written), [list(self.truth)])


def _of_corpora(metric: Kept) -> Any:
    """sacrebleu's metric by its defaults; it has no public way to statistics and from them."""
    from sacrebleu.metrics import BLEU, CHRF

    return BLEU(force=True) if metric == "bleu" else CHRF()


class _Words:
    """Runs of letters and digits in small letters: rouge-score's own, but of all alphabets."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.lower())
