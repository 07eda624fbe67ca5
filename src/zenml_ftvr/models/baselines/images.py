"""Pixels of small copies, and logistic regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import Rows
from zenml_ftvr.models.baselines.stored import read_estimator, write_estimator
from zenml_ftvr.tasks.image_classification import ImageWork, picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ImageBaseline", "fit_image_baseline", "load_image_baseline"]

SIDE = 16
"""Pixels a side of the copies. 256 grey levels are about as many as a regression of a few thousand
rows can weigh; Torralba 2009 ("How many pixels make an image?") finds 32 enough for people."""
MAX_ITERATIONS = 1_000  # lbfgs stops far earlier on scaled pixels
C = 0.01
"""Inverse regularisation of scaled pixels, which are many and alike. A judgement."""


def _grey(rows: Rows) -> npt.NDArray[np.float32]:
    """Grey levels [rows, 256] of copies of 16 by 16 pixels, 0 to 1."""
    import numpy as np
    from PIL import Image

    levels = np.empty((len(rows), SIDE * SIDE), dtype=np.float32)
    place = 0
    for batch in rows.batches(256):
        for content in batch.inputs:
            small = picture(content, "L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            levels[place] = np.asarray(small, dtype=np.float32).ravel() / 255
            place += 1
    return levels


@dataclass(frozen=True, slots=True)
class ImageBaseline:
    """A fitted pipeline of scaled pixels and logistic regression."""

    work: ImageWork
    pipeline: Any

    @property
    def n_params(self) -> int:
        last = self.pipeline[-1]
        return int(last.coef_.size + last.intercept_.size)

    def outputs(
        self, rows: Rows, on_rows: Callable[[int, int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Log-probabilities [rows, classes]."""
        import numpy as np

        result = np.full((len(rows), len(self.work.labels)), -np.inf, dtype=np.float32)
        result[:, self.pipeline.classes_] = self.pipeline.predict_log_proba(_grey(rows))
        if on_rows is not None:
            on_rows(len(rows), len(rows))
        return result

    def save(self, folder: Path) -> None:
        write_estimator(self.pipeline, folder)


def fit_image_baseline(work: ImageWork, rows: Rows, seed: int) -> ImageBaseline:
    """Fit the scaling and the regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = LogisticRegression(C=C, max_iter=MAX_ITERATIONS, random_state=seed)
    pipeline = make_pipeline(StandardScaler(), classifier)
    return ImageBaseline(work, pipeline.fit(_grey(rows), work.targets(rows)))


def load_image_baseline(work: ImageWork, folder: Path) -> ImageBaseline:
    """Read what `save` wrote."""
    return ImageBaseline(work, read_estimator(folder))
