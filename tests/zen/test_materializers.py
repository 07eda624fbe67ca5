"""Our values as artifacts: on this machine's store and in a bucket."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hand_made
import hand_made_comparison
import pytest
from fake_bucket import FakeBucket, make_bucket
from zenml import pipeline
from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client
from zenml.enums import VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.materializers.materializer_registry import materializer_registry

from zenml_ftvr.api import load, plan_for
from zenml_ftvr.data import Dataset, dataset_from
from zenml_ftvr.errors import DataError, ModelError
from zenml_ftvr.hardware import detect
from zenml_ftvr.materializers import (
    CalibrationMaterializer,
    ComparisonMaterializer,
    DataProfileMaterializer,
    DatasetMaterializer,
    EvaluationMaterializer,
    PilotEvidenceMaterializer,
    RecommendationMaterializer,
    TrainedModelMaterializer,
    work_folder,
)
from zenml_ftvr.models import cache_folder
from zenml_ftvr.steps import load_data, train_baseline
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Baseline,
    Calibration,
    Comparison,
    CurvePoint,
    DataProfile,
    DataSource,
    Evaluation,
    ModelSource,
    PilotEvidence,
    Recommendation,
    TextClassification,
    TrainedModel,
)

VALUES: list[tuple[type[BaseMaterializer], Callable[[], Any]]] = [
    (DataProfileMaterializer, hand_made.data_profile),
    (CalibrationMaterializer, hand_made.calibration),
    (PilotEvidenceMaterializer, hand_made.pilots),
    (RecommendationMaterializer, hand_made.recommendation),
    (EvaluationMaterializer, hand_made.evaluation),
    (ComparisonMaterializer, hand_made_comparison.comparison),
]


@pytest.fixture
def bucket() -> FakeBucket:
    return make_bucket()


@pytest.fixture(params=["local", "bucket"])
def store(request: pytest.FixtureRequest, client: Client, bucket: FakeBucket) -> BaseArtifactStore:
    """The store of the default stack, or one that is elsewhere."""
    return client.active_stack.artifact_store if request.param == "local" else bucket


@pytest.fixture
def local_store(client: Client) -> BaseArtifactStore:
    return client.active_stack.artifact_store


@pytest.fixture
def place(tmp_path: Path) -> Callable[[BaseArtifactStore], str]:
    """A fresh artifact URI in a store, as ZenML makes one."""

    def make(store: BaseArtifactStore) -> str:
        uri = f"{store.path}/a_step/output/{tmp_path.name}"
        store.makedirs(uri)
        return uri

    return make


Place = Callable[[BaseArtifactStore], str]


@pytest.fixture
def trained(dataset: Dataset) -> Callable[[], TrainedModel]:
    """Trains a baseline into a work folder, as a step does."""

    def train() -> TrainedModel:
        task = TextClassification(max_length=32)
        plan = plan_for(dataset, Baseline(), ModelSource(), task, 0)
        with work_folder() as work:
            return run_plan(plan, dataset, work / "model", detect())

    return train


@pytest.mark.parametrize(("kind", "make"), VALUES)
def test_a_value_comes_back_equal(
    store: BaseArtifactStore,
    place: Place,
    kind: type[BaseMaterializer],
    make: Callable[[], Any],
) -> None:
    uri, value = place(store), make()
    kind(uri, store).save(value)
    assert kind(uri, store).load(type(value)) == value


@pytest.mark.parametrize(("kind", "make"), VALUES)
def test_a_value_has_a_page_without_scripts(
    store: BaseArtifactStore,
    place: Place,
    kind: type[BaseMaterializer],
    make: Callable[[], Any],
) -> None:
    uri = place(store)
    [(path, shown_as)] = kind(uri, store).save_visualizations(make()).items()
    assert path.startswith(uri)
    assert shown_as == VisualizationType.HTML
    with store.open(path, "r") as stream:
        html = stream.read()
    assert html.startswith("<!DOCTYPE html>")
    assert "<script" not in html


@pytest.mark.parametrize(("kind", "make"), VALUES)
def test_equal_values_hash_equal_and_others_do_not(
    local_store: BaseArtifactStore,
    place: Place,
    kind: type[BaseMaterializer],
    make: Callable[[], Any],
) -> None:
    materializer = kind(place(local_store), local_store)
    first = materializer.compute_content_hash(make())
    assert first is not None
    assert materializer.compute_content_hash(make()) == first
    changed = {
        DataProfile: {"n_rows": 1},
        Calibration: {"seconds": 1.0},
        PilotEvidence: {"seconds": 1.0},
        Recommendation: {"verdict": "another"},
        Evaluation: {"n_test": 1},
        Comparison: {"n_test": 1},
    }[type(make())]
    other = dataclasses.replace(make(), **changed)
    assert materializer.compute_content_hash(other) != first


@pytest.mark.parametrize(("kind", "make"), VALUES)
def test_a_newer_schema_is_refused_with_the_next_move(
    store: BaseArtifactStore,
    place: Place,
    kind: type[BaseMaterializer],
    make: Callable[[], Any],
) -> None:
    uri = place(store)
    kind(uri, store).save(make())
    path = f"{uri}/value.json"
    with store.open(path, "r") as stream:
        content = json.loads(stream.read())
    content["schema_version"] += 1
    with store.open(path, "w") as stream:
        stream.write(json.dumps(content))
    with pytest.raises(DataError, match=r"has schema version 2.*reads up to 1\. Upgrade"):
        kind(uri, store).load(type(make()))


def test_a_value_is_readable_json_with_its_type(
    local_store: BaseArtifactStore, place: Place
) -> None:
    uri = place(local_store)
    RecommendationMaterializer(uri, local_store).save(hand_made.recommendation())
    content = json.loads(Path(uri, "value.json").read_text(encoding="utf-8"))
    assert content["schema_version"] == 1
    assert content["type"] == "Recommendation"
    assert content["value"]["choice"] == "head"
    assert content["value"]["arms"][4]["approach"]["kind"] == "lora"


@pytest.mark.parametrize(
    ("kind", "make", "expected"),
    [
        (
            DataProfileMaterializer,
            hand_made.data_profile,
            {"rows": 3_600, "classes": 4, "duplicates": 12},
        ),
        (
            RecommendationMaterializer,
            hand_made.recommendation,
            {
                "choice": "head",
                "verdict": "Keep minilm frozen and train a linear head on its features.",
            },
        ),
        (
            PilotEvidenceMaterializer,
            hand_made.pilots,
            {"pilots": 3, "scored": 2, "seconds": 42.8},
        ),
        (
            EvaluationMaterializer,
            hand_made.evaluation,
            {
                "head/accuracy": 0.894,
                "head/macro_f1": 0.75,
                "baseline/accuracy": 0.839,
                "baseline/macro_f1": 0.75,
                "full/accuracy": 0.894,
                "full/macro_f1": 0.75,
            },
        ),
    ],
)
def test_what_is_worth_a_line_is_metadata(
    local_store: BaseArtifactStore,
    place: Place,
    kind: type[BaseMaterializer],
    make: Callable[[], Any],
    expected: dict[str, Any],
) -> None:
    assert kind(place(local_store), local_store).extract_metadata(make()) == expected


@pytest.mark.parametrize(
    "value",
    [
        Dataset,
        TrainedModel,
        DataProfile,
        Calibration,
        PilotEvidence,
        Recommendation,
        Evaluation,
    ],
)
def test_our_own_types_need_no_materializer_to_be_named(value: type[Any]) -> None:
    found = materializer_registry[value]
    assert found.__module__.startswith("zenml_ftvr.materializers")
    assert value in found.ASSOCIATED_TYPES


def test_a_data_set_comes_back_with_rows_splits_and_source(
    store: BaseArtifactStore, place: Place, dataset: Dataset
) -> None:
    uri = place(store)
    DatasetMaterializer(uri, store).save(dataset)
    loaded = DatasetMaterializer(uri, store).load(Dataset)
    for name in ("train", "validation", "test"):
        assert getattr(loaded, name).table.equals(getattr(dataset, name).table)
    assert (loaded.source, loaded.labels) == (dataset.source, dataset.labels)
    assert loaded.fingerprint == dataset.fingerprint


def test_the_hash_of_a_data_set_is_that_of_its_rows(
    local_store: BaseArtifactStore, place: Place, dataset: Dataset
) -> None:
    materializer = DatasetMaterializer(place(local_store), local_store)
    assert materializer.compute_content_hash(dataset) == dataset.fingerprint


def test_the_page_of_a_data_set_shows_rows_but_none_of_the_test_split(
    local_store: BaseArtifactStore, place: Place, dataset: Dataset
) -> None:
    materializer = DatasetMaterializer(place(local_store), local_store)
    [path] = materializer.save_visualizations(dataset)
    html = Path(path).read_text(encoding="utf-8")
    assert dataset.train.texts[0] in html
    assert dataset.validation.texts[0] in html
    assert not [text for text in dataset.test.texts if text in html]
    assert materializer.extract_metadata(dataset) == {
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
        "fingerprint": dataset.fingerprint,
    }


def test_rows_that_were_changed_in_the_store_are_refused(
    local_store: BaseArtifactStore, place: Place, dataset: Dataset
) -> None:
    uri = place(local_store)
    DatasetMaterializer(uri, local_store).save(dataset)
    files = Path(uri, "files")
    (files / "test.arrow").write_bytes((files / "validation.arrow").read_bytes())
    with pytest.raises(DataError, match=r"was changed after it was written"):
        DatasetMaterializer(uri, local_store).load(Dataset)


def test_a_model_that_was_changed_in_the_store_is_refused(
    store: BaseArtifactStore, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    uri = place(store)
    TrainedModelMaterializer(uri, store).save(trained())
    with store.open(f"{uri}/files/baseline.skops", "rb") as stream:
        content = stream.read()
    with store.open(f"{uri}/files/baseline.skops", "wb") as stream:
        stream.write(content[:-1] + bytes([content[-1] ^ 1]))
    loaded = TrainedModelMaterializer(uri, store).load(TrainedModel)
    with pytest.raises(ModelError, match=r"baseline\.skops was changed after it was saved"):
        load(loaded.path)


def test_the_page_of_a_data_set_has_statistics(
    local_store: BaseArtifactStore, place: Place, dataset: Dataset
) -> None:
    [path] = DatasetMaterializer(place(local_store), local_store).save_visualizations(dataset)
    html = Path(path).read_text(encoding="utf-8")
    n = Counter(dataset.train.labels)
    [(most, n_most)] = n.most_common(1)
    assert f"{most} ({n_most})" in html
    assert f"the longest {max(map(len, dataset.train.texts))}" in html
    assert "Rows that repeat another" in html


HOSTILE = "<script>alert(1)</script> $(touch pwned) `touch pwned`; touch pwned ../../etc/passwd"


def test_hostile_rows_and_names_stay_text(
    store: BaseArtifactStore, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"text": f"{HOSTILE} {n}", "label": f"<img src=x onerror=alert({n % 2})>"}
        for n in range(100)
    ]
    dataset = dataset_from(rows, DataSource(name=HOSTILE, fatal=()))
    dataset = dataclasses.replace(dataset, source=dataclasses.replace(dataset.source, name=HOSTILE))
    uri = place(store)
    materializer = DatasetMaterializer(uri, store)
    materializer.save(dataset)
    [path] = materializer.save_visualizations(dataset)
    with store.open(path, "r") as stream:
        page = stream.read()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert materializer.load(Dataset).train.texts == dataset.train.texts
    assert list(tmp_path.rglob("pwned")) == []


@pytest.mark.parametrize("name", ["..", ".", "a\\b"])
def test_an_object_named_out_of_its_folder_is_not_fetched(
    bucket: FakeBucket,
    place: Place,
    trained: Callable[[], TrainedModel],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    uri = place(bucket)
    TrainedModelMaterializer(uri, bucket).save(trained())
    listed = bucket.listdir
    monkeypatch.setattr(bucket, "listdir", lambda path: [*listed(path), name])
    with pytest.raises(DataError, match="which is no file's"):
        TrainedModelMaterializer(uri, bucket).load(TrainedModel)


def test_the_temporary_folder_is_not_used(
    store: BaseArtifactStore,
    place: Place,
    trained: Callable[[], TrainedModel],
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    uri, model = place(store), trained()
    TrainedModelMaterializer(uri, store).save(model)
    loaded = TrainedModelMaterializer(uri, store).load(TrainedModel)
    assert load(loaded.path).predict(["a rook"])
    other = f"{uri}-data"
    store.makedirs(other)
    DatasetMaterializer(other, store).save(dataset)
    assert len(DatasetMaterializer(other, store).load(Dataset).train) == len(dataset.train)
    assert list(temporary.iterdir()) == []


LOADED: list[int] = []


@pipeline(dynamic=True, enable_cache=False)
def loads_in_its_body() -> None:
    """Loads a data set and a model where no step ends that would tidy up."""
    data = load_data(DataSource(name="docstrings"))
    model = train_baseline(data)
    load(model.load().path).predict(["open a socket"])
    LOADED.append(min(1_000, len(data.load().train)))


def test_what_a_pipeline_body_loads_leaves_nothing_in_the_temporary_folder(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = set(Path.cwd().iterdir())
    loads_in_its_body()
    assert LOADED == [1_000]
    assert [path for path in temporary.rglob("*") if path.is_file()] == []
    assert set(Path.cwd().iterdir()) == before


def test_a_model_comes_back_and_answers_as_before(
    store: BaseArtifactStore, place: Place, trained: Callable[[], TrainedModel], dataset: Dataset
) -> None:
    uri, model = place(store), trained()
    before = load(model.path).probabilities(dataset.test.texts)
    TrainedModelMaterializer(uri, store).save(model)
    loaded = TrainedModelMaterializer(uri, store).load(TrainedModel)
    assert dataclasses.replace(loaded, path=model.path) == model
    assert (load(loaded.path).probabilities(dataset.test.texts) == before).all()


def test_a_model_lands_as_the_plain_files_of_its_folder(
    local_store: BaseArtifactStore, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    uri, model = place(local_store), trained()
    contents = {
        file.relative_to(model.path): file.read_bytes() for file in Path(model.path).rglob("*")
    }
    TrainedModelMaterializer(uri, local_store).save(model)
    loaded = TrainedModelMaterializer(uri, local_store).load(TrainedModel)
    assert loaded.path == f"{uri}/files"
    arrived = {
        file.relative_to(loaded.path): file.read_bytes() for file in Path(loaded.path).rglob("*")
    }
    assert arrived == contents
    assert {file.name for file in contents} == {"README.md", "baseline.skops", "ftvr.json"}
    assert sorted(file.name for file in Path(uri).iterdir()) == ["files", "value.json"]


def test_the_card_of_a_model_is_shown(
    store: BaseArtifactStore, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    uri, model = place(store), trained()
    card = Path(model.path, "README.md").read_text(encoding="utf-8")
    materializer = TrainedModelMaterializer(uri, store)
    materializer.save(model)
    shown = materializer.save_visualizations(model)
    [path] = [path for path, kind in shown.items() if kind == VisualizationType.MARKDOWN]
    with store.open(path, "r") as stream:
        assert stream.read() == card


def test_a_model_lands_in_a_bucket_as_plain_objects(
    bucket: FakeBucket, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    uri = place(bucket)
    TrainedModelMaterializer(uri, bucket).save(trained())
    below = uri.removeprefix(f"{bucket.path}/")
    assert bucket.names() == [
        f"{below}/files/README.md",
        f"{below}/files/baseline.skops",
        f"{below}/files/ftvr.json",
        f"{below}/value.json",
    ]


def test_folders_within_a_model_survive_a_bucket(
    bucket: FakeBucket, place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "deep.bin").write_bytes(b"\x00\xff" * 3_000_000)  # more than one chunk
    (folder / "top.txt").write_text("top", encoding="utf-8")
    model = dataclasses.replace(hand_made.trained_model("full"), path=str(folder))
    uri = place(bucket)
    TrainedModelMaterializer(uri, bucket).save(model)
    loaded = Path(TrainedModelMaterializer(uri, bucket).load(TrainedModel).path)
    assert loaded != folder
    assert (loaded / "a" / "b" / "deep.bin").read_bytes() == b"\x00\xff" * 3_000_000
    assert (loaded / "top.txt").read_text(encoding="utf-8") == "top"


def test_a_bucket_is_read_once(
    bucket: FakeBucket, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    uri = place(bucket)
    TrainedModelMaterializer(uri, bucket).save(trained())
    first = TrainedModelMaterializer(uri, bucket).load(TrainedModel)
    bucket.rmtree(f"{uri}/files")
    again = TrainedModelMaterializer(uri, bucket).load(TrainedModel)
    assert again == first
    assert load(again.path).labels == ("chess", "cooking", "sailing")


def test_a_download_that_breaks_leaves_nothing_half_there(
    bucket: FakeBucket,
    place: Place,
    trained: Callable[[], TrainedModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = place(bucket)
    TrainedModelMaterializer(uri, bucket).save(trained())
    artifacts = cache_folder() / "artifacts"
    before = set(artifacts.iterdir()) if artifacts.exists() else set()
    whole = bucket.open

    def breaks(path: Any, mode: str = "r") -> Any:
        if str(path).endswith("ftvr.json"):
            raise ConnectionError("gone")
        return whole(path, mode)

    monkeypatch.setattr(bucket, "open", breaks)
    with pytest.raises(ConnectionError):
        TrainedModelMaterializer(uri, bucket).load(TrainedModel)
    assert set(artifacts.iterdir()) == before
    monkeypatch.setattr(bucket, "open", whole)
    loaded = TrainedModelMaterializer(uri, bucket).load(TrainedModel)
    assert load(loaded.path).labels == ("chess", "cooking", "sailing")


@pytest.mark.parametrize("make_artifact", ["dataset", "model"])
def test_who_may_read_the_store_may_read_what_was_moved_into_it(
    local_store: BaseArtifactStore,
    place: Place,
    trained: Callable[[], TrainedModel],
    dataset: Dataset,
    make_artifact: str,
) -> None:
    uri = place(local_store)
    if make_artifact == "dataset":
        DatasetMaterializer(uri, local_store).save(dataset)
    else:
        TrainedModelMaterializer(uri, local_store).save(trained())
    assert Path(uri, "files").stat().st_mode == Path(uri).stat().st_mode


def test_the_work_folder_of_a_data_set_is_gone_too(
    store: BaseArtifactStore, place: Place, dataset: Dataset
) -> None:
    work = cache_folder() / "work"
    before = set(work.iterdir()) if work.exists() else set()
    DatasetMaterializer(place(store), store).save(dataset)
    assert set(work.iterdir()) == before


def test_the_work_folder_is_gone_once_the_store_has_the_model(
    store: BaseArtifactStore, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    model = trained()
    TrainedModelMaterializer(place(store), store).save(model)
    assert not Path(model.path).exists()
    assert not Path(model.path).parent.exists()


def test_a_folder_of_the_users_own_is_copied_and_stays(
    store: BaseArtifactStore, place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"weights")
    model = dataclasses.replace(hand_made.trained_model("full"), path=str(folder))
    uri = place(store)
    TrainedModelMaterializer(uri, store).save(model)
    loaded = TrainedModelMaterializer(uri, store).load(TrainedModel)
    assert (folder / "weights.bin").read_bytes() == b"weights"
    assert loaded.path != str(folder)
    assert Path(loaded.path, "weights.bin").read_bytes() == b"weights"


def test_a_model_that_is_an_artifact_already_can_become_another(
    store: BaseArtifactStore, place: Place, trained: Callable[[], TrainedModel]
) -> None:
    uri = place(store)
    TrainedModelMaterializer(uri, store).save(trained())
    loaded = TrainedModelMaterializer(uri, store).load(TrainedModel)
    store.makedirs(f"{uri}-again")
    TrainedModelMaterializer(f"{uri}-again", store).save(loaded)
    again = TrainedModelMaterializer(f"{uri}-again", store).load(TrainedModel)
    assert load(loaded.path).labels == load(again.path).labels
    assert again.path != loaded.path


def test_a_model_records_readings_that_are_no_numbers(
    store: BaseArtifactStore, place: Place, tmp_path: Path
) -> None:
    curve = tuple(
        CurvePoint(step=step, metric="train/grad_norm", value=value, seconds=1.0)
        for step, value in enumerate((1.5, math.inf, math.nan))
    )
    model = dataclasses.replace(hand_made.trained_model("full"), path=str(tmp_path), curve=curve)
    uri = place(store)
    TrainedModelMaterializer(uri, store).save(model)
    loaded = TrainedModelMaterializer(uri, store).load(TrainedModel)
    assert loaded.curve[:2] == curve[:2]
    assert math.isnan(loaded.curve[2].value)


def test_the_page_and_the_lines_of_a_model(local_store: BaseArtifactStore, place: Place) -> None:
    materializer = TrainedModelMaterializer(place(local_store), local_store)
    model = hand_made.trained_model("full")  # which has no files, and so no card
    [(path, shown_as)] = materializer.save_visualizations(model).items()
    assert shown_as == VisualizationType.HTML
    assert "Full fine-tuning" in Path(path).read_text(encoding="utf-8")
    assert materializer.extract_metadata(model) == {
        "approach": "full",
        "steps": 237,
        "seconds": 905.0,
        "stopped_by": "budget",
        "parameters": 22_713_216,
        "trained_parameters": 22_713_216,
        "plan": model.plan.fingerprint,
    }
