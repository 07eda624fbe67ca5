"""From a source to a data set: files, the Hub, the built-in corpora, and what is refused."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import httpx2
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.exceptions import DataFilesNotFoundError, DatasetNotFoundError
from huggingface_hub.errors import HFValidationError

from zenml_ftvr.data import load_dataset, read_texts, refuse_local_path
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

WriteRows = Callable[[list[dict[str, Any]]], str]
HubAnswers = Callable[[datasets.Dataset | Exception], list[tuple[str | None, ...]]]

# Enough that both classes are in every split.
GOOD: list[dict[str, Any]] = [
    {"text": f"text {number}", "label": "ab"[number % 2]} for number in range(120)
]


@pytest.fixture
def write_rows(tmp_path: Path) -> WriteRows:
    """Write rows as a JSONL file, which holds any value, and get its name."""

    def write(rows: list[dict[str, Any]]) -> str:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return write


@pytest.fixture
def parquet_with_labels(tmp_path: Path) -> Callable[[pa.Array], DataSource]:
    """A Parquet file with a typed column of labels, which are repeated for 120 rows."""

    def write(labels: pa.Array) -> DataSource:
        texts = [f"text {number}" for number in range(120)]
        repeated = labels.take(pa.array([number % len(labels) for number in range(120)]))
        pq.write_table(pa.table({"text": texts, "label": repeated}), tmp_path / "rows.parquet")
        return DataSource(name=str(tmp_path / "rows.parquet"))

    return write


@pytest.fixture
def hub_answers(monkeypatch: pytest.MonkeyPatch) -> HubAnswers:
    """Let the Hub answer with a table or a failure, and list what it is asked."""

    def answer_with(answer: datasets.Dataset | Exception) -> list[tuple[str | None, ...]]:
        asked: list[tuple[str | None, ...]] = []

        def load(path: str, name: str | None, *, split: str, revision: str | None) -> Any:
            asked.append((path, name, split, revision))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(datasets, "load_dataset", load)
        return asked

    return answer_with


# --- files


def test_columns_are_renamed_by_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    lines = [f"{number},body {number},{'ab'[number % 2]},text" for number in range(120)]
    path.write_text("\n".join(["text,body,stars,label", *lines]))
    source = DataSource(name=str(path), text_column="body", label_column="stars")
    dataset = load_dataset(source)
    assert dataset.labels == ("a", "b")
    texts = dataset.train.texts + dataset.validation.texts + dataset.test.texts
    assert sorted(texts) == sorted(f"body {number}" for number in range(120))
    assert dataset.source == source


def test_the_source_s_encoding_is_used(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"café {number},{'àé'[number % 2]}" for number in range(120)]
    path.write_text("\n".join(["text,label", *lines]), encoding="latin-1")
    assert load_dataset(DataSource(name=str(path), encoding="latin-1")).labels == ("à", "é")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([True, False]), ("False", "True")),
        (pa.array([10, 9, -1]), ("-1", "10", "9")),
        (pa.array([1.0, 2.0]), ("1", "2")),
        (pa.array([" a", "b "]), ("a", "b")),
        (pa.array(["a", "b"]).dictionary_encode(), ("a", "b")),
    ],
    ids=["truth values", "integers", "whole floats", "surrounded by blanks", "categories"],
)
def test_a_label_may_be_a_text_or_a_whole_number(
    parquet_with_labels: Callable[[pa.Array], DataSource],
    labels: pa.Array,
    expected: tuple[str, ...],
) -> None:
    assert load_dataset(parquet_with_labels(labels)).labels == expected


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (pa.array(["a", "b", None]), r"row 3: 'label' is missing\. A label is a text or a whole"),
        (pa.array(["a", "", "b"]), r"row 2: 'label' is missing\."),
        (pa.array(["a", "b", "  "]), r"row 3: 'label' is '  '\."),
        (pa.array([1.0, 2.5]), r"row 2: 'label' is 2\.5\."),
        (pa.array([1.0, float("nan")]), r"row 2: 'label' is nan\."),
        (pa.array([1.0, float("inf")]), r"row 2: 'label' is inf\."),
        (pa.array([["a"], ["b", "c"]]), r"row 1: 'label' is \['a'\]\..*one a row"),
    ],
    ids=["null", "empty", "blank", "fraction", "not a number", "infinite", "several"],
)
def test_what_is_no_label_names_its_row(
    parquet_with_labels: Callable[[pa.Array], DataSource], labels: pa.Array, what: str
) -> None:
    with pytest.raises(DataError, match=what):
        load_dataset(parquet_with_labels(labels))


def test_a_missing_label_names_its_line(write_rows: WriteRows) -> None:
    name = write_rows([*GOOD, {"text": "no label"}])
    with pytest.raises(DataError, match=r"rows\.jsonl, line 121: 'label' is missing"):
        load_dataset(DataSource(name=name))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        (" \n ", "is empty"),
        (None, "is missing"),
        (5, "is 5, which is no text"),
        (["x"], r"is \['x'\], which is no text"),
        ("caf\ud800", r"is 'caf\\ud800', which holds half a surrogate pair"),
    ],
)
def test_what_is_no_text_names_its_line(write_rows: WriteRows, text: Any, what: str) -> None:
    name = write_rows([*GOOD, {"text": text, "label": "a"}])
    with pytest.raises(DataError, match=rf"rows\.jsonl, line 121: 'text' {what}\. Remove"):
        load_dataset(DataSource(name=name))


def test_of_several_wrong_texts_the_first_is_named_and_the_rest_counted(
    write_rows: WriteRows,
) -> None:
    name = write_rows([*GOOD, {"text": "", "label": "a"}, {"text": None, "label": "b"}, *GOOD[:1]])
    with pytest.raises(DataError, match=r"line 121: 'text' is empty \(and so in 1 more rows\)"):
        load_dataset(DataSource(name=name))


def test_a_label_with_half_a_surrogate_pair_is_refused(write_rows: WriteRows) -> None:
    name = write_rows([*GOOD, {"text": "x", "label": "a\ud800"}])
    with pytest.raises(DataError, match=r"line 121: 'label' is 'a\\ud800'\. A label is"):
        load_dataset(DataSource(name=name))


def test_a_whole_surrogate_pair_is_a_character(write_rows: WriteRows) -> None:
    name = write_rows([{**row, "text": row["text"] + " \U0001f600"} for row in GOOD])
    assert load_dataset(DataSource(name=name)).train.texts[0].endswith("\U0001f600")


def test_texts_to_predict_need_no_label(write_rows: WriteRows) -> None:
    assert read_texts(write_rows([{"text": "one"}, {"text": "two"}])) == ["one", "two"]
    assert read_texts(write_rows([{"body": "one"}]), text_column="body") == ["one"]


def test_texts_to_predict_are_read_in_their_encoding(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("text\ncafé\n".encode("latin-1"))
    assert read_texts(str(tmp_path / "rows.csv"), encoding="latin-1") == ["café"]


def test_texts_to_predict_are_checked(write_rows: WriteRows) -> None:
    with pytest.raises(DataError, match=r"line 2: 'text' is empty"):
        read_texts(write_rows([{"text": "one"}, {"text": " "}]))


def test_texts_to_predict_come_from_a_file_only(hub_answers: HubAnswers) -> None:
    asked = hub_answers(ConnectionError("refused"))
    with pytest.raises(DataError, match=r"data file some/dataset does not exist"):
        read_texts("some/dataset")
    assert not asked


# --- the built-in corpora


@pytest.mark.parametrize("name", ["docstrings", "docstrings-cipher"])
def test_the_name_of_a_corpus_reads_that_corpus(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(asked: str) -> tuple[list[str], list[str]]:
        return [f"{asked} {row['text']}" for row in GOOD], [row["label"] for row in GOOD]

    monkeypatch.setattr("zenml_ftvr.data.load.read_corpus", read)
    assert load_dataset(DataSource(name=name)).train.texts[0].startswith(f"{name} text ")


# --- the Hugging Face Hub


def _hub_table(labels: list[Any], feature: Any) -> datasets.Dataset:
    features = datasets.Features({"text": datasets.Value("string"), "label": feature})
    texts = [f"text {number}" for number in range(len(labels))]
    return datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)


def test_a_hub_data_set_is_asked_for_as_the_source_says(hub_answers: HubAnswers) -> None:
    asked = hub_answers(_hub_table([0, 1] * 60, datasets.ClassLabel(names=["bad", "good"])))
    load_dataset(DataSource(name="some/dataset", subset="en", hub_split="dev", revision="v2"))
    load_dataset(DataSource(name="some/dataset"))
    assert asked == [
        ("some/dataset", "en", "dev", "v2"),
        ("some/dataset", None, "train", None),
    ]


def test_class_labels_of_the_hub_become_their_names(hub_answers: HubAnswers) -> None:
    hub_answers(_hub_table([0, 1] * 60, datasets.ClassLabel(names=["good", "bad"])))
    dataset = load_dataset(DataSource(name="some/dataset"))
    assert dataset.labels == ("bad", "good")
    label_of = {
        text: label
        for rows in (dataset.train, dataset.validation, dataset.test)
        for text, label in zip(rows.texts, rows.labels, strict=True)
    }
    assert label_of["text 0"] == "good"
    assert label_of["text 1"] == "bad"


@pytest.mark.parametrize("missing", [-1, None])
def test_a_hub_row_without_a_label_names_its_row(
    hub_answers: HubAnswers, missing: int | None
) -> None:
    feature = datasets.ClassLabel(names=["bad", "good"])
    hub_answers(_hub_table([0, 1] * 60 + [missing], feature))
    with pytest.raises(DataError, match=r"some/dataset, row 121: 'label' is missing"):
        load_dataset(DataSource(name="some/dataset"))


def test_an_absent_column_of_the_hub_names_those_there_are(hub_answers: HubAnswers) -> None:
    hub_answers(_hub_table([0, 1], datasets.Value("int64")))
    with pytest.raises(
        DataError, match=r"some/dataset: text column 'texts' is absent\. Did you mean 'text'\? Kn"
    ):
        load_dataset(DataSource(name="some/dataset", text_column="texts"))


def test_a_hub_split_without_rows_is_refused(hub_answers: HubAnswers) -> None:
    hub_answers(_hub_table([], datasets.Value("int64")))
    with pytest.raises(DataError, match=r"some/dataset holds no rows in its split 'train'"):
        load_dataset(DataSource(name="some/dataset"))


TRIED = (
    r"was not found: it is no built-in corpus \(docstrings, docstrings-cipher\) and no file here, "
    r"and as a Hugging Face data set it "
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DatasetNotFoundError("no such data set"), rf"{TRIED}does not exist or is private \(no s"),
        (HFValidationError("bad id"), rf"{TRIED}does not exist or is private \(bad id\)"),
        (ConnectionError("refused"), rf"{TRIED}cannot be reached \(ConnectionError\)"),
        (httpx2.ProxyError("403"), rf"{TRIED}cannot be reached \(ProxyError\).*HF_HUB_OFFLINE"),
        (TimeoutError("slow"), rf"{TRIED}cannot be reached \(TimeoutError\)"),
        (ValueError('Unknown split "trian"'), r"on the .* Hub: Unknown split \"trian\"\. Set subs"),
        (RuntimeError("a script"), r"on the Hugging Face Hub: a script\. Set subset, hub_split or"),
        (DataFilesNotFoundError("No (supported) files"), r"on the .* Hub: No \(supported\) files"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_failure_of_the_hub_says_what_it_was(
    hub_answers: HubAnswers, error: Exception, said: str
) -> None:
    hub_answers(error)
    with pytest.raises(DataError, match=rf"data 'some/dataset' {said}") as caught:
        load_dataset(DataSource(name="some/dataset"))
    assert caught.value.__cause__ is error


def test_a_hub_data_set_is_not_had_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=rf"'no/such' {TRIED}cannot be reached \(ConnectionError"):
        load_dataset(DataSource(name="no/such"))


def test_a_hub_that_does_not_answer_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    for module in (datasets.config, huggingface_hub.constants):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's five attempts
    with pytest.raises(
        DataError, match=rf"'no/such' {TRIED}cannot be reached \(ConnectionError"
    ) as caught:
        load_dataset(DataSource(name="no/such"))
    assert "Offline" not in str(caught.value.__cause__)


def test_a_name_like_a_corpus_suggests_the_corpus(hub_answers: HubAnswers) -> None:
    hub_answers(DatasetNotFoundError("no such data set"))
    with pytest.raises(DataError, match=r"Did you mean 'docstrings'\? Known: docstrings, docstr"):
        load_dataset(DataSource(name="docstring"))


def test_a_folder_of_that_name_is_not_read_in_place_of_the_hub_s(
    hub_answers: HubAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hub_answers(ConnectionError("refused"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imdb").mkdir()
    with pytest.raises(DataError, match=r"data file imdb is a folder, not a file"):
        load_dataset(DataSource(name="imdb"))
    assert not asked


# --- where the steps run on another machine


@pytest.mark.parametrize(
    "name", ["rows.csv", "/data/rows.parquet", "~/rows", "./rows.txt", "file:///data/rows.csv"]
)
def test_a_local_path_is_refused_where_steps_run_elsewhere(name: str) -> None:
    with pytest.raises(DataError, match=rf"data file {name} is on this machine.*s3://.*data\.name"):
        refuse_local_path(DataSource(name=name))


def test_a_local_file_without_an_ending_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refuse_local_path(DataSource(name="rows"))
    (tmp_path / "rows").write_text("text,label\n")
    with pytest.raises(DataError, match=r"data file rows is on this machine"):
        refuse_local_path(DataSource(name="rows"))


@pytest.mark.parametrize(
    "name",
    ["docstrings", "docstrings-cipher", "s3://bucket/rows.csv", "gs://b/r.parquet", "org/dataset"],
)
def test_what_every_machine_can_read_is_let_through(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refuse_local_path(DataSource(name=name))
