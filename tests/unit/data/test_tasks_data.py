"""Rows of every task, of every format that can hold them, and what is refused of each."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from zenml_ftvr.data import (
    Dataset,
    check_rows,
    dataset_from,
    load_dataset,
    make_rows,
    read_dataset,
    read_inputs,
    write_dataset,
)
from zenml_ftvr.data.fingerprint import fingerprint_of
from zenml_ftvr.data.rows import schema_of
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.task import CausalLM, ImageClassification, Seq2Seq, TokenClassification

SPLITS = ("train", "validation", "test")
N = 90
MULTI = TextClassification(target="multi")
NUMBERS = TextClassification(target="regression")
CHAT, COMPLETION, TEXT = (CausalLM(form=form) for form in ("chat", "completion", "text"))
TOKENS, PAIRS, IMAGES = TokenClassification(), Seq2Seq(), ImageClassification()


def png(number: int, mode: str = "RGB") -> bytes:
    """A small image, another for every number."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 5, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def chat(number: int) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": f"What is {number} and one?"},
        {"role": "assistant", "content": str(number + 1)},
    ]


ROWS: dict[str, tuple[Task, list[Any], list[Any]]] = {
    "single": (
        TextClassification(),
        [f"text {n}" for n in range(N)],
        ["ab"[n % 2] for n in range(N)],
    ),
    "multi": (
        MULTI,
        [f"text {n}" for n in range(N)],
        [[], ["a"], ["b"], ["a", "b"]] * (N // 4) + [["a"], ["b"]],
    ),
    "regression": (NUMBERS, [f"text {n}" for n in range(N)], [n / 4 for n in range(N)]),
    "tokens": (
        TOKENS,
        [["Ada", "met", f"guest{n}"] for n in range(N)],
        [["B-PER", "O", "B-PER" if n % 2 else "O"] for n in range(N)],
    ),
    "text": (TEXT, [f"a line of text {n}" for n in range(N)], [None] * N),
    "completion": (
        COMPLETION,
        [f"{n} and one is" for n in range(N)],
        [str(n + 1) for n in range(N)],
    ),
    "chat": (CHAT, [chat(n) for n in range(N)], [None] * N),
    "seq2seq": (PAIRS, [f"one {n}" for n in range(N)], [f"eins {n}" for n in range(N)]),
    "images": (IMAGES, [png(n) for n in range(N)], ["ab"[n % 2] for n in range(N)]),
}


def records(case: str) -> list[dict[str, Any]]:
    task, inputs, targets = ROWS[case]
    if schema_of(task).field("label").type == pa.null():
        return [{"text": value} for value in inputs]
    return [{"text": value, "label": target} for value, target in zip(inputs, targets, strict=True)]


def as_jsonl(folder: Path, case: str) -> DataSource:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in records(case)), encoding="utf-8")
    return DataSource(name=str(file))


def as_csv(folder: Path, case: str) -> DataSource:
    import csv

    file = folder / "rows.csv"
    rows = records(case)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        for row in rows:
            sets = {
                key: "|".join(value) if isinstance(value, list) else value
                for key, value in row.items()
            }
            writer.writerow(sets)
    return DataSource(name=str(file), label_separator="|" if case == "multi" else None)


def as_csv_of_json(folder: Path, case: str) -> DataSource:
    file = folder / "rows.tsv"
    lines = [f"{row['text']}\t{json.dumps(row['label'])}" for row in records(case)]
    quoted = [line.replace('"', '""') for line in lines]
    cells = ["\t".join(f'"{cell}"' for cell in line.split("\t")) for line in quoted]
    file.write_text("\n".join(["text\tlabel", *cells]) + "\n", encoding="utf-8")
    return DataSource(name=str(file))


def as_parquet(folder: Path, case: str) -> DataSource:
    file = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(records(case)), file)
    return DataSource(name=str(file))


def as_conll(folder: Path, case: str) -> DataSource:
    _, inputs, targets = ROWS[case]
    blocks = [
        "".join(f"{word} X {tag}\n" for word, tag in zip(words, tags, strict=True))
        for words, tags in zip(inputs, targets, strict=True)
    ]
    file = folder / "rows.conll"
    file.write_text("-DOCSTART- -X- O\n\n" + "\n".join(blocks), encoding="utf-8")
    return DataSource(name=str(file))


def as_class_folders(folder: Path, case: str) -> DataSource:
    for number, row in enumerate(records(case)):
        file = folder / "pets" / row["label"] / f"{number}.PNG"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(row["text"])
    (folder / "pets" / "notes.md").write_text("no image")
    (folder / "pets" / "a" / ".hidden.png").write_bytes(b"")
    return DataSource(name=str(folder / "pets"))


def as_paths(folder: Path, case: str) -> DataSource:
    rows = records(case)
    (folder / "images").mkdir()
    for number, row in enumerate(rows):
        (folder / "images" / f"{number}.png").write_bytes(row["text"])
    lines = [f"images/{number}.png,{row['label']}" for number, row in enumerate(rows)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    return DataSource(name=str(folder / "rows.csv"))


Writer = Callable[[Path, str], DataSource]
TABLE: list[tuple[str, Writer]] = [
    *((case, as_jsonl) for case in ROWS if case != "images"),
    *((case, as_parquet) for case in ROWS),
    *((case, as_csv) for case in ("single", "multi", "regression", "text")),
    *((case, as_csv) for case in ("completion", "seq2seq")),
    ("multi", as_csv_of_json),
    ("tokens", as_conll),
    ("images", as_class_folders),
    ("images", as_paths),
]


def rows_of(dataset: Dataset) -> list[tuple[Any, Any]]:
    found = [
        pair
        for name in SPLITS
        for pair in zip(getattr(dataset, name).inputs, getattr(dataset, name).targets, strict=True)
    ]
    return sorted(found, key=repr)


@pytest.mark.parametrize(
    ("case", "write"), TABLE, ids=[f"{case}-{write.__name__}" for case, write in TABLE]
)
def test_every_format_gives_the_rows_of_its_task(case: str, write: Writer, tmp_path: Path) -> None:
    task, inputs, targets = ROWS[case]
    dataset = load_dataset(write(tmp_path, case), task)
    assert rows_of(dataset) == sorted(zip(inputs, targets, strict=True), key=repr)
    assert dataset.train.table.schema == schema_of(task)
    assert dataset.fingerprint == dataset_from(records(case), task=task).fingerprint
    labels = {"single": "ab", "images": "ab", "multi": "ab", "tokens": ("B-PER", "O")}
    assert dataset.labels == tuple(labels.get(case, ()))


@pytest.mark.parametrize("case", list(ROWS))
def test_rows_of_every_task_are_stored_and_read_back(case: str, tmp_path: Path) -> None:
    dataset = dataset_from(records(case), task=ROWS[case][0])
    write_dataset(dataset, tmp_path / "stored")
    again = read_dataset(tmp_path / "stored")
    assert again.fingerprint == dataset.fingerprint
    assert rows_of(again) == rows_of(dataset)
    assert check_rows(again) == check_rows(dataset)


@pytest.mark.parametrize("case", list(ROWS))
def test_batches_are_the_rows_in_order(case: str) -> None:
    train = dataset_from(records(case), task=ROWS[case][0]).train
    batches = list(train.batches(7))
    assert [len(batch) for batch in batches[:-1]] == [7] * (len(batches) - 1)
    assert [row for batch in batches for row in batch.inputs] == train.inputs
    assert [row for batch in batches for row in batch.targets] == train.targets


def test_the_fingerprint_of_texts_and_labels_is_that_of_the_first_version() -> None:
    splits = {
        "train": make_rows(["1" * 32, "2" * 32], ["Ein Text", "another\nline"], ["yes", "no"]),
        "validation": make_rows(["3" * 32], ["üñî\U0001f600"], ["no"]),
        "test": make_rows(["4" * 32], ["last"], ["yes"]),
    }
    # Computed by the code from before there were other tasks.
    expected = "2cf2f95718e1c2983c90b09790c606fe4bce5b83bab97971276c267462fed675"
    assert fingerprint_of(splits.items()) == expected


def change(case: str, index: int, **values: Any) -> list[dict[str, Any]]:
    found = records(case)
    found[index] = found[index] | values
    return found


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("multi", {"label": None}, r"row 5: 'label' is missing.*label_separator"),
    ("multi", {"label": "a|b"}, r"row 5: 'label' is 'a\|b'.*label_separator"),
    ("multi", {"label": ["a", 1.5]}, r"row 5: 'label' holds 1\.5"),
    ("regression", {"label": "much"}, r"row 5: 'label' is 'much', which is no finite number"),
    ("regression", {"label": float("inf")}, r"row 5: 'label' is inf"),
    ("regression", {"label": True}, r"row 5: 'label' is True"),
    ("regression", {"label": None}, r"row 5: 'label' is missing"),
    ("tokens", {"text": "Ada met me"}, r"row 5: 'text' is 'Ada met me', which is no list of words"),
    ("tokens", {"text": []}, r"row 5: 'text' has no words"),
    ("tokens", {"text": ["Ada", "", "me"]}, r"row 5: word 2 of 'text' is ''"),
    ("tokens", {"label": ["O"]}, r"row 5: 'label' has 1 tags for 3 words"),
    ("tokens", {"label": ["O", None, "O"]}, r"row 5: tag 2 of 'label' is None"),
    ("tokens", {"label": "O O O"}, r"row 5: 'label' is 'O O O', which is no list of tags"),
    ("completion", {"label": " "}, r"row 5: 'label' is empty"),
    ("completion", {"text": ""}, r"row 5: 'text' is empty"),
    ("seq2seq", {"label": None}, r"row 5: 'label' is missing"),
    ("seq2seq", {"label": 5}, r"row 5: 'label' is 5, which is no text"),
    ("chat", {"text": "hello"}, r"row 5: 'text' is 'hello', which is no conversation"),
    ("chat", {"text": []}, r"row 5: 'text' is \[\], which is no conversation"),
    ("chat", {"text": ["hello"]}, r"row 5: message 1 of 'text' is 'hello'"),
    (
        "chat",
        {"text": [{"role": "bot", "content": "x"}]},
        r"row 5: message 1 of 'text' has the role 'bot'. Known: system, user, assistant, tool",
    ),
    (
        "chat",
        {"text": [{"role": "assistant", "content": None}]},
        r"row 5: message 1 of 'text' has the content None",
    ),
    (
        "chat",
        {"text": [{"role": "user", "content": "x"}]},
        r"row 5: 'text' has no turn of the assistant",
    ),
    ("images", {"text": None}, r"row 5: 'text' is missing"),
    ("images", {"text": b"no image"}, r"row 5: 'text' is no whole image"),
    ("images", {"text": png(4)[:-40]}, r"row 5: 'text' is no whole image"),
    ("images", {"text": "lost.png"}, r"row 5: 'text' \(lost\.png\) does not exist"),
    ("images", {"text": np.zeros((4, 4), float)}, r"row 5: 'text' is an array of float64"),
    ("images", {"text": np.zeros((4,) * 5, np.uint8)}, r"shape \(4, 4, 4, 4, 4\)"),
    ("images", {"text": 7}, r"row 5: 'text' is 7, which is no image"),
]


@pytest.mark.parametrize(("case", "values", "said"), WRONG)
def test_a_wrong_row_is_named(case: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        dataset_from(change(case, 4, **values), task=ROWS[case][0])


@pytest.mark.parametrize(
    ("case", "target"), [("regression", 1.0), ("multi", ["a"]), ("tokens", ["O", "O", "O"])]
)
def test_targets_that_are_all_the_same_are_refused(case: str, target: Any) -> None:
    rows = [row | {"label": target} for row in records(case)]
    with pytest.raises(DataError, match="there is nothing to tell apart"):
        dataset_from(rows, task=ROWS[case][0])


def test_a_rare_label_of_sets_is_named_or_left_out_of_them() -> None:
    rows = change("multi", 4, label=["a", "rare"])
    with pytest.raises(DataError, match=r"'rare' \(1 train"):
        dataset_from(rows, task=MULTI)
    dataset = dataset_from(rows, DataSource(name="x", rare_labels="drop"), task=MULTI)
    assert dataset.labels == ("a", "b")
    assert dataset.n_dropped == 1
    assert sum(len(getattr(dataset, name)) for name in SPLITS) == N


def test_a_separator_where_each_row_has_one_label_is_refused() -> None:
    source = DataSource(name="x", label_separator="|")
    with pytest.raises(ConfigurationError, match=r"data\.label_separator is '\|', but only"):
        dataset_from(records("single"), source)
    with pytest.raises(ConfigurationError, match="label_separator is empty"):
        DataSource(name="x", label_separator="")


def test_numbers_do_not_conflict_and_sets_do() -> None:
    for case, other, n_conflicts in (("regression", 7.0, 0), ("multi", ["b"], 1)):
        task, inputs, _ = ROWS[case]
        rows = [*records(case), {"text": inputs[0], "label": other}]
        dataset = dataset_from(rows, task=task)
        assert (dataset.n_conflicts, dataset.n_duplicates) == (n_conflicts, 1)


def test_too_few_rows_for_three_splits_are_refused() -> None:
    with pytest.raises(DataError, match=r"too few distinct rows.*train"):
        dataset_from(records("seq2seq")[:3], task=PAIRS)


def test_tags_that_are_only_tested_are_counted() -> None:
    rows = [row | {"part": "train" if n < 60 else "val"} for n, row in enumerate(records("tokens"))]
    for row in rows[80:]:
        row["part"] = "test"
    rows[85]["label"] = ["B-LOC", "O", "O"]
    dataset = dataset_from(rows, DataSource(name="x", split_column="part"), task=TOKENS)
    assert check_rows(dataset).unseen_tags == ("B-LOC",)


def test_words_in_csv_are_refused_with_the_formats_that_hold_lists(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na b,O O\n")
    with pytest.raises(DataError, match=r"rows\.csv has cells of text.*JSONL, Parquet, or \.conll"):
        load_dataset(DataSource(name=str(tmp_path / "rows.csv")), TOKENS)


@pytest.mark.parametrize(
    ("content", "said"),
    [("Ada B-PER\nmet\n", r"rows\.conll, line 2: 'met' has one column"), ("\n\n", "holds no rows")],
)
def test_wrong_conll_names_its_line(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "rows.conll").write_text(content)
    with pytest.raises(DataError, match=said):
        load_dataset(DataSource(name=str(tmp_path / "rows.conll")), TOKENS)


def test_conll_has_no_column_to_split_by(tmp_path: Path) -> None:
    (tmp_path / "rows.conll").write_text("Ada B-PER\n")
    source = DataSource(name=str(tmp_path / "rows.conll"), group_column="writer")
    with pytest.raises(DataError, match=r"data\.group_column names nothing"):
        load_dataset(source, TOKENS)


# Text files


def write_text(path: Path, letter: str, n_lines: int = 2_000) -> None:
    path.write_text("".join(f"{letter} line {n} of a text\n" for n in range(n_lines)))


def test_a_text_file_is_cut_into_pieces_and_split_by_position(tmp_path: Path) -> None:
    write_text(tmp_path / "book.txt", "a", 5_000)
    dataset = load_dataset(DataSource(name=str(tmp_path / "book.txt")), TEXT)
    parts = [getattr(dataset, name).inputs for name in SPLITS]
    assert "".join(text for part in parts for text in part) == (tmp_path / "book.txt").read_text()
    pieces = [text for part in parts for text in part]
    assert all(10_000 <= len(text) < 10_030 and text[-1] == "\n" for text in pieces[:-1])
    n = len(pieces)
    assert [len(part) for part in parts[1:]] == [round(0.15 * n)] * 2


def test_a_line_longer_than_a_piece_is_cut_up(tmp_path: Path) -> None:
    content = "".join(f"word{n} " for n in range(10_000))
    (tmp_path / "book.txt").write_text(content)
    dataset = load_dataset(DataSource(name=str(tmp_path / "book.txt")), TEXT)
    assert "".join(t for name in SPLITS for t in getattr(dataset, name).inputs) == content
    assert max(map(len, dataset.train.inputs)) == 10_000


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("short\n")
    with pytest.raises(DataError, match=r"has 1 pieces.*none is left for the train split"):
        load_dataset(DataSource(name=str(tmp_path / "book.txt")), TEXT)


@pytest.mark.parametrize("n_files", [3, 12])
def test_of_many_text_files_each_is_in_one_split(n_files: int, tmp_path: Path) -> None:
    for number in range(n_files):
        write_text(tmp_path / f"{number}.txt", chr(97 + number))
    dataset = load_dataset(DataSource(name=str(tmp_path / "*.txt")), TEXT)
    letters = [{text[0] for text in getattr(dataset, name).inputs} for name in SPLITS]
    assert set().union(*letters) == {chr(97 + number) for number in range(n_files)}
    if n_files < 10:
        assert letters[0] == letters[1] == letters[2]
    else:
        assert sum(map(len, letters)) == n_files


def test_a_text_file_has_no_column_to_split_by(tmp_path: Path) -> None:
    write_text(tmp_path / "book.txt", "a")
    source = DataSource(name=str(tmp_path / "book.txt"), time_column="when")
    with pytest.raises(DataError, match=r"data\.time_column names nothing"):
        load_dataset(source, TEXT)


def test_a_folder_is_no_text_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has none of the endings|is a folder, not a file"):
        load_dataset(DataSource(name=str(tmp_path)), TEXT)


def test_a_file_may_hold_the_test_text(tmp_path: Path) -> None:
    write_text(tmp_path / "book.txt", "a")
    write_text(tmp_path / "other.txt", "b")
    source = DataSource(name=str(tmp_path / "book.txt"), test_file=str(tmp_path / "other.txt"))
    dataset = load_dataset(source, TEXT)
    assert {text[0] for text in dataset.test.inputs} == {"b"}
    assert {text[0] for text in dataset.train.inputs + dataset.validation.inputs} == {"a"}


# Images


@pytest.mark.parametrize("names", [("train", "valid", "test"), ("train", "test")])
def test_folders_of_splits_say_each_image_s_split(names: tuple[str, ...], tmp_path: Path) -> None:
    for number, content in enumerate(ROWS["images"][1]):
        folder = tmp_path / "pets" / names[number % len(names)] / "ab"[number // 3 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(content)
    dataset = load_dataset(DataSource(name=str(tmp_path / "pets")), IMAGES)
    of_test = {file.read_bytes() for file in (tmp_path / "pets" / "test").rglob("*.png")}
    assert set(dataset.test.inputs) == of_test
    assert len(dataset.validation) > 0


def test_classes_may_be_called_as_splits_are(tmp_path: Path) -> None:
    for number, content in enumerate(ROWS["images"][1]):
        folder = tmp_path / "vehicles" / ("train", "plane")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(content)
    dataset = load_dataset(DataSource(name=str(tmp_path / "vehicles")), IMAGES)
    assert dataset.labels == ("plane", "train")


def test_what_a_folder_holds_besides_images_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = as_class_folders(tmp_path, "images")
    (tmp_path / "pets" / "a" / "deeper").mkdir()
    (tmp_path / "pets" / "a" / "deeper" / "1.png").write_bytes(png(1))
    load_dataset(source, IMAGES)
    assert "pets: 2 files are no images of a class, and left out." in caplog.text


def test_a_broken_image_of_a_folder_names_its_file(tmp_path: Path) -> None:
    source = as_class_folders(tmp_path, "images")
    (tmp_path / "pets" / "a" / "0.PNG").write_bytes(png(0)[:60])
    with pytest.raises(DataError, match=r"pets/a/0\.PNG is no whole image"):
        load_dataset(source, IMAGES)


def test_a_jpeg_cut_short_is_refused() -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(png(1))).resize((64, 64)).save(stream, "JPEG")
    rows = change("images", 4, text=stream.getvalue()[:-200])
    with pytest.raises(DataError, match="row 5: 'text' is no whole image"):
        dataset_from(rows, task=IMAGES)


def test_a_folder_without_images_says_how_they_are_found(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "one.png").write_bytes(png(1))
    with pytest.raises(DataError, match="has no images in folders of classes"):
        load_dataset(DataSource(name=str(tmp_path / "pets")), IMAGES)


def test_images_in_memory_become_png_without_loss() -> None:
    arrays = [np.random.default_rng(n).integers(0, 256, (5, 4, 3), np.uint8) for n in range(N)]
    as_arrays = [{"text": one, "label": "ab"[n % 2]} for n, one in enumerate(arrays)]
    as_pillow = [{**row, "text": Image.fromarray(row["text"])} for row in as_arrays]
    dataset = dataset_from(as_arrays, task=IMAGES)
    assert dataset_from(as_pillow, task=IMAGES).fingerprint == dataset.fingerprint
    found = {np.asarray(Image.open(io.BytesIO(one))).tobytes() for one in dataset.train.inputs}
    assert found <= {one.tobytes() for one in arrays}


def test_equal_images_are_found_and_no_others() -> None:
    rows = [*records("images"), records("images")[0]]
    checks = check_rows(dataset_from(rows, task=IMAGES))
    assert (checks.n_distinct, checks.n_compared, checks.n_near_duplicates) == (N, 0, 0)


def test_an_image_on_both_sides_ends_loading_by_its_id() -> None:
    rows = [
        row | {"part": ("train", "val", "test")[n % 3]} for n, row in enumerate(records("images"))
    ]
    rows.append(rows[0] | {"part": "test"})
    with pytest.raises(DataError, match=r"test rows .*: 1, such as '[0-9a-f]{32}'"):
        dataset_from(rows, DataSource(name="x", split_column="part"), task=IMAGES)


def test_images_and_tags_of_datasets_have_their_names() -> None:
    import datasets

    tags = datasets.Features(
        {
            "text": datasets.Sequence(datasets.Value("string")),
            "label": datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"])),
        }
    )
    rows = [
        {**row, "label": [int(tag != "O") for tag in row["label"]]} for row in records("tokens")
    ]
    of_tags = datasets.Dataset.from_list(rows, features=tags)
    assert dataset_from(of_tags, task=TOKENS).labels == ("B-PER", "O")
    pictures = datasets.Features(
        {"text": datasets.Image(), "label": datasets.ClassLabel(names="ab")}
    )
    encoded = [
        {"text": {"bytes": row["text"], "path": None}, "label": "ab".index(row["label"])}
        for row in records("images")
    ]
    of_images = datasets.Dataset.from_list(encoded, features=pictures)
    expected = dataset_from(records("images"), task=IMAGES).fingerprint
    assert dataset_from(of_images, task=IMAGES).fingerprint == expected


# To predict for


def test_inputs_to_predict_for_need_no_targets(tmp_path: Path) -> None:
    for case in ("seq2seq", "tokens", "chat", "completion"):
        file = tmp_path / f"{case}.jsonl"
        file.write_text("".join(json.dumps({"text": one}) + "\n" for one in ROWS[case][1]))
        assert read_inputs(str(file), ROWS[case][0]) == ROWS[case][1]


def test_words_to_tag_may_be_lines_of_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("Ada met me\n\nYou  too\n")
    found = read_inputs(str(tmp_path / "rows.txt"), TOKENS)
    assert found == [["Ada", "met", "me"], ["You", "too"]]


def test_images_to_predict_for_may_lie_anywhere_in_a_folder(tmp_path: Path) -> None:
    for number, name in enumerate(("one.png", "deep/two.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(number))
    assert read_inputs(str(tmp_path), IMAGES) == [png(1), png(0)]


def test_a_corpus_has_texts_to_learn_and_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    _, texts, labels = ROWS["single"]
    monkeypatch.setattr("zenml_ftvr.data.load.read_corpus", lambda name: (texts, labels))
    dataset = load_dataset(DataSource(name="docstrings"), TEXT)
    assert dataset.labels == ()
    assert set(dataset.train.targets) == {None}
    with pytest.raises(ConfigurationError, match="no seq2seq of this kind"):
        load_dataset(DataSource(name="docstrings"), PAIRS)
