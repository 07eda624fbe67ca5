"""Each step in pipelines of the user's own, and what lands in the store, on disk and in W&B."""

from __future__ import annotations

import dataclasses
import math
import re
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hand_made
import pandas as pd
import pytest
from zenml import pipeline
from zenml.client import Client
from zenml.models import PipelineRunResponse

from zenml_ftvr.api import load
from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.report import usage_lines
from zenml_ftvr.steps import (
    calibrate,
    evaluate_model,
    finetune_contrastive,
    finetune_full,
    finetune_head,
    finetune_lora,
    finetune_partial,
    load_data,
    predict,
    profile_data,
    publish_report,
    recommend_approach,
    run_pilots,
    train_baseline,
    train_from_scratch,
)
from zenml_ftvr.values import (
    KINDS,
    Baseline,
    Budget,
    Contrastive,
    DataSource,
    Evaluation,
    Full,
    Head,
    Kind,
    Lora,
    ModelSource,
    Partial,
    PilotEvidence,
    PilotSettings,
    Recommendation,
    Request,
    Scratch,
    TextClassification,
    TrainedModel,
)

TASK = TextClassification(max_length=32)
STEP_OF: dict[Kind, str] = {
    "baseline": "train_baseline",
    "head": "finetune_head",
    "contrastive": "finetune_contrastive",
    "partial": "finetune_partial",
    "full": "finetune_full",
    "lora": "finetune_lora",
    "scratch": "train_from_scratch",
}


@pipeline
def every_approach(data: DataSource, base: ModelSource, file: str, answers: str) -> None:
    """No recommendation: each approach by its own defaults, shortened."""
    dataset = load_data(data)
    baseline = train_baseline(dataset, task=TASK, seed=3)
    head = finetune_head(dataset, base_model=base, task=TASK)
    pairs = finetune_contrastive(
        dataset, base_model=base, task=TASK, approach=Contrastive(pairs=32)
    )
    last = finetune_partial(
        dataset, base_model=base, task=TASK, approach=Partial(epochs=1, layers=1)
    )
    full = finetune_full(dataset, base_model=base, task=TASK, approach=Full(epochs=1))
    lora = finetune_lora(dataset, base_model=base, task=TASK, approach=Lora(epochs=1, rank=2))
    scratch = train_from_scratch(dataset, task=TASK, approach=Scratch(epochs=1, depth=1))
    evaluate_model(dataset, baseline, id="evaluate_baseline")
    evaluate_model(dataset, head, id="evaluate_head")
    evaluate_model(dataset, full, baseline=baseline, companion=scratch, id="evaluate_full")
    evaluate_model(dataset, lora, id="evaluate_lora")
    evaluate_model(dataset, pairs, id="evaluate_contrastive")
    evaluate_model(dataset, last, id="evaluate_partial")
    predict(baseline, file, output_path=answers)


@pipeline
def decide_and_report(data: DataSource, request: Request, folder: str) -> None:
    """A recommendation, the two arms that were measured, and the report."""
    dataset = load_data(data)
    profile = profile_data(dataset, request)
    calibration = calibrate(dataset, profile, request)
    pilots = run_pilots(dataset, profile, calibration, request)
    recommendation = recommend_approach(dataset, profile, calibration, pilots, request)
    baseline = train_baseline(dataset, recommendation)
    head = finetune_head(dataset, recommendation)
    evaluation = evaluate_model(dataset, head, recommendation, baseline)
    publish_report(recommendation, evaluation, head, baseline, report_folder=folder)


def _output(run: PipelineRunResponse, step: str, name: str) -> Any:
    return run.steps[step].outputs[name][0].load()


@pytest.fixture(scope="module")
def base(base_folder: Path) -> ModelSource:
    return ModelSource(name=str(base_folder))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers") / "made" / "answers.csv"


@pytest.fixture(scope="module")
def trained(
    source: DataSource, base: ModelSource, data_file: Path, answers: Path
) -> PipelineRunResponse:
    """The first pipeline, run once."""
    run = every_approach(source, base, str(data_file), str(answers))
    assert run is not None
    return run


@pytest.fixture(scope="module")
def request_(base: ModelSource) -> Request:
    return Request(
        budget=Budget(hours=0.5),
        approaches=(Baseline(), Head()),
        base_model=base,
        task=TASK,
        usd_per_hour=0.4,
        seed=5,
    )


@pytest.fixture(scope="module")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report") / "of" / "march"


@pytest.fixture(scope="module")
def decided(source: DataSource, request_: Request, report_folder: Path) -> PipelineRunResponse:
    """The second pipeline, run once."""
    run = decide_and_report(source, request_, str(report_folder))
    assert run is not None
    return run


def _model(run: PipelineRunResponse, kind: Kind) -> TrainedModel:
    model: TrainedModel = _output(run, STEP_OF[kind], "model")
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_each_approach_trains_on_its_own(
    trained: PipelineRunResponse, dataset: Dataset, kind: Kind
) -> None:
    model = _model(trained, kind)
    assert model.kind == kind
    assert model.plan.data_fingerprint == dataset.fingerprint
    assert model.plan.task == dataclasses.replace(
        TASK, metric="accuracy"
    )  # as balanced data has it
    assert model.steps_done == model.plan.max_steps
    assert (model.steps_done > 0) == (kind not in ("baseline", "head"))
    assert load(model.path).labels == ("chess", "cooking", "sailing")


def test_what_a_step_was_told_is_in_its_plan(
    trained: PipelineRunResponse, base: ModelSource, dataset: Dataset
) -> None:
    assert _model(trained, "baseline").plan.seed == 3
    assert _model(trained, "baseline").plan.model is None
    assert _model(trained, "head").plan.model == base
    lora, full = _model(trained, "lora").plan, _model(trained, "full").plan
    assert isinstance(lora.approach, Lora)
    assert (lora.approach.rank, lora.approach.epochs) == (2, 1)
    assert full.max_steps == math.ceil(len(dataset.train) / full.batch_size)


@pytest.mark.parametrize("kind", KINDS)
def test_the_artifact_is_the_folder_and_nothing_is_packed_or_pickled(
    trained: PipelineRunResponse, kind: Kind
) -> None:
    artifact = trained.steps[STEP_OF[kind]].outputs["model"][0]
    files = [file for file in Path(artifact.uri).rglob("*") if file.is_file()]
    names = {file.relative_to(artifact.uri).as_posix() for file in files}
    assert {"value.json", "page.html", "files/ftvr.json", "files/README.md"} <= names
    packed = (".pkl", ".pickle", ".tar", ".gz", ".zip", ".bin", ".pt", ".pth")
    assert not [name for name in names if name.endswith(packed)]
    starts = [file.read_bytes()[:2] for file in files]
    pickles = [b"\x80" + bytes([protocol]) for protocol in range(2, 6)]
    assert not set(starts) & set(pickles)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_can_be_used_with_the_lines_that_its_card_gives(
    trained: PipelineRunResponse,
    kind: Kind,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = _model(trained, kind)
    loaded = load(model.path)
    expected = [one.label for one in loaded.predict(["a text", "another"])]
    for name, lines in zip(("ours", "plain"), usage_lines(model, model.path), strict=True):
        script = tmp_path / f"{name}.py"
        script.write_text(lines, encoding="utf-8")
        capsys.readouterr()
        runpy.run_path(str(script))
        printed = re.findall(r"\w+", capsys.readouterr().out)
        assert [word for word in printed if word in loaded.labels] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_line_beside_the_artifact_says_what_was_trained(
    trained: PipelineRunResponse, kind: Kind
) -> None:
    artifact = trained.steps[STEP_OF[kind]].outputs["model"][0]
    model = _model(trained, kind)
    assert artifact.run_metadata["approach"] == kind
    assert artifact.run_metadata["plan"] == model.plan.fingerprint
    assert {view.type.value for view in artifact.visualizations or ()} == {"html", "markdown"}


def test_words_that_tell_the_labels_are_learnt_and_scored(trained: PipelineRunResponse) -> None:
    evaluation: Evaluation = _output(trained, "evaluate_baseline", "evaluation")
    assert evaluation.choice == "baseline"
    assert evaluation.model("baseline").score("accuracy").value > 0.9
    assert evaluation.differences == ()


def test_models_are_compared_on_the_same_rows(
    trained: PipelineRunResponse, dataset: Dataset
) -> None:
    evaluation: Evaluation = _output(trained, "evaluate_full", "evaluation")
    assert [model.kind for model in evaluation.models] == ["full", "baseline", "scratch"]
    assert evaluation.n_test == len(dataset.test)
    assert {one.first for one in evaluation.differences} == {"full", "scratch"}
    full, baseline = evaluation.model("full"), evaluation.model("baseline")
    difference = next(
        one for one in evaluation.differences if (one.first, one.metric) == ("full", "accuracy")
    )
    assert difference.mean == pytest.approx(
        full.score("accuracy").value - baseline.score("accuracy").value
    )
    artifact = trained.steps["evaluate_full"].outputs["evaluation"][0]
    assert artifact.run_metadata["full/accuracy"] == pytest.approx(full.score("accuracy").value)


def test_predictions_are_a_table_and_a_file_in_the_order_of_the_rows(
    trained: PipelineRunResponse, data_file: Path, answers: Path
) -> None:
    table: pd.DataFrame = _output(trained, "predict", "predictions")
    rows = pd.read_csv(data_file)
    assert list(table.columns) == ["text", "label", "probability"]
    assert list(table["text"]) == list(rows["text"])
    assert (table["label"] == rows["label"]).mean() > 0.9
    model = load(_model(trained, "baseline").path)
    expected = [one.probability for one in model.predict(list(rows["text"]))]
    assert list(table["probability"]) == pytest.approx(expected)
    pd.testing.assert_frame_equal(pd.read_csv(answers), table, check_exact=False)


def test_predictions_are_kept_without_a_pickle(trained: PipelineRunResponse) -> None:
    artifact = trained.steps["predict"].outputs["predictions"][0]
    assert artifact.materializer.attribute == "PandasMaterializer"
    files = [file for file in Path(artifact.uri).rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if file.suffix in (".pkl", ".pickle")]


def test_a_file_is_answered_in_batches(
    trained: PipelineRunResponse,
    data_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = _model(trained, "baseline")
    whole = predict.entrypoint(model, str(data_file))
    monkeypatch.setattr("zenml_ftvr.steps.evaluate.PREDICTED_ROWS", 100)
    sizes = []

    class Counting:
        def __init__(self, path: str, allow: Sequence[Any]) -> None:
            self._model = load(path, allow)
            self.task = self._model.task

        def predict(self, texts: list[str]) -> Any:
            sizes.append(len(texts))
            return self._model.predict(texts)

    monkeypatch.setattr("zenml_ftvr.steps.evaluate.load", Counting)
    out = tmp_path / "out.csv"
    batched = predict.entrypoint(model, str(data_file), output_path=str(out))
    assert sizes == [100, 100, 40]
    pd.testing.assert_frame_equal(batched, whole)
    assert len(pd.read_csv(out)) == 240


def test_the_run_of_a_training_is_kept_offline_and_can_be_found(
    trained: PipelineRunResponse,
) -> None:
    folders = set()
    for kind in KINDS:
        tracked = _model(trained, kind).tracked
        assert tracked is not None
        assert tracked.url is None
        assert tracked.offline_folder is not None
        assert Path(tracked.offline_folder, f"run-{tracked.run_id}.wandb").is_file()
        assert tracked.name == f"{kind}-{_model(trained, kind).plan.fingerprint[:6]}"
        folders.add(tracked.offline_folder)
    assert len(folders) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_and_no_label_of_the_users_goes_to_wandb(
    trained: PipelineRunResponse, dataset: Dataset, kind: Kind
) -> None:
    tracked = _model(trained, kind).tracked
    assert tracked is not None
    kept = b"".join(
        file.read_bytes() for file in Path(str(tracked.offline_folder)).rglob("*") if file.is_file()
    )
    assert tracked.run_id.encode() in kept
    assert b"every_approach" in kept  # the group
    for word in (*dataset.labels, *dataset.train.texts[:50], "rudder", "onion", "bishop"):
        assert word.encode() not in kept


def test_a_data_sets_profile_sees_the_base_models_tokenizer(
    decided: PipelineRunResponse, dataset: Dataset, base: ModelSource
) -> None:
    profile = _output(decided, "profile_data", "profile")
    assert profile.fingerprint == dataset.fingerprint
    assert profile.n_rows == 240
    assert profile.tokens is not None
    assert profile.tokens.tokenizer == base.name


def test_the_arms_on_offer_are_calibrated_and_ranked(
    decided: PipelineRunResponse, request_: Request
) -> None:
    recommendation: Recommendation = _output(decided, "recommend_approach", "recommendation")
    assert {arm.kind for arm in recommendation.arms} == {"baseline", "head"}
    assert {arm.kind for arm in recommendation.calibration.arms} == {"baseline", "head"}
    assert recommendation.calibration == _output(decided, "calibrate", "calibration")
    assert recommendation.budget == request_.budget
    assert recommendation.choice == "baseline"  # the base model's weights are random
    artifact = decided.steps["recommend_approach"].outputs["recommendation"][0]
    assert artifact.run_metadata["verdict"] == recommendation.verdict


def test_where_the_share_pays_for_no_pilots_the_evidence_says_so(
    decided: PipelineRunResponse,
) -> None:
    pilots: PilotEvidence = _output(decided, "run_pilots", "pilots")
    assert pilots.runs == ()
    assert pilots.stopped is not None
    assert pilots.stopped.startswith("Calibration took ")
    assert _output(decided, "recommend_approach", "recommendation").pilots == pilots


def test_pilots_are_evidence_for_the_recommendation(
    decided: PipelineRunResponse, dataset: Dataset, request_: Request
) -> None:
    profile = _output(decided, "profile_data", "profile")
    quick = dataclasses.replace(_output(decided, "calibrate", "calibration"), seconds=0.0)
    asked = dataclasses.replace(request_, pilots=PilotSettings(share=0.5))
    pilots = run_pilots.entrypoint(dataset, profile, quick, asked)
    assert "baseline" in pilots.kinds
    answer = recommend_approach.entrypoint(dataset, profile, quick, pilots, asked)
    assert answer.pilots == pilots
    spent = {one.kind: one.seconds for one in answer.ledger.entries if one.what == "pilots"}
    assert set(spent) == {one.kind for one in pilots.runs}
    assert sum(spent.values()) == pytest.approx(pilots.seconds)


def test_with_a_recommendation_its_plan_is_trained(decided: PipelineRunResponse) -> None:
    recommendation: Recommendation = _output(decided, "recommend_approach", "recommendation")
    for kind in ("baseline", "head"):
        assert _model(decided, kind).plan == recommendation.arm(kind).plan
    assert _model(decided, "head").plan.seed == 5


def test_everything_that_was_spent_is_in_one_ledger(decided: PipelineRunResponse) -> None:
    evaluation: Evaluation = _output(decided, "evaluate_model", "evaluation")
    assert [(entry.what, entry.kind) for entry in evaluation.ledger.entries] == [
        ("calibration", None),
        ("cross-validation", None),
        ("training", "head"),
        ("training", "baseline"),
        ("evaluation", "head"),
        ("evaluation", "baseline"),
        ("evaluation", None),  # what was measured besides scores: nothing foretells it
    ]
    assert evaluation.ledger.usd_per_hour == 0.4
    predicted = [entry.predicted_seconds for entry in evaluation.ledger.entries[2:-1]]
    assert all(seconds is not None and seconds > 0 for seconds in predicted)


def test_the_report_is_on_disk_and_in_the_dashboard(
    decided: PipelineRunResponse, report_folder: Path
) -> None:
    html = (report_folder / "report.html").read_text(encoding="utf-8")
    markdown = (report_folder / "report.md").read_text(encoding="utf-8")
    assert html == _output(decided, "publish_report", "report")
    assert markdown == _output(decided, "publish_report", "report_markdown")
    written = ["report.html", "report.md", "wandb_report.json"]
    assert sorted(path.name for path in report_folder.iterdir()) == written
    recommendation: Recommendation = _output(decided, "recommend_approach", "recommendation")
    metadata = decided.steps["publish_report"].run_metadata
    assert metadata["verdict"] == recommendation.verdict
    assert metadata["report"] == str(report_folder / "report.html")


def test_the_report_names_the_models_where_they_are_now(
    decided: PipelineRunResponse, report_folder: Path
) -> None:
    html = (report_folder / "report.html").read_text(encoding="utf-8")
    for kind in ("baseline", "head"):
        path = _model(decided, kind).path
        assert path in html
        assert load(path).kind == kind


def test_the_ranking_is_attached_to_the_run_of_the_training(decided: PipelineRunResponse) -> None:
    tracked = _model(decided, "head").tracked
    assert tracked is not None
    tables = list(Path(str(tracked.offline_folder)).glob("files/media/table/ftvr/*.json"))
    [table] = [file.read_text(encoding="utf-8") for file in tables]
    assert '"baseline"' in table
    assert '"head"' in table


def test_an_arm_without_a_plan_is_not_trained(dataset: Dataset) -> None:
    recommendation = hand_made.recommendation()
    with pytest.raises(TrainingError, match=r"no plan for 'lora': it needs about 20.0 GiB.*'head'"):
        finetune_lora.entrypoint(dataset, recommendation)


def test_a_baseline_that_was_not_on_offer_follows_the_choice(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    whole = hand_made.recommendation()
    arms = tuple(arm for arm in whole.arms if arm.kind != "baseline")
    plans = []
    monkeypatch.setattr("zenml_ftvr.steps.train._train", lambda plan, *rest: plans.append(plan))
    train_baseline.entrypoint(dataset, dataclasses.replace(whole, arms=arms))
    [plan] = plans
    assert plan.kind == "baseline"
    assert plan.seed == 7  # the choice's
    assert plan.data_fingerprint == dataset.fingerprint


def test_a_local_file_is_refused_where_steps_run_elsewhere(
    source: DataSource, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.orchestrators.local.local_orchestrator import LocalOrchestratorConfig

    from zenml_ftvr.errors import DataError

    monkeypatch.setattr(LocalOrchestratorConfig, "is_remote", property(lambda self: True))
    with pytest.raises(DataError, match=r"is on this machine"):
        load_data.entrypoint(source)
