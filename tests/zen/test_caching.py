"""What is run again, and what is taken from an earlier run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from zenml import pipeline
from zenml.enums import ExecutionStatus

from zenml_ftvr import steps
from zenml_ftvr.hardware import detect
from zenml_ftvr.steps import cache, evaluate_model, load_data, train_baseline
from zenml_ftvr.steps.texts_seen import remember_texts
from zenml_ftvr.values import DataSource, Scratch, TextClassification

CACHED, RUN = ExecutionStatus.CACHED, ExecutionStatus.COMPLETED
NOT_CACHED = {"load_data", "publish_report", "predict"}
SEED = 11  # of no other pipeline here: runs of other pipelines fill the same cache


@pipeline
def train_and_evaluate(data: DataSource, max_length: int) -> None:
    """As small as it gets."""
    dataset = load_data(data)
    model = train_baseline(dataset, task=TextClassification(max_length=max_length), seed=SEED)
    evaluate_model(dataset, model)


@pytest.fixture
def statuses(data_file: Path, tmp_path: Path) -> Callable[..., list[ExecutionStatus]]:
    """Runs the pipeline on a copy of the data, with more rows; what became of its three steps."""

    def run(more_rows: str = "", max_length: int = 32) -> list[ExecutionStatus]:
        copy = tmp_path / "rows.csv"
        copy.write_text(data_file.read_text(encoding="utf-8") + more_rows, encoding="utf-8")
        source = DataSource(name=str(copy), validation_fraction=0.2, test_fraction=0.2)
        done = train_and_evaluate(source, max_length)
        assert done is not None
        names = ("load_data", "train_baseline", "evaluate_model")
        return [done.steps[name].status for name in names]

    return run


def test_only_what_changed_is_run_again(
    statuses: Callable[..., list[ExecutionStatus]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert statuses() == [RUN, RUN, RUN]
    assert statuses() == [RUN, CACHED, CACHED]  # the data is read, and found to be the same
    assert statuses("a row about a gambit and a rook,chess\n") == [RUN, RUN, RUN]
    assert statuses() == [RUN, CACHED, CACHED]
    assert statuses(max_length=24) == [RUN, RUN, RUN]
    monkeypatch.setattr(cache, "code_and_versions", lambda: "another version")
    assert statuses() == [RUN, RUN, RUN]
    assert statuses() == [RUN, CACHED, CACHED]


@pytest.mark.parametrize("name", steps.__all__)
def test_every_step_is_keyed_by_our_code_or_not_cached(name: str) -> None:
    configuration = getattr(steps, name).configuration
    if name in NOT_CACHED:
        assert configuration.enable_cache is False
        return
    policy = configuration.cache_policy
    assert policy is not None
    assert policy.cache_func is not None
    assert policy.cache_func.import_path.startswith("zenml_ftvr.steps.cache.code_and_")
    assert ("machine" in policy.cache_func.attribute) == (name in ("calibrate", "run_pilots"))


def test_the_key_changes_with_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache.code_and_versions.__wrapped__
    before = key()
    assert key() == before
    monkeypatch.setattr(cache, "installed_versions", lambda: {"torch": "0.0"})
    assert key() != before


def test_the_key_changes_with_our_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = cache.code_and_versions.__wrapped__
    package = tmp_path / "package"
    (package / "deep").mkdir(parents=True)
    root, deep = package / "__init__.py", package / "deep" / "module.py"
    root.write_text("", encoding="utf-8")
    deep.write_text("a = 1\n", encoding="utf-8")
    monkeypatch.setattr(cache.zenml_ftvr, "__file__", str(root))
    before = key()
    deep.write_text("a = 2\n", encoding="utf-8")
    changed = key()
    deep.rename(package / "deep" / "renamed.py")
    assert len({before, changed, key()}) == 3


def test_a_measurement_is_keyed_by_the_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache.code_and_machine
    before = key()
    assert key() == before
    other = dataclasses.replace(detect(), cores=1_000)
    monkeypatch.setattr(cache, "detect", lambda: other)
    assert key() != before


def test_texts_that_changed_give_another_key_and_those_that_did_not_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "texts.txt"
    file.write_text("one text\nanother\n", encoding="utf-8")
    before = cache.code_and_texts()
    remember_texts(Scratch(pretrain_on=str(file)))
    assert cache.code_and_texts() == before  # the run that follows is taken from the cache
    file.write_text("one text\nyet another\n", encoding="utf-8")
    changed = cache.code_and_texts()
    remember_texts(Scratch(pretrain_on=str(file)))
    assert changed == cache.code_and_texts() != before
    file.write_text("one text\nanother\n", encoding="utf-8")
    assert cache.code_and_texts() == before
    remember_texts(Scratch(pretrain_on="docstrings"))
    remember_texts(Scratch())
    file.unlink()
    assert cache.code_and_texts() == before
