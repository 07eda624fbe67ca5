"""The answer of the most similar training text, or the given text itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from zenml_ftvr.data import Rows
from zenml_ftvr.errors import ModelError
from zenml_ftvr.tasks import score
from zenml_ftvr.tasks.seq2seq import SeqToSeqWork
from zenml_ftvr.tasks.text_answers import TextAnswers

__all__ = ["RetrievalBaseline", "fit_retrieval", "load_retrieval"]

PAIRS_FILE = "pairs.parquet"
RULE_FILE = "rule.json"
NGRAMS = (2, 4)
"""Characters within words: of any language, and also where there are hardly any words. What chrF
compares goes up to 6 (Popovic 2015); longer ones are nearly all rare. A judgement."""
HELD_OUT_SHARE = 0.1  # of the training rows, on which retrieval and copying are compared
HELD_OUT_MOST = 500  # rows of it: enough to tell two rules apart. A judgement
ROWS_AT_ONCE = 256  # whose similarities to all training texts are in memory together
OnRows = Callable[[int, int], None]
Rule = Literal["retrieve", "copy"]


@dataclass(frozen=True)
class RetrievalBaseline:
    """Given and wanted training texts, by which a text is answered."""

    rule: Rule
    given: list[str]
    wanted: list[str]

    @property
    def n_params(self) -> int:
        """Weights of the training texts' n-grams; none where texts are copied."""
        return 0 if self.rule == "copy" else int(self._index[1].nnz)

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        """The fitted TF-IDF, and the training texts in it [texts, n-grams]: both follow from the
        texts, in a second for ten thousand of them."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True)
        return vectorizer, vectorizer.fit_transform(_never_empty(self.given))

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> list[str]:
        """A text a row."""
        texts: list[str] = rows.inputs
        said: list[str] = []
        for start in range(0, len(texts), ROWS_AT_ONCE):
            part = texts[start : start + ROWS_AT_ONCE]
            said += part if self.rule == "copy" else self._retrieved(part)
            if on_rows is not None:
                on_rows(len(said), len(texts))
        return said

    def _retrieved(self, texts: list[str]) -> list[str]:
        """Of equally similar training texts the first."""
        import numpy as np

        vectorizer, index = self._index
        alike = vectorizer.transform(_never_empty(texts)) @ index.T  # rows have length 1: cosines
        nearest = np.asarray(alike.argmax(axis=1)).ravel()
        return [self.wanted[place] for place in nearest.tolist()]

    def save(self, folder: Path) -> None:
        """Texts as Parquet, and the rule: nothing that runs when it is loaded."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([("given", pa.string()), ("wanted", pa.string())])
        kept = [[], []] if self.rule == "copy" else [self.given, self.wanted]
        pq.write_table(pa.table(kept, schema=schema), folder / PAIRS_FILE)
        (folder / RULE_FILE).write_text(json.dumps({"rule": self.rule}) + "\n", encoding="ascii")


def _never_empty(texts: list[str]) -> list[str]:
    """A full stop for what has no n-grams of two characters, so that all can be counted."""
    return [text if text.strip() else "." for text in texts]


def fit_retrieval(work: SeqToSeqWork, rows: Rows, seed: int) -> RetrievalBaseline:
    """Keep the rule with the higher chrF on a tenth of the training rows that is held out."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    n_held_out = min(HELD_OUT_MOST, max(1, round(HELD_OUT_SHARE * len(rows))))
    held_out, others = rows.take(order[:n_held_out]), rows.take(order[n_held_out:])
    found: dict[Rule, float] = {}
    rules: tuple[Rule, ...] = ("retrieve", "copy") if len(others) else ("copy",)
    for rule in rules:
        trial = RetrievalBaseline(rule, others.inputs, others.targets)
        found[rule] = score(TextAnswers(held_out.targets, trial.outputs(held_out)), "chrf")
    return RetrievalBaseline(max(found, key=found.__getitem__), rows.inputs, rows.targets)


def load_retrieval(work: SeqToSeqWork, folder: Path) -> RetrievalBaseline:
    """What `save` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / PAIRS_FILE)
    rule = json.loads((folder / RULE_FILE).read_text())["rule"]
    if rule not in ("retrieve", "copy"):
        raise ModelError(
            f"{folder / RULE_FILE} says '{rule}', where it is 'retrieve' or 'copy'. Train or copy "
            f"the model again."
        )
    return RetrievalBaseline(
        rule, table.column("given").to_pylist(), table.column("wanted").to_pylist()
    )
