"""The folder of a trained model: it loads as it was, with this package and without it."""

from __future__ import annotations

import ast
import dataclasses
import json
import runpy
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import DataError, ModelError
from zenml_ftvr.models import (
    Trainable,
    cached_features,
    fit_baseline,
    load,
    load_encoder,
    resolve,
    save_baseline,
    save_head,
    save_trainable,
)
from zenml_ftvr.models.folder import write_manifest
from zenml_ftvr.report.usage import usage_lines
from zenml_ftvr.tasks import work_for
from zenml_ftvr.tasks.text_classification import TextWork, encode
from zenml_ftvr.train import (
    fit_head,
    no_log,
    prepare,
    run_loop,
    run_plan,
    silent,
)
from zenml_ftvr.values import (
    KINDS,
    Approach,
    Hardware,
    Kind,
    Lora,
    ModelSource,
    TrainedModel,
    TrainingPlan,
)

FAMILIES = ("bert", "distilbert", "gpt2")
Logits = npt.NDArray[np.float32]


def logits_of(trainable: Trainable, texts: Sequence[str]) -> Logits:
    """The logits of a model in memory, a text at a time: no padding."""
    import torch

    rows = []
    trainable.model.eval()
    for ids in encode(trainable.tokenizer, texts, 32):
        with torch.no_grad():
            rows.append(trainable.model(input_ids=torch.tensor([ids])).logits[0].numpy())
    return np.stack(rows)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["full", "lora", "scratch"])
def test_a_stepped_model_comes_back_with_the_same_logits(
    kind: Kind,
    family: str,
    base_folders: dict[str, Path],
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns[kind], base=base_folders[family], max_steps=8, eval_every_steps=4)
    base = None if plan.model is None else resolve(plan.model)
    prepared = prepare(plan, dataset, base)
    before = logits_of(prepared.trainable, dataset.test.texts)
    run_loop(plan, prepared, tmp_path / "work", no_log, silent, time.monotonic())
    trained = logits_of(prepared.trainable, dataset.test.texts)
    assert np.abs(trained - before).max() > 0.01  # there is something to lose
    save_trainable(prepared.trainable, base, plan, prepared.work, tmp_path / "model")
    again = load(tmp_path / "model")
    assert (again.kind, again.labels) == (kind, dataset.labels)
    assert again.logits(dataset.test.texts) == pytest.approx(trained, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_head_comes_back_with_the_same_logits(
    family: str,
    base_folders: dict[str, Path],
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    folder = base_folders[family]
    plan, base = plan_of(learns["head"], base=folder), resolve(ModelSource(name=str(folder)))
    features = cached_features(base, dataset.train, plan.task, "cpu")
    work = TextWork(task=plan.task, labels=dataset.labels)
    head = fit_head(work, features, dataset.train, 0.1, 0)
    encoder = load_encoder(base.folder, plan.task, "cpu")
    save_head(encoder, head.weight, head.bias, plan, work, tmp_path)
    expected = head.logits(encoder.features(dataset.test))
    assert load(tmp_path).logits(dataset.test.texts) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.1


def test_a_baseline_comes_back_with_the_same_probabilities(
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns["baseline"])
    work = work_for(plan.task, dataset)
    fitted = fit_baseline(work, dataset.train, 0)
    save_baseline(fitted, plan, work, tmp_path)
    expected = np.exp(fitted.outputs(dataset.test))
    assert load(tmp_path).probabilities(dataset.test.texts) == pytest.approx(expected, abs=1e-6)
    assert expected.max() > 0.8


def printed_by(lines: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a program of these lines prints."""
    script = folder.parent / "use.py"
    script.write_text(lines, encoding="utf-8")
    capsys.readouterr()
    runpy.run_path(str(script))
    return capsys.readouterr().out


def answers_without_us(
    model: TrainedModel, texts: list[str], capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """The labels that the lines without this package print for `texts`.

    One a row: the label, or transformers' mapping with the label in it.
    """
    _, lines = usage_lines(model, model.path)
    assert "zenml_ftvr" not in lines.replace(model.path, "")
    lines = lines.replace('["a text", "another"]', repr(texts))
    answers = ast.literal_eval(printed_by(lines, Path(model.path), capsys))
    return [one["label"] if isinstance(one, dict) else one for one in answers]


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_loads_without_this_package(
    kind: Kind,
    trained: Callable[[Kind], TrainedModel],
    dataset: Dataset,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, texts = trained(kind), dataset.test.texts[:20]
    theirs, ours = answers_without_us(model, texts, capsys), load(model.path).predict(texts)
    assert theirs == [answer.label for answer in ours]
    assert len(set(theirs)) == 3


@pytest.mark.parametrize("kind", ["head", "full", "lora"])
def test_a_decoders_folder_loads_without_this_package(
    kind: Kind,
    gpt2_folder: Path,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = plan_of(learns[kind], base=gpt2_folder)
    if kind != "head":
        plan = dataclasses.replace(plan, max_steps=60, eval_every_steps=30)
    model, texts = run_plan(plan, dataset, tmp_path / "model", hardware), dataset.test.texts[:20]
    theirs, ours = answers_without_us(model, texts, capsys), load(model.path).predict(texts)
    assert theirs == [answer.label for answer in ours]
    assert len(set(theirs)) > 1


def test_the_folder_loads_as_the_lines_for_this_package_say(
    trained: Callable[[Kind], TrainedModel], capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained("full")
    ours, _ = usage_lines(model, model.path)
    printed = printed_by(ours, Path(model.path), capsys)
    answers = load(model.path).predict(["a text", "another"])
    assert printed == "".join(f"{answer.label} {answer.probability}\n" for answer in answers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_holds_no_pickle_and_a_card_with_metadata(
    kind: Kind, trained: Callable[[Kind], TrainedModel]
) -> None:
    folder = Path(trained(kind).path)
    assert not {".bin", ".pkl", ".pickle", ".pt", ".joblib"} & {
        file.suffix for file in folder.rglob("*")
    }
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    metadata = yaml.safe_load(front)
    libraries = {"baseline": "sklearn", "lora": "peft"}
    assert metadata["library_name"] == libraries.get(kind, "transformers")
    assert metadata["pipeline_tag"] == "text-classification"
    assert metadata["tags"] == ["zenml-ftvr", kind]
    assert "base_model" not in metadata  # a folder of this machine is no model of the Hub
    assert "chess, cooking, sailing" in text


ODD_LABELS = ('\N{ROCKET} said "no"', "it's {not} <b>", "\N{COOKIE}, 50 %\\", "--- : #x")


@pytest.mark.parametrize("kind", KINDS)
def test_odd_characters_in_labels_survive(
    kind: Kind,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
    hardware: Hardware,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts, plain = make_texts(240)
    names = dict(zip(sorted(set(plain)), ODD_LABELS, strict=False))
    labels = [names[label] for label in plain]
    fourth = [f"quark {text}" for text in texts[:60]]
    odd = split([*texts, *fourth], [*labels, *ODD_LABELS[3:] * 60])
    plan = plan_of(learns[kind], of=odd)
    if plan.max_steps:
        plan = dataclasses.replace(plan, max_steps=6, eval_every_steps=6)
    model = run_plan(plan, odd, tmp_path / "model", hardware)
    loaded = load(model.path)
    assert loaded.labels == tuple(sorted(ODD_LABELS)) == odd.labels
    assert list(loaded.predict(["bishop"])[0].probabilities) == sorted(ODD_LABELS)
    theirs = answers_without_us(model, texts[:9], capsys)
    assert theirs == [answer.label for answer in loaded.predict(texts[:9])]
    _, front, _ = (tmp_path / "model" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front)["tags"] == ["zenml-ftvr", kind]


def test_the_manifest_reads_the_same_in_any_encoding(
    trained: Callable[[Kind], TrainedModel],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns["baseline"], labels=ODD_LABELS)
    work = work_for(plan.task, dataset)
    save_baseline(fit_baseline(work, dataset.train, 0), plan, work, tmp_path)
    content = (tmp_path / "ftvr.json").read_bytes()
    assert json.loads(content.decode("ascii"))["labels"] == list(ODD_LABELS)


def test_probabilities_are_given_for_every_label_and_sum_to_one(
    trained: Callable[[Kind], TrainedModel], dataset: Dataset
) -> None:
    for kind in KINDS:
        (answer,) = load(trained(kind).path).predict(["keel mast rudder"])
        assert tuple(answer.probabilities) == dataset.labels
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.probability == max(answer.probabilities.values())
        assert answer.label == "sailing"


def test_rows_are_texts_or_mappings_with_one(trained: Callable[[Kind], TrainedModel]) -> None:
    model = load(trained("baseline").path)
    answers = model.predict(["keel mast rudder", {"text": "flour oven butter", "id": 7}])
    assert [answer.label for answer in answers] == ["sailing", "cooking"]
    assert model.predict([]) == []
    for wrong in ({"body": "x"}, {"text": None}, 7):
        with pytest.raises(DataError, match="row 1 holds no text"):
            model.predict(["x", wrong])  # type: ignore[list-item]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_reaches_all_texts(kind: Kind, trained: Callable[[Kind], TrainedModel]) -> None:
    seen: list[tuple[int, int]] = []
    texts = ["keel mast"] * 40
    load(trained(kind).path).logits(texts, lambda done, total: seen.append((done, total)))
    assert seen
    assert seen[-1][0] == seen[-1][1] >= 40


MISSING = [
    ("baseline", "baseline.skops"),
    ("head", "head.safetensors"),
    ("head", "model.safetensors"),
    ("full", "model.safetensors"),
    ("full", "config.json"),
    ("scratch", "tokenizer.json"),
    ("lora", "adapter_model.safetensors"),
    ("lora", "adapter_config.json"),
]


@pytest.mark.parametrize(("kind", "name"), MISSING)
def test_a_folder_that_lacks_a_file_or_half_of_one_is_refused(
    kind: Kind, name: str, trained: Callable[[Kind], TrainedModel], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained(kind).path, tmp_path / "copy"))
    file = folder / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=str(folder)):
        load(folder)
    file.unlink()
    with pytest.raises(ModelError, match=str(folder)):
        load(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "schema version 2.*Upgrade"),
        ({"kind": "distilled"}, "kind 'distilled'"),
        ({"labels": None}, "damaged"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_refused(
    change: dict[str, object],
    said: str,
    trained: Callable[[Kind], TrainedModel],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(trained("baseline").path, tmp_path / "copy"))
    manifest = json.loads((folder / "ftvr.json").read_text())
    (folder / "ftvr.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ModelError, match=said):
        load(folder)
    (folder / "ftvr.json").write_text(json.dumps(manifest)[:-9])
    with pytest.raises(ModelError, match="damaged"):
        load(folder)


def test_what_is_no_model_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no ftvr\.json.*that zenml-ftvr trained"):
        load(tmp_path)
    with pytest.raises(ModelError, match="no such folder"):
        load(tmp_path / "nowhere")


def test_a_baseline_that_could_run_code_is_not_loaded(
    trained: Callable[[Kind], TrainedModel], tmp_path: Path
) -> None:
    import skops.io

    folder = Path(shutil.copytree(trained("baseline").path, tmp_path / "copy"))
    skops.io.dump(runpy.run_path, folder / "baseline.skops")
    write_manifest(json.loads((folder / "ftvr.json").read_text()), folder)  # its hash is right
    with pytest.raises(ModelError, match=r"runpy\.run_path.*It was not loaded"):
        load(folder)


@pytest.fixture
def adapter(
    plan_of: Callable[..., TrainingPlan],
    bert_folder: Path,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """An untrained adapter whose base model `base` was named from the folder it is in."""
    shutil.copytree(bert_folder, tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    plan = plan_of(Lora(), model=ModelSource(name="./base"))
    base = resolve(ModelSource(name="./base"))
    prepared = prepare(plan, dataset, base)
    save_trainable(prepared.trainable, base, plan, prepared.work, tmp_path / "model")
    return tmp_path / "model"


def test_an_adapter_finds_a_base_that_was_named_from_another_folder(
    adapter: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = load(adapter).logits(["keel mast"])
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(adapter).logits(["keel mast"]) == pytest.approx(here)


def test_an_adapter_on_changed_weights_is_refused(adapter: Path, tmp_path: Path) -> None:
    file = tmp_path / "base" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="was trained on a base model with sha256"):
        load(adapter)


def test_an_adapter_without_its_base_says_where_it_was(adapter: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ModelError, match=rf"'{tmp_path}/base' \(tried: a local folder\)"):
        load(adapter)


def test_an_adapter_cannot_be_saved_without_its_base(
    plan_of: Callable[..., TrainingPlan], dataset: Dataset, tmp_path: Path
) -> None:
    plan = plan_of(Lora())
    nothing = Trainable(model=None, tokenizer=None)
    with pytest.raises(ModelError, match="without naming its base model"):
        save_trainable(nothing, None, plan, work_for(plan.task, dataset), tmp_path)
