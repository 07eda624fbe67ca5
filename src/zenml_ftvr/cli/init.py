"""Write a configuration for the user's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from zenml_ftvr.data import CORPORA, column_names
from zenml_ftvr.data.read import is_file_name, read_columns
from zenml_ftvr.errors import ConfigurationError, DataError

__all__ = ["write_configuration"]

TEXT_NAMES = ("text", "sentence", "review", "content", "body", "message", "question", "comment")
LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "intent", "topic")
"""Common names of such columns, tried first."""

LOOKED_AT = 10_000
"""Rows from which columns are guessed, or up to a thousand more; a judgement."""

TEMPLATE = """\
# What zenml-ftvr is to do with {data}. Check it with:
#   zenml-ftvr doctor {output}
# and run it with:
#   zenml pipeline run zenml_ftvr.pipelines.recommend_and_train.recommend_and_train -c {output}
# Lines that begin with "# " can be left out; they show the default.

parameters:
  data:
    name: {data}
    text_column: {text_column}
    label_column: {label_column}
    encoding: {encoding}
    # rare_labels: error        # drop: leave out classes too rare to be in every split
    # group_column: customer    # rows of one customer in one split; else split_column, time_column
    # fatal: [leakage]          # or near_leakage, conflicts, near_duplicates, encoding

  # The most that measuring, training and evaluation may take. Dollars need the price below.
  budget:
    hours: 0.5
    # usd: 2.00
  # usd_per_hour: 0.40          # what an hour of the machine that trains costs you

  # Where the pretrained arms start: minilm (the demo extra), a local folder, or a Hugging Face id.
  base_model:
    name: minilm
    # revision: main            # of a Hugging Face id: a commit keeps results repeatable

  # approaches:                 # all seven, unless listed here
  #   - kind: baseline
  #   - kind: head
  #   - kind: contrastive
  #   - kind: partial
  #     layers: 2
  #   - kind: full
  #   - kind: lora
  #     rank: 16
  #   - kind: scratch

  # task:
  #   metric: accuracy          # macro_f1 where classes are of very different size
  #   max_length: 128           # tokens of a text that are looked at

  # tolerance: 0.005            # expected loss up to which the cheaper arm is taken: half a point
  # also_train: nothing         # best_neural: beside the choice, the best arm with a curve
  # pilots:
  #   share: 0.1                # of the budget, for calibration and small trainings; 0 for none
  # tracking:
  #   mode: auto                # W&B: online where there is a key, else offline
  # report_folder: ftvr_report
  # seed: 0
"""


def write_configuration(
    data: str,
    output: Path,
    text_column: str | None,
    label_column: str | None,
    encoding: str,
    force: bool,
) -> list[str]:
    """Write a commented YAML for `data`, and say what was guessed and why."""
    if output.exists() and not force:
        raise ConfigurationError(
            f"{output} exists. Choose another name with --output, or overwrite it with --force."
        )
    lines = []
    if data in CORPORA or not is_file_name(data):
        text_column, label_column = text_column or "text", label_column or "label"
        lines.append(
            f"columns of {data}: text '{text_column}', label '{label_column}', not checked"
        )
    else:
        names = column_names(data, encoding)
        for given in (text_column, label_column):
            if given is not None and given not in names:
                raise DataError(f"{data}: column '{given}' is absent; columns: {', '.join(names)}.")
        text_column, why_text = _text_column(data, names, text_column, label_column, encoding)
        label_column, why_label = _label_column(data, names, text_column, label_column, encoding)
        lines += [f"text column '{text_column}': {why_text}"]
        lines += [f"label column '{label_column}': {why_label}"]
    filled = {
        "data": _scalar(data),
        "text_column": _scalar(text_column),
        "label_column": _scalar(label_column),
        "encoding": _scalar(encoding),
        "output": output,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(TEMPLATE.format(**filled), encoding="utf-8")
    lines.append(f"{output} written; look at the budget, then: zenml-ftvr doctor {output}")
    return lines


def _scalar(value: str) -> str:
    """A string as YAML writes it, quoted where it must be."""
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
        .split("\n...", 1)[0]
        .removesuffix("\n")
    )


def _text_column(
    data: str, names: list[str], given: str | None, label_column: str | None, encoding: str
) -> tuple[str, str]:
    if given is not None:
        return given, "as given"
    others = [name for name in names if name != label_column]
    for name in others:
        if name.lower() in TEXT_NAMES:
            return name, "by its name"
    lengths = {name: _mean_length(values) for name, values in _columns(data, others, encoding)}
    longest = max(lengths, key=lambda name: lengths[name], default="")
    if not lengths.get(longest):
        raise DataError(f"{data}: no column holds text; columns: {', '.join(names)}.")
    return longest, f"its texts are the longest, {lengths[longest]:.0f} characters on average"


def _label_column(
    data: str, names: list[str], text_column: str, given: str | None, encoding: str
) -> tuple[str, str]:
    if given is not None:
        return given, "as given"
    others = [name for name in names if name != text_column]
    for name in others:
        if name.lower() in LABEL_NAMES:
            return name, "by its name"
    distinct = {
        name: len(Counter(map(str, values))) for name, values in _columns(data, others, encoding)
    }
    several = {name: n for name, n in distinct.items() if n > 1}
    if not several:
        raise DataError(
            f"{data}: no column can be the label; columns: {', '.join(names)}. Name it with "
            f"--label-column."
        )
    fewest = min(several, key=lambda name: several[name])
    return fewest, f"it has the fewest distinct values, {several[fewest]}"


def _columns(data: str, names: list[str], encoding: str) -> list[tuple[str, Sequence[object]]]:
    if not names:
        return []
    found = read_columns(data, {name: name for name in names}, encoding, LOOKED_AT)
    return [(name, column.values) for name, column in found.items()]


def _mean_length(values: Sequence[object]) -> float:
    texts = [value for value in values if isinstance(value, str)]
    return sum(map(len, texts)) / len(values) if texts else 0.0
