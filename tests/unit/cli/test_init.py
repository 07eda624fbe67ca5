"""`zenml-ftvr init`: what it guesses, what it quotes, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from zenml_ftvr.cli.init import TEMPLATE, _scalar, write_configuration
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import (
    KINDS,
    Approach,
    Budget,
    DataSource,
    Limits,
    ModelSource,
    TrackingSettings,
)

Csv = Callable[..., str]
Run = Callable[..., Result]


def _data(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = content["parameters"]["data"]
    return found


def _guessed(data: str, folder: Path, **given_: str) -> tuple[str, str]:
    """The text and label column that a configuration for `data` names."""
    path = folder / "guess.yaml"
    write_configuration(data, path, given_.get("text"), given_.get("label"), "utf-8", force=True)
    return _data(path)["text_column"], _data(path)["label_column"]


def test_columns_of_common_names_are_taken_by_their_names(csv: Csv, tmp_path: Path) -> None:
    data = csv(id=["1", "2"], Sentiment=["good", "bad"], Review=["x", "y"], notes=["long text"] * 2)
    assert _guessed(data, tmp_path) == ("Review", "Sentiment")


def test_else_the_longest_texts_and_the_fewest_values(csv: Csv, tmp_path: Path) -> None:
    data = csv(
        key=["a1", "b2", "c3"],
        words=["a long text of some words", "another long one", "and a third"],
        colour=["red", "blue", "red"],
    )
    assert _guessed(data, tmp_path) == ("words", "colour")


def test_a_column_of_one_value_is_no_label(csv: Csv, tmp_path: Path) -> None:
    data = csv(
        language=["en", "en", "en"],
        words=["a long text", "another long text", "a third text"],
        colour=["red", "blue", "red"],
    )
    assert _guessed(data, tmp_path) == ("words", "colour")


def test_a_column_that_was_given_is_not_guessed(csv: Csv, tmp_path: Path) -> None:
    data = csv(text=["x", "y"], label=["a", "b"], other=["longer text", "and more"])
    assert _guessed(data, tmp_path, text="other") == ("other", "label")
    assert _guessed(data, tmp_path, label="other") == ("text", "other")


def test_the_column_given_as_label_is_not_taken_for_the_text(csv: Csv, tmp_path: Path) -> None:
    data = csv(comment=["good", "bad", "good"], words=["one text", "two texts", "three texts"])
    assert _guessed(data, tmp_path, label="comment") == ("words", "comment")


def test_a_label_alone_leaves_no_text(csv: Csv, tmp_path: Path) -> None:
    data = csv(label=["a", "b"])
    with pytest.raises(DataError, match=r"no column holds text; columns: label"):
        _guessed(data, tmp_path, label="label")


def test_the_reasons_of_the_guesses_are_told(csv: Csv, run: Run) -> None:
    data = csv(text=["x", "y", "z"], colour=["red", "blue", "red"])
    told = run("init", data, "--text-column", "text").output
    assert "text column 'text': as given" in told
    assert "label column 'colour': it has the fewest distinct values, 2" in told
    assert "zenml-ftvr doctor ftvr.yaml" in told


def test_a_jsonl_file_is_looked_into_too(tmp_path: Path) -> None:
    rows = [{"body": f"text {index}", "stars": index % 2} for index in range(4)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert _guessed(str(data), tmp_path) == ("body", "stars")


def test_the_encoding_is_used_and_written(tmp_path: Path) -> None:
    data, output = tmp_path / "latin.csv", tmp_path / "c.yaml"
    data.write_bytes("text,label\nüber,a\nunter,b\n".encode("latin-1"))
    write_configuration(str(data), output, None, None, "latin-1", force=False)
    assert _data(output)["encoding"] == "latin-1"
    with pytest.raises(DataError, match=r"line 2.*not utf-8"):
        write_configuration(str(data), output, None, None, "utf-8", force=True)


def test_a_file_without_any_text_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "numbers.jsonl"
    data.write_text('{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"no column holds text; columns: a, b"):
        write_configuration(str(data), tmp_path / "c.yaml", None, None, "utf-8", force=False)


def test_a_file_without_a_possible_label_is_refused(csv: Csv, tmp_path: Path) -> None:
    data = csv(text=["x", "y"], language=["en", "en"])
    with pytest.raises(DataError, match=r"no column can be the label.*--label-column"):
        write_configuration(data, tmp_path / "c.yaml", None, None, "utf-8", force=False)


@pytest.mark.parametrize("option", ["--text-column", "--label-column"])
def test_an_absent_column_names_those_that_are_there(csv: Csv, run: Run, option: str) -> None:
    result = run("init", csv(text=["x", "y"], label=["a", "b"]), option, "lable")
    assert result.exit_code == 1
    assert "column 'lable' is absent; columns: text, label" in result.stderr
    assert not Path("ftvr.yaml").exists()


def test_a_missing_file_is_one_line_of_ours(run: Run) -> None:
    result = run("init", "nowhere.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: data file nowhere.csv does not exist")
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback(run: Run) -> None:
    result = run("--debug", "init", "nowhere.csv")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "nowhere.csv does not exist" in result.stderr


def test_what_exists_is_overwritten_only_with_force(csv: Csv, run: Run) -> None:
    data = csv(text=["x", "y"], label=["a", "b"])
    mine = Path("ftvr.yaml")
    mine.write_text("mine", encoding="utf-8")
    result = run("init", data)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert mine.read_text(encoding="utf-8") == "mine"
    assert run("init", data, "--force").exit_code == 0
    assert _data(mine)["name"] == data


def test_the_refusal_to_overwrite_comes_before_the_file_is_read(tmp_path: Path) -> None:
    output = tmp_path / "c.yaml"
    output.touch()
    with pytest.raises(ConfigurationError, match=r"exists"):
        write_configuration("nowhere.csv", output, None, None, "utf-8", force=False)


def test_folders_on_the_way_to_the_output_are_made(run: Run) -> None:
    assert run("init", "docstrings", "--output", "a/b/c.yaml").exit_code == 0
    assert _data(Path("a/b/c.yaml"))["name"] == "docstrings"


@pytest.mark.parametrize("name", ["docstrings", "organisation/dataset"])
def test_corpora_and_hub_ids_are_written_unread(run: Run, name: str) -> None:
    result = run("init", name)
    assert result.exit_code == 0
    assert "not checked" in result.output
    found = _data(Path("ftvr.yaml"))
    assert (found["name"], found["text_column"], found["label_column"]) == (name, "text", "label")


@pytest.mark.parametrize(
    "name",
    ['it\'s a "file".csv', "a: b # c.csv", "{x}.csv", "- list.csv", "ünïcode.csv", "100%.csv"],
)
def test_a_file_of_any_name_survives_into_the_yaml(csv: Csv, tmp_path: Path, name: str) -> None:
    data, output = csv(name, text=["x", "y"], label=["a", "b"]), tmp_path / "c.yaml"
    write_configuration(data, output, None, None, "utf-8", force=False)
    assert _data(output)["name"] == data


@pytest.mark.parametrize("column", ["yes", "null", "1", "1.5", "#text", "a: b", "'", "~", "on"])
def test_a_column_whose_name_yaml_would_take_for_something_else_stays_text(
    csv: Csv, tmp_path: Path, column: str
) -> None:
    data, output = csv(**{column: ["x", "y"], "label": ["a", "b"]}), tmp_path / "c.yaml"
    write_configuration(data, output, column, None, "utf-8", force=False)
    assert _data(output)["text_column"] == column


@settings(deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\x85\u2028\u2029"),
        min_size=1,
    )
)
def test_any_text_without_line_breaks_is_one_line_of_yaml_and_comes_back(text: str) -> None:
    line = _scalar(text)
    assert len(line.splitlines()) == 1
    assert yaml.safe_load(f"a:\n  b: {line}\n  c: 1\n") == {"a": {"b": text, "c": 1}}


def test_what_is_written_is_what_the_pipeline_takes(csv: Csv, tmp_path: Path) -> None:
    data, output = csv(text=["x", "y"], label=["a", "b"]), tmp_path / "c.yaml"
    write_configuration(data, output, None, None, "utf-8", force=False)
    parameters = yaml.safe_load(output.read_text(encoding="utf-8"))["parameters"]
    assert TypeAdapter(DataSource).validate_python(parameters["data"]) == DataSource(name=data)
    assert TypeAdapter(Budget).validate_python(parameters["budget"]) == Budget(hours=0.5)
    model = TypeAdapter(ModelSource).validate_python(parameters["base_model"])
    assert model == ModelSource()


def test_the_lines_that_are_commented_out_can_be_uncommented() -> None:
    head, parameters = TEMPLATE.split("parameters:\n")
    assert head.startswith("#")
    lines = ["parameters:"]
    for line in parameters.splitlines():
        bare = line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line
        if not bare.lstrip()[:1].isupper():  # a sentence
            lines.append(bare)
    content = yaml.safe_load(
        "\n".join(lines).format(
            data="d", text_column="t", label_column="l", encoding="utf-8", output="o"
        )
    )["parameters"]
    assert content["budget"] == {"hours": 0.5, "usd": 2.0}
    assert content["usd_per_hour"] == 0.4
    assert content["base_model"] == {"name": "minilm", "revision": "main"}
    approaches = TypeAdapter(list[Approach]).validate_python(content["approaches"])
    assert {one.kind for one in approaches} == set(KINDS)
    assert TypeAdapter(TrackingSettings).validate_python(content["tracking"]).mode == "auto"
    assert content["data"]["rare_labels"] == "error"
    source = TypeAdapter(DataSource).validate_python(content["data"])
    assert source.fatal == DataSource(name="d").fatal
    assert source.group_column == "customer"
    assert content["also_train"] == "nothing"
    limits = TypeAdapter(Limits).validate_python(content["limits"])
    assert limits == Limits(memory_gib=12, parameters=100_000_000, latency_ms=20)


def test_a_pattern_is_looked_into_too(tmp_path: Path) -> None:
    for part in ("a", "b"):
        (tmp_path / f"{part}.tsv").write_text(f"body\tstars\na text of {part}\t{part}\n")
    assert _guessed(str(tmp_path / "*.tsv"), tmp_path) == ("body", "stars")


def test_a_text_file_has_no_labels_to_guess(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("a text\n")
    with pytest.raises(DataError, match=r"rows\.txt .* not trained on"):
        _guessed(str(tmp_path / "rows.txt"), tmp_path)
