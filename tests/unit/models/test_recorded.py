"""Files of a model's folder that are not those which were saved."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import load
from zenml_ftvr.models.folder import read_manifest
from zenml_ftvr.models.recorded import hashes_of, refuse_changed
from zenml_ftvr.values import Kind, TrainedModel

WEIGHTS = {
    "baseline": "baseline.skops",
    "head": "head.safetensors",
    "full": "model.safetensors",
    "lora": "adapter_model.safetensors",
    "scratch": "model.safetensors",
}


@pytest.fixture(params=list(WEIGHTS))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def folder(kind: Kind, trained: Callable[[Kind], TrainedModel], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained(kind).path, tmp_path / "copy"))


def test_every_file_but_the_card_is_recorded(kind: Kind, folder: Path) -> None:
    files = read_manifest(folder).files
    assert files is not None
    assert WEIGHTS[kind] in files
    assert set(files) == {file.name for file in folder.iterdir()} - {"ftvr.json", "README.md"}
    assert load(folder).kind == kind


def test_a_changed_file_is_named_and_nothing_is_loaded(folder: Path) -> None:
    recorded = read_manifest(folder).files
    assert recorded is not None
    for name in recorded:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # as long as it was
        with pytest.raises(ModelError, match=rf"{name} was changed .* sha256 .*Copy the folder"):
            load(folder)
        (folder / name).unlink()
        with pytest.raises(ModelError, match=rf"lacks {name}, which its ftvr.json names"):
            load(folder)
        (folder / name).write_bytes(whole)
    assert load(folder)


@pytest.mark.parametrize("name", ["chat_template.jinja", "more/config.json", "own.py"])
def test_a_file_that_was_added_is_refused(
    name: str, trained: Callable[[Kind], TrainedModel], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained("full").path, tmp_path / "copy"))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("{}")
    with pytest.raises(ModelError, match=rf"has {name}, which its ftvr.json does not name"):
        load(folder)


def test_notes_of_ones_own_and_another_card_are_no_change(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    (folder / "notes.md").write_text("mine")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert load(folder)


def test_a_folder_from_before_hashes_loads_and_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = json.loads((folder / "ftvr.json").read_text())
    del content["files"]
    (folder / "ftvr.json").write_text(json.dumps(content))
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        assert load(folder)
    assert "saved before the hashes of its files were recorded" in caplog.text


@pytest.mark.parametrize("files", [[], "x", 3, ["config.json"]])
def test_a_record_that_is_none_is_an_error_of_ours(
    files: object, trained: Callable[[Kind], TrainedModel], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained("baseline").path, tmp_path / "copy"))
    content = json.loads((folder / "ftvr.json").read_text())
    (folder / "ftvr.json").write_text(json.dumps({**content, "files": files}))
    with pytest.raises(ModelError, match="is damaged"):
        load(folder)


def test_a_recorded_path_out_of_the_folder_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "secret.json").write_text("{}")
    with pytest.raises(ModelError, match=r"lacks \.\./secret\.json"):
        refuse_changed(tmp_path / "model", {"../secret.json": "0" * 64})
    assert hashes_of(tmp_path / "model") == {}
