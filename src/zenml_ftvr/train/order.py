"""The order of the training rows: a function of seed and epoch, so that any step can be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

__all__ = ["RowOrder", "Sampling", "batches_by_length"]

Sampling = Literal["grouped", "random", "sequential"]
"""Rows of like length share a batch; any order; or the order that the rows are in."""

GROUPED_BATCHES = 50  # batches within which rows are sorted by length: transformers' own number


class RowOrder:
    """A sampler for torch's loader whose every epoch can be computed without those before it.

    transformers' own grouped sampler draws from the global generator, whose state at the start of
    an epoch is lost in a run that goes on in the middle of one. `step` says how many optimiser
    steps have been taken; each takes `batch_size` rows, in however many parts they are computed.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        sampling: Sampling,
        step: Callable[[], int],
    ) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._sampling = sampling
        self._step = step

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(self.of_epoch(self._step() // self.steps_per_epoch).tolist())

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self._lengths) // self._batch_size)

    def of_epoch(self, epoch: int) -> Places:
        """The rows [rows] in the order in which epoch `epoch`, counted from 0, sees them."""
        import numpy as np

        n_rows = len(self._lengths)
        match self._sampling:
            case "sequential":
                return np.arange(n_rows)
            case "random":
                return np.random.default_rng((self._seed, epoch)).permutation(n_rows)
            case "grouped":
                return _grouped(np.asarray(self._lengths), self._batch_size, self._seed, epoch)

    def rows_of_step(self, step: int) -> list[int]:
        """The rows of optimiser step `step`, counted from 0, by their place in the split."""
        epoch, place = divmod(step, self.steps_per_epoch)
        start = place * self._batch_size
        return self.of_epoch(epoch)[start : start + self._batch_size].tolist()


def batches_by_length(lengths: Places, batch_size: int, seed: int, epoch: int) -> list[Places]:
    """Batches of shuffled rows, sorted by length within fifty of them; batches come in any order.

    A short batch is the last.
    """
    import numpy as np

    rng = np.random.default_rng((seed, epoch))
    shuffled = rng.permutation(len(lengths))
    size = batch_size * GROUPED_BATCHES
    groups = [
        group[np.argsort(-lengths[group], kind="stable")]
        for group in (shuffled[start : start + size] for start in range(0, len(lengths), size))
    ]
    rows = np.concatenate(groups)
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    whole, rest = (batches[:-1], batches[-1:]) if len(rows) % batch_size else (batches, [])
    return [whole[place] for place in rng.permutation(len(whole))] + rest


def _grouped(lengths: Places, batch_size: int, seed: int, epoch: int) -> Places:
    """Batches of like length.

    The batch with the longest row is the first of all, so that memory that does not suffice is
    noticed at once.
    """
    import numpy as np

    batches = batches_by_length(lengths, batch_size, seed, epoch)
    n_whole = len(lengths) // batch_size
    if epoch == 0 and n_whole:
        longest = max(range(n_whole), key=lambda place: int(lengths[batches[place]].max()))
        batches.insert(0, batches.pop(longest))
    return np.concatenate(batches)
