"""Splits of every task's rows: disjoint, complete, lasting, and true to groups and times."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zenml_ftvr.data import Dataset, dataset_from, row_id_of_input
from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.task import CausalLM, ImageClassification, Seq2Seq, TokenClassification

SPLITS = ("train", "validation", "test")
N_BASE = 90  # enough that every class is in every split, whatever comes on top
N_GROUPS = 45  # enough for each split to have some; odd, so that each has both classes
CHAT = CausalLM(form="chat")

word = st.text("abcdefgh", min_size=1, max_size=5)
text = st.lists(word, min_size=1, max_size=6).map(" ".join)
label = st.sampled_from("ab")
message = st.fixed_dictionaries({"role": st.just("user"), "content": text})
answer = st.fixed_dictionaries({"role": st.just("assistant"), "content": text})


def image(color: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), color).save(stream, "PNG")
    return stream.getvalue()


def row(value: Any, target: Any) -> dict[str, Any]:
    return {"text": value, "label": target}


def base(task: Task, n: int) -> dict[str, Any]:
    """The row of number `n`, whose input no other has."""
    name = f"base {n}"
    match task:
        case TextClassification(target="multi"):
            return row(name, [["a"], ["b"], ["a", "b"]][n % 3])
        case TextClassification(target="regression"):
            return row(name, float(n))
        case TokenClassification():
            return row(["base", str(n)], ["O", "B-X"])
        case CausalLM(form="chat"):
            return row([{"role": "assistant", "content": name}], None)
        case ImageClassification():
            return row(image((n, 255, 255)), "ab"[n % 2])
        case _:
            return row(name, "ab"[n % 2])


def any_rows(values: st.SearchStrategy[Any], targets: st.SearchStrategy[Any]) -> Any:
    return st.lists(st.builds(row, values, targets), max_size=25)


tagged = st.lists(st.tuples(word, st.sampled_from(["O", "B-X", "I-X"])), min_size=1, max_size=5)
CASES: dict[str, tuple[Task, st.SearchStrategy[list[dict[str, Any]]]]] = {
    "single": (TextClassification(), any_rows(text, label)),
    "multi": (
        TextClassification(target="multi"),
        any_rows(text, st.lists(label, max_size=2)),
    ),
    "regression": (
        TextClassification(target="regression"),
        any_rows(text, st.floats(allow_nan=False, allow_infinity=False)),
    ),
    "tokens": (
        TokenClassification(),
        st.lists(tagged, max_size=25).map(
            lambda rows: [row([w for w, _ in one], [t for _, t in one]) for one in rows]
        ),
    ),
    "text": (CausalLM(form="text"), any_rows(text, st.none())),
    "completion": (CausalLM(form="completion"), any_rows(text, text)),
    "chat": (CHAT, any_rows(st.tuples(message, answer).map(list), st.none())),
    "seq2seq": (Seq2Seq(), any_rows(text, text)),
    "images": (
        ImageClassification(),
        any_rows(st.tuples(*[st.integers(0, 9)] * 3).map(image), label),
    ),
}
names = pytest.mark.parametrize("name", list(CASES))
QUICK = settings(max_examples=15, deadline=None)


def split_of_id(dataset: Dataset) -> dict[str, str]:
    return {row_id: name for name in SPLITS for row_id in getattr(dataset, name).row_ids}


def shown(value: Any) -> str:
    """An input as something that can be counted; the order of a message's keys is not its own."""
    return repr([sorted(one.items()) if isinstance(one, dict) else one for one in value])


def inputs_of(dataset: Dataset) -> Counter[str]:
    return Counter(shown(one) for name in SPLITS for one in getattr(dataset, name).inputs)


@names
@QUICK
@given(data=st.data())
def test_splits_are_disjoint_complete_and_lasting(name: str, data: st.DataObject) -> None:
    task, more = CASES[name]
    rows = [base(task, n) for n in range(N_BASE)]
    before = split_of_id(dataset_from(rows, task=task))
    together = data.draw(st.permutations(rows + data.draw(more)))
    dataset = dataset_from(together, task=task)
    ids = [set(getattr(dataset, one).row_ids) for one in SPLITS]
    assert sum(map(len, ids)) == len(set().union(*ids))
    assert inputs_of(dataset) == Counter(shown(one["text"]) for one in together)
    after = split_of_id(dataset)
    assert {row_id: after[row_id] for row_id in before} == before


@names
@QUICK
@given(data=st.data())
def test_no_group_is_on_two_sides(name: str, data: st.DataObject) -> None:
    task, more = CASES[name]
    drawn = data.draw(more)
    rows = [base(task, n) | {"who": f"person {n % N_GROUPS}"} for n in range(N_BASE)]
    rows += [one | {"who": data.draw(word)} for one in drawn]
    source = DataSource(name="x", group_column="who", fatal=(), rare_labels="drop")
    dataset = dataset_from(rows, source, task=task)
    assert sum(inputs_of(dataset).values()) == len(rows) - (
        dataset.n_dropped if name in ("single", "images") else 0
    )
    groups = {one: set[str]() for one in SPLITS}
    where: dict[str, set[str]] = {}
    for split in SPLITS:
        for row_id in set(getattr(dataset, split).row_ids):
            where.setdefault(row_id, set()).add(split)
    whole: dict[str, set[str]] = {}
    for one in rows:
        whole.setdefault(row_id_of_input(one["text"]), set()).add(one["who"])
    for row_id, splits in where.items():
        # An input of several people may be on several sides; that of one, on one.
        assert len(splits) <= len(whole[row_id])
        if len(whole[row_id]) == 1:
            groups[splits.pop()] |= whole[row_id]
    assert sum(map(len, groups.values())) == len(set().union(*groups.values()))


@names
@QUICK
@given(data=st.data())
def test_no_row_is_older_than_one_of_an_older_split(name: str, data: st.DataObject) -> None:
    task, _ = CASES[name]
    times = data.draw(
        st.lists(st.integers(0, 10_000), min_size=N_BASE, max_size=N_BASE, unique=True)
    )
    rows = [base(task, n) | {"when": when} for n, when in enumerate(times)]
    dataset = dataset_from(
        rows, DataSource(name="x", time_column="when", rare_labels="drop"), task=task
    )
    when_of = {row_id_of_input(one["text"]): one["when"] for one in rows}
    ages = [[when_of[row_id] for row_id in getattr(dataset, one).row_ids] for one in SPLITS]
    assert max(ages[0]) < min(ages[1])
    assert max(ages[1]) < min(ages[2])
