"""What a model's folder could make this machine do, and names that are not what they should be."""

from __future__ import annotations

import dataclasses
import html
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from zenml_ftvr import load
from zenml_ftvr.data import load_dataset, read_texts, rows_of_inputs
from zenml_ftvr.errors import ConfigurationError, FtvrError, ModelError
from zenml_ftvr.models import load_encoder, resolve
from zenml_ftvr.report import model_card, trained_model_page
from zenml_ftvr.values import (
    DataSource,
    Full,
    Kind,
    ModelSource,
    TextClassification,
    TrainedModel,
    TrainingPlan,
)


class Payload:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def copy(bert_folder: Path, tmp_path: Path) -> Path:
    """A copy of a base model that a test may change."""
    return Path(shutil.copytree(bert_folder, tmp_path / "copy"))


def describe(folder: Path, file: str = "config.json", **fields: Any) -> None:
    """Set fields of a JSON file."""
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def bring_code(folder: Path, mark: Path) -> None:
    """Python files that leave `mark` when imported, and a configuration that names them."""
    (folder / "own.py").write_text(
        f"import pathlib\n"
        f"from transformers import BertConfig, BertForSequenceClassification, BertModel\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        f"class OwnConfig(BertConfig):\n    model_type = 'own_kind'\n"
        f"class OwnModel(BertModel):\n    config_class = OwnConfig\n"
        f"class OwnClassifier(BertForSequenceClassification):\n    config_class = OwnConfig\n"
    )
    names = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    names["AutoModelForSequenceClassification"] = "own.OwnClassifier"
    describe(folder, model_type="own_kind", auto_map=names)


def test_code_in_a_local_folder_is_refused_without_asking(copy: Path, tmp_path: Path) -> None:
    bring_code(copy, tmp_path / "ran")
    # In a process whose user says yes to whatever transformers asks.
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom zenml_ftvr.models import resolve\n"
            "from zenml_ftvr.values import ModelSource\nresolve(ModelSource(name=sys.argv[1]))",
            str(copy),
        ],
        input="y\n" * 9,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Do you wish to run" not in done.stdout
    assert "ModelError" in done.stderr
    assert "set base_model.allow to [remote_code]" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_code_of_a_tokenizer_is_not_run(copy: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (copy / "own.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
    names = {"AutoTokenizer": ["own.Slow", "own.Fast"]}
    describe(copy, "tokenizer_config.json", tokenizer_class="OwnTokenizer", auto_map=names)
    load_encoder(resolve(ModelSource(name=str(copy))).folder, 8, "cpu").features(
        rows_of_inputs(["bishop"], TextClassification())
    )
    assert not mark.exists()


def test_pickled_weights_beside_other_safetensors_are_not_taken(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").rename(copy / "other.safetensors")
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    for allow in ((), ("pickled_weights",)):
        base = resolve(ModelSource(name=str(copy), allow=allow))
        with pytest.raises(ModelError, match=r"does not load as BertModel|AutoModel.*safetensors"):
            load_encoder(base.folder, TextClassification(max_length=8), "cpu", base.source.allow)
    assert not (tmp_path / "ran").exists()


def test_an_adapter_is_no_base_model_that_leads_to_another(copy: Path) -> None:
    (copy / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/model"}')
    with pytest.raises(ModelError, match=r"holds an adapter.*Give the model that it was trained"):
        resolve(ModelSource(name=str(copy)))


@pytest.mark.parametrize(
    "fields",
    [
        {"attn_implementation": "evil/kernel@main:attention"},
        {"_attn_implementation": "evil/kernel"},
        {"attn_implementation": {"": "sdpa", "text_config": "evil/kernel"}},
        {"text_config": {"attn_implementation": "evil/kernel"}},
    ],
)
def test_compiled_code_of_another_repository_is_refused(fields: dict[str, Any], copy: Path) -> None:
    describe(copy, **fields)
    for allow in ((), ("remote_code",)):
        with pytest.raises(ModelError, match=r"compiled code of another repository run \(evil/ker"):
            resolve(ModelSource(name=str(copy), allow=allow))
    describe(copy, **dict.fromkeys(fields, "eager"))
    resolve(ModelSource(name=str(copy)))


def test_pickled_weights_in_a_trained_folder_are_not_taken(
    trained: Callable[[Kind], TrainedModel], tmp_path: Path
) -> None:
    payload = pickle.dumps(Payload(tmp_path / "ran"))
    for kind, safe, pickled in (
        ("lora", "adapter_model.safetensors", "adapter_model.bin"),
        ("full", "model.safetensors", "pytorch_model.bin"),
        ("head", "model.safetensors", "pytorch_model.bin"),
    ):
        folder = Path(shutil.copytree(trained(kind).path, tmp_path / kind))
        (folder / safe).unlink()
        (folder / pickled).write_bytes(payload)
        with pytest.raises(ModelError):
            load(folder, ["pickled_weights"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore")  # transformers', of the class that it did not expect
def test_a_model_trained_on_allowed_code_says_so_and_needs_it_allowed_again(
    copy: Path, plan_of: Callable[..., TrainingPlan], dataset: Any, hardware: Any, tmp_path: Path
) -> None:
    from zenml_ftvr.train import run_plan

    bring_code(copy, tmp_path / "ran")
    source = ModelSource(name=str(copy), allow=("remote_code",))
    fingerprint = resolve(source).fingerprint
    plan = plan_of(
        Full(learning_rate=1e-3, batch_size=16),
        max_steps=1,
        eval_every_steps=1,
        model=source,
        model_fingerprint=fingerprint,
    )
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    said = "the base model's own Python files, which ran when it was loaded"
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"Allowed by the user: {said}." in card
    assert "allow=['remote_code']" in card
    assert ", trust_remote_code=True)" in card
    assert said in html.unescape(trained_model_page(model))
    with pytest.raises(ModelError, match=r'own Python files run.*allow=\["remote_code"\]'):
        load(tmp_path / "model")
    assert load(tmp_path / "model", ["remote_code"]).predict(["bishop"])[0].label in dataset.labels


def test_nothing_is_said_where_nothing_was_allowed(
    trained: Callable[[Kind], TrainedModel],
) -> None:
    card = model_card(trained("full"), {})
    assert "Allowed" not in card
    assert "allow=" not in card
    assert "trust_remote_code" not in card


def test_what_is_allowed_is_spelt_out() -> None:
    with pytest.raises(ConfigurationError, match=r"'remote code'\. Did you mean 'remote_code'\?"):
        ModelSource(allow=("remote code",))  # type: ignore[arg-type]
    read = TypeAdapter(ModelSource).validate_python({"allow": ["pickled_weights"]})
    assert read.allow == ("pickled_weights",)
    with pytest.raises(ConfigurationError, match=r"ModelSource\.allow"):
        TypeAdapter(ModelSource).validate_python({"allow": ["anything"]})


def test_a_plan_from_before_there_was_anything_to_allow_keeps_its_fingerprint(
    plan_of: Callable[..., TrainingPlan],
) -> None:
    plan = plan_of(Full())
    assert plan.model is not None
    fields = dataclasses.asdict(plan)
    for name in ("wall_seconds", "predicted_hours", "reasons"):
        del fields[name]
    del fields["model"]["allow"]
    import hashlib

    text = json.dumps(fields, sort_keys=True, default=str)
    assert plan.fingerprint == hashlib.sha256(text.encode()).hexdigest()[:16]
    allowed = dataclasses.replace(plan.model, allow=("remote_code",))
    assert dataclasses.replace(plan, model=allowed).fingerprint != plan.fingerprint


ODD_NAMES = [
    "../x",
    "a;touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "<script>alert(1)</script>",
    "--help",
    "x" * 5_000,
    "x/" * 3_000 + "y",
    "ü/日本語",
    "~nosuchuser",
    "~nosuchuser/x",
    "a\0b",
    "a\nb/c",
    "a/b\n",
    "\ud800",
    "C:\\x\\y",
    "%2e%2e/x",
    "https://evil.example/x",
    "file:///etc/passwd",
    "hf://datasets/x/y",
    "..",
    "[.csv",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
@pytest.mark.parametrize(
    "use",
    [
        lambda name: resolve(ModelSource(name=name)),
        load,
        lambda name: load_dataset(DataSource(name=name)),
        lambda name: load_dataset(DataSource(name="rows.csv", test_file=name)),
        read_texts,
    ],
    ids=["base model", "trained model", "data", "test file", "texts"],
)
def test_an_odd_name_ends_in_one_line_of_ours_and_does_nothing(
    use: Callable[[str], Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "rows.csv").write_text("text,label\na,b\n")
    monkeypatch.chdir(folder)
    with pytest.raises(FtvrError) as caught:
        use(name)
    said = caught.value.message
    assert said.encode()  # printable
    assert "\n" not in said
    assert len(said) < 700
    assert [path.name for path in tmp_path.rglob("*")] == ["work", "rows.csv"]


def test_a_home_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no user 'nosuchuser'.*Write the path in full"):
        resolve(ModelSource(name="~nosuchuser/model"))


def test_markup_in_names_stays_text(trained: Callable[[Kind], TrainedModel]) -> None:
    name = "<script>alert('1')</script>`x`\"|"
    model = trained("full")
    source = ModelSource(name=name, revision="v<b>", allow=("remote_code",))
    odd = dataclasses.replace(model, path=name, plan=dataclasses.replace(model.plan, model=source))
    page = trained_model_page(odd)
    assert "<script" not in page
    assert html.escape(name, quote=True) in page
    card = model_card(odd, {})
    assert "base_model:" not in card
    facts = card.partition("## Use it")[0]
    assert "<script" not in facts
    assert "`x`" not in facts.replace("\\`", "")
