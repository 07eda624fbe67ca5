"""How often each byte followed which bytes: an interpolated n-gram model.

Bytes, not tokens, so that its bits per byte are those of every other model of the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import Rows
from zenml_ftvr.errors import ModelError
from zenml_ftvr.tasks.causal_lm import CausalWork, Span, learnt_bytes, spans_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Keys = npt.NDArray[np.uint64]
    Symbols = npt.NDArray[np.uint16]
    Counts = npt.NDArray[np.uint32]

__all__ = ["NgramBaseline", "fit_ngrams", "load_ngrams"]

NGRAM_FILE = "ngrams.safetensors"
END = 256  # the symbol after a text; it is foretold like a byte
BEFORE = 257  # what stands before a text; it is never foretold
N_FORETOLD = 257
BITS = 9  # of a symbol in a key
MOST_SYMBOLS = 7  # of an n-gram: seven times nine bits fit into one number of 64
HELD_OUT_SHARE = 0.1  # of the training text, on which the order is chosen
HELD_OUT_MOST = 100_000  # symbols of it: their mean is known to about a hundredth of a bit
MOST_BYTES = 16 * 2**20
"""Of training text that is counted: seven orders of it take about a gigabyte while they are
counted. A judgement."""
CONTEXTS_AT_ONCE = 2_048  # rows of the table of all next symbols: 4 MB
NEW_BYTES = 512  # written after a prompt: about a hundred words, as many as a transformer may
OnRows = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """The n-grams of one length: sorted keys, how often each was seen, and their contexts."""

    keys: Keys
    counts: Counts
    contexts: Keys
    """Sorted."""
    starts: npt.NDArray[np.int64]
    """Where each context's n-grams begin in `keys`; one more at the end."""
    totals: npt.NDArray[np.int64]
    """How often each context was seen."""

    @staticmethod
    def of(keys: Keys, counts: Counts) -> Order:
        """Contexts follow from the keys: a key without its last symbol."""
        import numpy as np

        contexts, first = np.unique(keys >> np.uint64(BITS), return_index=True)
        totals = np.add.reduceat(counts.astype(np.int64), first)
        return Order(keys, counts, contexts, np.append(first, len(keys)), totals)


@dataclass(frozen=True, slots=True)
class NgramBaseline:
    """Witten-Bell interpolation (Witten & Bell 1991; Chen & Goodman 1998, TR-10-98):
    p(w|h) = (c(hw) + T(h) p(w|h')) / (c(h) + T(h)), T(h) the distinct symbols seen after h."""

    work: CausalWork
    orders: tuple[Order, ...]
    """Of 1 symbol, 2 symbols, and so on."""

    @property
    def n_params(self) -> int:
        """Counts kept."""
        return sum(len(order.keys) for order in self.orders)

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> npt.NDArray[np.float64]:
        """[rows, 4]: negative log-likelihood, symbols (bytes and ends), bytes and hits."""
        import numpy as np

        result = np.zeros((len(rows), 4))
        pairs = zip(rows.inputs, rows.targets, strict=True)
        for place, (given, wanted) in enumerate(pairs):
            spans = spans_of(self.work.task, given, wanted)
            symbols, learnt = _symbols(spans)
            where = np.flatnonzero(learnt)
            nll, hits = self._foretold(_windows(symbols, len(self.orders))[where])
            result[place] = nll[-1], len(where), learnt_bytes(spans), hits
            if on_rows is not None:
                on_rows(place + 1, len(rows))
        return result

    def _foretold(self, windows: Symbols) -> tuple[list[float], int]:
        """Negative log-likelihood under each order, and how often the last order's likeliest symbol
        was the one; `windows` [places, order] end in the symbol to be foretold."""
        import numpy as np

        nll = np.zeros(len(self.orders))
        hits = 0
        for start in range(0, len(windows), CONTEXTS_AT_ONCE):
            chunk = windows[start : start + CONTEXTS_AT_ONCE]
            truth, rows = chunk[:, -1].astype(np.int64), np.arange(len(chunk))
            for length, table in enumerate(self._tables(chunk[:, :-1])):
                nll[length] -= np.log(table[rows, truth]).sum()
            hits += int((table.argmax(1) == truth).sum())
        return nll.tolist(), hits

    def _tables(self, contexts: Symbols) -> Iterator[npt.NDArray[np.float64]]:
        """Chances of every next symbol [contexts, 257] under each order in turn."""
        import numpy as np

        table = np.full((len(contexts), N_FORETOLD), 1 / N_FORETOLD)
        for length, order in enumerate(self.orders):
            wanted = _keys(contexts[:, contexts.shape[1] - length :])
            at = np.searchsorted(order.contexts, wanted)
            at[at == len(order.contexts)] = 0
            known = np.flatnonzero(order.contexts[at] == wanted)
            place = at[known]
            first, n_kinds = order.starts[place], np.diff(order.starts)[place]
            scale = 1.0 / (order.totals[place] + n_kinds)
            table[known] *= (n_kinds * scale)[:, None]
            # Each known context's own n-grams, one after another.
            row = np.repeat(np.arange(len(known)), n_kinds)
            inside = np.arange(len(row)) - np.repeat(np.cumsum(n_kinds) - n_kinds, n_kinds)
            gram = first[row] + inside
            symbol = (order.keys[gram] & np.uint64(2**BITS - 1)).astype(np.int64)
            table[known[row], symbol] += order.counts[gram] * scale[row]
            yield table

    def written(self, rows: Rows) -> list[str]:
        """The likeliest next byte, again and again, until the text ends or is long enough."""
        return [self._continued(given) for given in rows.inputs]

    def _continued(self, given: Any) -> str:
        import numpy as np

        spans = spans_of(self.work.task, given, "")
        if self.work.task.form != "chat":
            spans = (Span(spans[0].text, False),)
        symbols = _symbols(spans)[0].tolist()
        context = ([BEFORE] * MOST_SYMBOLS + symbols)[-(MOST_SYMBOLS - 1) :]
        new: list[int] = []
        width = len(self.orders) - 1
        while len(new) < NEW_BYTES:
            asked = np.asarray([context[len(context) - width :]], dtype=np.uint16)
            for table in self._tables(asked.reshape(1, width)):
                likeliest = int(table[0].argmax())
            if likeliest == END:
                break
            new.append(likeliest)
            context = [*context[1:], likeliest]
        return bytes(new).decode("utf-8", "ignore")

    def save(self, folder: Path) -> None:
        """Arrays alone, as safetensors."""
        from safetensors.numpy import save_file

        arrays: dict[str, Any] = {}
        for length, order in enumerate(self.orders, start=1):
            arrays[f"keys_{length}"] = order.keys
            arrays[f"counts_{length}"] = order.counts
        save_file(arrays, folder / NGRAM_FILE)


def _symbols(spans: Sequence[Span]) -> tuple[Symbols, npt.NDArray[np.bool_]]:
    """Bytes, with an end after each learnt span; and which of them are to be foretold."""
    import numpy as np

    parts, learnt = [], []
    for span in spans:
        own = np.frombuffer(span.text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        symbols = own.astype(np.uint16)
        if span.learnt:
            symbols = np.append(symbols, np.uint16(END))
        parts.append(symbols)
        learnt.append(np.full(len(symbols), span.learnt))
    return np.concatenate(parts), np.concatenate(learnt)


def _windows(symbols: Symbols, order: int) -> Symbols:
    """Each symbol with the `order` - 1 before it, [symbols, order]."""
    import numpy as np

    before = np.full(order - 1, BEFORE, dtype=np.uint16)
    return np.lib.stride_tricks.sliding_window_view(np.concatenate([before, symbols]), order)


def _keys(windows: Symbols) -> Keys:
    """One number for the symbols of each row; 0 where there are none."""
    import numpy as np

    keys = np.zeros(len(windows), dtype=np.uint64)
    for column in range(windows.shape[1]):
        keys = (keys << np.uint64(BITS)) | windows[:, column].astype(np.uint64)
    return keys


def fit_ngrams(work: CausalWork, rows: Rows, seed: int) -> NgramBaseline:
    """Count, and choose the order by the likelihood of a tenth of the text that is held out."""
    import numpy as np

    gap = np.full(MOST_SYMBOLS - 1, BEFORE, dtype=np.uint16)
    parts, total = [], 0
    for place in np.random.default_rng(seed).permutation(len(rows)).tolist():
        row = rows.take([place])
        spans = spans_of(work.task, row.inputs[0], row.targets[0])
        own = _symbols(spans)[0][: MOST_BYTES - total]
        parts += [gap, own]
        total += len(own)
        if total >= MOST_BYTES:
            break
    if total == 0:
        raise ModelError("the training split has no rows: there is nothing to count.")
    symbols = np.concatenate(parts)
    n_held_out = min(HELD_OUT_MOST, round(len(symbols) * HELD_OUT_SHARE))
    windows = _windows(symbols, MOST_SYMBOLS)[MOST_SYMBOLS - 1 :]
    counted, held_out = windows[: len(windows) - n_held_out], windows[len(windows) - n_held_out :]
    trial = NgramBaseline(work, _counted(counted, MOST_SYMBOLS))
    nll, _ = trial._foretold(held_out[held_out[:, -1] != BEFORE])
    return NgramBaseline(work, _counted(windows, 1 + int(np.argmin(nll))))


def _counted(windows: Symbols, most: int) -> tuple[Order, ...]:
    """N-grams of 1 to `most` symbols that `windows` end in, but for those that foretell nothing."""
    import numpy as np

    orders = []
    real = windows[:, -1] != BEFORE
    for length in range(1, most + 1):
        found = _keys(windows[:, MOST_SYMBOLS - length :])[real]
        keys, counts = np.unique(found, return_counts=True)
        orders.append(Order.of(keys, counts.astype(np.uint32)))
    return tuple(orders)


def load_ngrams(work: CausalWork, folder: Path) -> NgramBaseline:
    """What `save` wrote."""
    from safetensors.numpy import load_file

    arrays = load_file(folder / NGRAM_FILE)
    lengths = range(1, len(arrays) // 2 + 1)
    if any(f"{name}_{length}" not in arrays for length in lengths for name in ("keys", "counts")):
        raise ModelError(f"{folder / NGRAM_FILE} is damaged. Train or copy the model again.")
    orders = [Order.of(arrays[f"keys_{length}"], arrays[f"counts_{length}"]) for length in lengths]
    return NgramBaseline(work, tuple(orders))
