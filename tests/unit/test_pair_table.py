"""Every approach with every task: those that make sense work, the others say why they do not.

A task more is an entry in `TASKS`: rows that can be learnt, a base model, and what to say of a row
when nothing was learnt. What else every pair must do is one more test over `SENSIBLE`.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import math
import random
import runpy
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from tiny_language_models import letters_tokenizer, save_model, tiny_bart, tiny_gpt2
from topics import NOISE, TOPICS, VOCABULARY

from zenml_ftvr.api import basis_for, plan_for, profile_dataset, recommend, resolve_base
from zenml_ftvr.approaches import NEURAL_LOOP, refusal
from zenml_ftvr.data import Dataset, dataset_from, text_of
from zenml_ftvr.decide import PilotArm, PilotProtocol, PricedArm
from zenml_ftvr.errors import BudgetError, TrainingError
from zenml_ftvr.models import load
from zenml_ftvr.pilot import PilotBench, run_pilots, set_apart
from zenml_ftvr.report import usage_lines
from zenml_ftvr.tasks import score, work_for
from zenml_ftvr.tasks.predictions import NumberPrediction, SetPrediction, TagPrediction
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    Approach,
    Baseline,
    Budget,
    Calibration,
    CausalLM,
    Contrastive,
    DataSource,
    Full,
    Hardware,
    Head,
    ImageClassification,
    Kind,
    Lora,
    ModelSource,
    Partial,
    Request,
    Scratch,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
    TrainedModel,
    metric_of,
    pilot_metric,
)

Row = dict[str, Any]

APPROACHES: dict[Kind, Approach] = {
    "baseline": Baseline(),
    "head": Head(),
    "contrastive": Contrastive(learning_rate=1e-3, pairs=480, batch_size=16),
    "partial": Partial(learning_rate=1e-2, epochs=8, batch_size=16, layers=1),
    "full": Full(learning_rate=3e-3, epochs=8, batch_size=16),
    "lora": Lora(learning_rate=8e-3, epochs=8, batch_size=16, rank=8),
    "scratch": Scratch(epochs=8, batch_size=16, depth=2, vocabulary_size=VOCABULARY),
}
"""Knobs with which each approach learns a small data set in about a second."""


def texts_of_one_topic(rng: random.Random) -> Row:
    topic = rng.choice(sorted(TOPICS))
    return {"text": _text(rng, rng.sample(TOPICS[topic].split(), 3)), "label": topic}


def texts_of_any_topics(rng: random.Random) -> Row:
    """Each topic is there or not."""
    topics = [topic for topic in sorted(TOPICS) if rng.random() < 0.5]
    words = [word for topic in topics for word in rng.sample(TOPICS[topic].split(), 3)]
    return {"text": _text(rng, words), "label": topics}


def texts_that_count(rng: random.Random) -> Row:
    """The number is that of words of one topic, less that of another's."""
    first, second = rng.randint(0, 4), rng.randint(0, 4)
    words = rng.sample(TOPICS["chess"].split(), first)
    words += rng.sample(TOPICS["cooking"].split(), second)
    return {"text": _text(rng, words), "label": 10.0 + first - second}


def tagged_words(rng: random.Random) -> Row:
    """A topic's word is a span of that topic; two of one topic in a row are one span."""
    words, tags = [], []
    for _ in range(rng.randint(3, 6)):
        if rng.random() < 0.6:
            words.append(rng.choice(NOISE.split()))
            tags.append("O")
            continue
        topic = rng.choice(sorted(TOPICS))
        span = rng.sample(TOPICS[topic].split(), rng.randint(1, 2))
        words += [*span, "the"]  # which ends the span
        tags += [f"B-{topic}", *[f"I-{topic}"] * (len(span) - 1), "O"]
    return {"text": words, "label": tags}


def striped_images(rng: random.Random) -> Row:
    """Stripes across, upright, or none."""
    label = rng.choice(["across", "plain", "upright"])
    pixels = np.asarray([rng.randint(0, 60) for _ in range(64)], dtype=np.uint8).reshape(8, 8)
    if label == "across":
        pixels[::2] += 150
    if label == "upright":
        pixels[:, ::2] += 150
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(stream, "PNG")
    return {"text": stream.getvalue(), "label": label}


def _text(rng: random.Random, words: list[str]) -> str:
    words = [*words, *rng.sample(NOISE.split(), rng.randint(2, 5))]
    rng.shuffle(words)
    return " ".join(words)


def texts_of_one_kind(rng: random.Random) -> Row:
    """Words of one topic again and again: what comes next can be foretold."""
    words = TOPICS[rng.choice(sorted(TOPICS))].split()[:3]
    return {"text": f"{' '.join(words * 2)} {rng.randint(0, 9_999)}", "label": None}


def prompts_and_answers(rng: random.Random) -> Row:
    """The topic of a word."""
    topic = rng.choice(sorted(TOPICS))
    word = rng.choice(TOPICS[topic].split())
    return {"text": f"{rng.randint(0, 9_999)} {word}:", "label": f" {topic}"}


def conversations(rng: random.Random) -> Row:
    row = prompts_and_answers(rng)
    asked = {"role": "user", "content": row["text"]}
    return {"text": [asked, {"role": "assistant", "content": row["label"]}], "label": None}


def any_byte(dataset: Dataset) -> Any:
    """Eight bits a byte."""
    lengths = [len(text_of(one).encode()) for one in dataset.test.inputs]
    return np.asarray([(n * np.log(256), n, n, 0) for n in lengths])


def the_commonest_answer(dataset: Dataset) -> Any:
    return [Counter(dataset.train.targets).most_common(1)[0][0]] * len(dataset.test)


def the_commonest_class(dataset: Dataset) -> Any:
    commonest = Counter(dataset.train.labels).most_common(1)[0][0]
    said = np.zeros((len(dataset.test), len(dataset.labels)), dtype=np.float32)
    said[:, dataset.labels.index(commonest)] = 1.0
    return said


def every_label(dataset: Dataset) -> Any:
    return np.ones((len(dataset.test), len(dataset.labels)), dtype=np.float32)


def the_mean(dataset: Dataset) -> Any:
    return np.full((len(dataset.test), 1), np.mean(dataset.train.targets), dtype=np.float32)


def the_commonest_tag(dataset: Dataset) -> Any:
    tags = Counter(tag for row in dataset.train.targets for tag in row)
    return [[tags.most_common(1)[0][0]] * len(row) for row in dataset.test.targets]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCase:
    """A task, and what can be tried of it."""

    task: Task
    row: Callable[[random.Random], Row]
    base: str
    """The fixture with the folder of a base model."""
    trivial: Callable[[Dataset], Any]
    """Outputs for the test split from which nothing was learnt."""
    approaches: dict[Kind, Approach] = field(default_factory=dict)
    """Those that need other knobs here."""
    n_rows: int = 160


LONGER: dict[Kind, Approach] = {
    "partial": Partial(learning_rate=1e-2, epochs=24, batch_size=8, layers=1),
    "full": Full(learning_rate=5e-3, epochs=24, batch_size=8),
    "lora": Lora(learning_rate=1e-2, epochs=24, batch_size=8, rank=8),
    "scratch": Scratch(epochs=24, batch_size=8, depth=2, vocabulary_size=VOCABULARY),
}
"""Short documents share blocks, so that an epoch has few steps."""

TASKS: dict[str, TaskCase] = {
    "text-single": TaskCase(
        task=TextClassification(max_length=32),
        row=texts_of_one_topic,
        base="bert_folder",
        trivial=the_commonest_class,
    ),
    "text-multi": TaskCase(
        task=TextClassification(max_length=32, target="multi"),
        row=texts_of_any_topics,
        base="bert_folder",
        trivial=every_label,
        approaches={
            "partial": Partial(learning_rate=1e-2, epochs=24, batch_size=16, layers=1),
            "lora": Lora(learning_rate=1e-2, epochs=16, batch_size=16, rank=8),
        },
    ),
    "text-regression": TaskCase(
        task=TextClassification(max_length=32, target="regression"),
        row=texts_that_count,
        base="bert_folder",
        trivial=the_mean,
    ),
    "token": TaskCase(
        task=TokenClassification(max_length=32),
        row=tagged_words,
        base="bert_folder",
        trivial=the_commonest_tag,
        approaches={
            "partial": Partial(learning_rate=1e-2, epochs=16, batch_size=16, layers=1),
            "lora": Lora(learning_rate=1e-2, epochs=16, batch_size=16, rank=8),
        },
    ),
    "language": TaskCase(
        task=CausalLM(max_length=48), row=texts_of_one_kind, base="gpt2_folder", trivial=any_byte
    ),
    "completion": TaskCase(
        task=CausalLM(form="completion", max_length=48),
        row=prompts_and_answers,
        base="gpt2_folder",
        trivial=any_byte,
        approaches=LONGER,
    ),
    "chat": TaskCase(
        task=CausalLM(form="chat", max_length=64),
        row=conversations,
        base="gpt2_folder",
        trivial=any_byte,
        approaches=LONGER,
    ),
    "seq2seq": TaskCase(
        task=Seq2Seq(max_length=80, max_target_length=16),
        row=texts_of_one_topic,
        base="bart_folder",
        trivial=the_commonest_answer,
        approaches={
            "full": Full(learning_rate=3e-3, epochs=20, batch_size=16),
            "lora": Lora(learning_rate=1e-2, epochs=30, batch_size=16, rank=16),
            "scratch": Scratch(epochs=20, batch_size=16, depth=2, vocabulary_size=VOCABULARY),
        },
    ),
    "image": TaskCase(
        task=ImageClassification(),
        row=striped_images,
        base="vit_folder",
        trivial=the_commonest_class,
    ),
}

PAIRS = [(name, kind) for name in TASKS for kind in APPROACHES]
SENSIBLE = [pair for pair in PAIRS if refusal(pair[1], TASKS[pair[0]].task) is None]
REFUSED = [pair for pair in PAIRS if pair not in SENSIBLE]
STEPPING = [pair for pair in SENSIBLE if pair[1] in NEURAL_LOOP]


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder that reads letters, with a chat template."""
    tokenizer = letters_tokenizer()
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message['role'] + '>' }}"
        "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}"
        "{% endgeneration %}{% else %}{{ message['content'] + '\n' }}{% endif %}{% endfor %}"
    )
    return save_model(tiny_gpt2(tokenizer), tokenizer, tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="session")
def bart_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder-decoder that reads and writes letters."""
    tokenizer = letters_tokenizer()
    return save_model(tiny_bart(tokenizer), tokenizer, tmp_path_factory.mktemp("bart"))


@pytest.fixture(scope="session")
def data_of() -> Callable[[str], Dataset]:
    """The rows of a task, split."""
    made: dict[str, Dataset] = {}

    def data(name: str) -> Dataset:
        if name not in made:
            case, rng = TASKS[name], random.Random(0)
            rows = [case.row(rng) for _ in range(case.n_rows)]
            source = DataSource(name="made", validation_fraction=0.25, test_fraction=0.25, fatal=())
            made[name] = dataset_from(rows, source, task=case.task)
        return made[name]

    return data


Pair = tuple[str, Kind]


@pytest.fixture(scope="session")
def trained_pair(
    data_of: Callable[[str], Dataset],
    hardware: Hardware,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Pair], TrainedModel]:
    """An approach trained on a task: once, however often it is asked for."""
    done: dict[Pair, TrainedModel] = {}

    def train(pair: Pair) -> TrainedModel:
        if pair not in done:
            name, kind = pair
            case = TASKS[name]
            approach = case.approaches.get(kind, APPROACHES[kind])
            base = ModelSource(name=str(request.getfixturevalue(case.base)))
            plan = plan_for(data_of(name), approach, base, case.task, seed=0)
            folder = tmp_path_factory.mktemp("pairs") / kind
            done[pair] = run_plan(plan, data_of(name), folder, hardware)
        return done[pair]

    return train


def ids(pair: Pair) -> str:
    return f"{pair[0]}-{pair[1]}"


@pytest.mark.parametrize("pair", SENSIBLE, ids=ids)
def test_it_answers_better_than_what_learnt_nothing(
    pair: Pair, trained_pair: Callable[[Pair], TrainedModel], data_of: Callable[[str], Dataset]
) -> None:
    model, dataset = trained_pair(pair), data_of(pair[0])
    work = work_for(model.plan.task, dataset)
    metric = model.plan.task.metric
    assert metric is not None
    reached = score(load(model.path).answers(dataset.test), metric)
    trivial = score(work.answers(TASKS[pair[0]].trivial(dataset), dataset.test), metric)
    better = trivial - reached if metric in LOWER_IS_BETTER else reached - trivial
    assert better > 0.1, f"{metric} {reached:.3f}, trivial {trivial:.3f}"


@pytest.mark.parametrize("pair", STEPPING, ids=ids)
def test_the_loss_falls(pair: Pair, trained_pair: Callable[[Pair], TrainedModel]) -> None:
    curve = trained_pair(pair).curve
    losses = [point.value for point in curve if point.metric == "train/loss"]
    third = len(losses) // 3
    assert third >= 3
    assert np.mean(losses[-third:]) < 0.95 * np.mean(losses[:third])


class Broken(Exception):  # noqa: N818  (stands for whatever ends a process)
    """Ends a training."""


RESUMED = [pair for pair in STEPPING if pair[1] != "contrastive"]
"""`contrastive` has no looks; tests/unit/train/test_resume_parts.py breaks it off between saves."""


@pytest.mark.parametrize("pair", RESUMED, ids=ids)
def test_a_training_that_broke_off_goes_on_to_the_same_weights(
    pair: Pair,
    trained_pair: Callable[[Pair], TrainedModel],
    data_of: Callable[[str], Dataset],
    hardware: Hardware,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    whole, data = trained_pair(pair), data_of(pair[0])
    if pair[1] == "partial":  # its kept states must be of one run: others batched rows otherwise
        monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "other"))
        whole = run_plan(whole.plan, data, tmp_path / "whole", hardware)
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    looks: list[int] = []

    def break_at_the_third_look(metrics: dict[str, float], step: int) -> None:
        if any(name.startswith("eval/") for name in metrics):
            looks.append(step)
            if len(looks) == 3:
                raise Broken

    plan = whole.plan
    with pytest.raises(Broken):
        run_plan(plan, data, tmp_path / "model", hardware, log=break_at_the_third_look)
    again = run_plan(plan, data, tmp_path / "model", hardware)
    assert f"It went on from the checkpoint after step {looks[1]}." in again.notes
    assert _weights(again) == _weights(whole)


def _weights(model: TrainedModel) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(model.path).glob("*.safetensors")}


MEASURED = [pair for pair in SENSIBLE if not isinstance(TASKS[pair[0]].task, CausalLM | Seq2Seq)]
"""Where training looks at the metric itself; of those that look at the loss,
tests/unit/tasks/test_causal_lm.py and test_seq2seq.py compare logits."""


@pytest.mark.parametrize("pair", MEASURED, ids=ids)
def test_what_was_saved_answers_as_what_was_trained(
    pair: Pair, trained_pair: Callable[[Pair], TrainedModel], data_of: Callable[[str], Dataset]
) -> None:
    model, dataset = trained_pair(pair), data_of(pair[0])
    metric = model.plan.task.metric
    assert metric is not None
    seen = [point.value for point in model.curve if point.metric == f"eval/{metric}"]
    best = min(seen) if metric in LOWER_IS_BETTER else max(seen)
    reloaded = score(load(model.path).answers(dataset.validation), metric)
    assert reloaded == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("pair", SENSIBLE, ids=ids)
def test_the_folder_answers_alike_wherever_it_lies(
    pair: Pair,
    trained_pair: Callable[[Pair], TrainedModel],
    data_of: Callable[[str], Dataset],
    tmp_path: Path,
) -> None:
    model, inputs = trained_pair(pair), data_of(pair[0]).test.inputs[:8]
    elsewhere = shutil.copytree(model.path, tmp_path / "elsewhere")
    here, there = load(model.path).predict(inputs), load(elsewhere).predict(inputs)
    assert here == there
    assert len(here) == len(inputs)


PROGRAMS = [pair for pair in SENSIBLE if pair[0] != "text-single"]
"""tests/unit/models/test_trained_folder.py runs those of one label a text."""

ASKED = {
    "text-multi": ["a text", "another"],
    "text-regression": ["a text", "another"],
    "token": [["words", "of", "a", "text"]],
    "language": ["a text"],
    "completion": ["a text"],
    "chat": [[{"role": "user", "content": "a question"}]],
    "seq2seq": ["a text"],
}


@pytest.mark.parametrize("pair", PROGRAMS, ids=ids)
def test_the_lines_that_a_report_shows_run_as_they_are(
    pair: Pair,
    trained_pair: Callable[[Pair], TrainedModel],
    data_of: Callable[[str], Dataset],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = trained_pair(pair)
    monkeypatch.chdir(tmp_path)
    if isinstance(model.plan.task, ImageClassification):
        Path("image.png").write_bytes(data_of(pair[0]).test.inputs[0])
    printed = []
    for lines in usage_lines(model, model.path):
        Path("use.py").write_text(lines, encoding="utf-8")
        capsys.readouterr()
        runpy.run_path("use.py")
        printed.append(capsys.readouterr().out)
    if pair[1] == "baseline":
        assert printed[1].strip()
        return
    if isinstance(model.plan.task, CausalLM | Seq2Seq):
        (written,) = load(model.path).predict(ASKED[pair[0]])
        assert printed[1] == f"{written.text}\n"  # which may be nothing
        return
    assert all(one.strip() for one in printed)
    asked = ASKED.get(pair[0], data_of(pair[0]).test.inputs[:1])
    said = ast.literal_eval(printed[1])
    match load(model.path).predict(asked):
        case [NumberPrediction(), *_] as answers:
            assert said == pytest.approx([one.value for one in answers], rel=1e-4)
        case [SetPrediction(), *_] as answers:
            assert said == [list(one.labels) for one in answers]
        case [TagPrediction() as answer]:
            assert said == list(answer.tags)
        case answers:
            assert said == [one.label for one in answers]


@pytest.mark.parametrize("pair", REFUSED, ids=ids)
def test_a_pair_that_makes_no_sense_does_not_train(
    pair: Pair,
    data_of: Callable[[str], Dataset],
    hardware: Hardware,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    name, kind = pair
    base = ModelSource(name=str(request.getfixturevalue(TASKS[name].base)))
    plan = plan_for(data_of(name), APPROACHES[kind], base, TASKS[name].task, seed=0)
    reason = refusal(kind, TASKS[name].task)
    with pytest.raises(TrainingError) as raised:
        run_plan(plan, data_of(name), tmp_path / "model", hardware)
    assert str(raised.value) == reason
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", sorted({name for name, _ in REFUSED}))
def test_a_recommendation_lists_what_makes_no_sense_with_the_reason(
    name: str, data_of: Callable[[str], Dataset], request: pytest.FixtureRequest
) -> None:
    kinds = [kind for of, kind in REFUSED if of == name]
    found = recommend(
        data_of(name),
        budget=Budget(hours=1.0),
        approaches=(Baseline(), *(APPROACHES[kind] for kind in kinds)),
        base_model=str(request.getfixturevalue(TASKS[name].base)),
        task=TASKS[name].task,
    )
    assert found.choice == "baseline"
    for kind in kinds:
        arm = next(arm for arm in found.arms if arm.approach.kind == kind)
        assert not arm.feasible
        assert refusal(kind, TASKS[name].task) in " ".join(arm.reasons)


@pytest.mark.parametrize("name", sorted({name for name, _ in REFUSED}))
def test_nothing_but_what_makes_no_sense_cannot_be_recommended(
    name: str, data_of: Callable[[str], Dataset], request: pytest.FixtureRequest
) -> None:
    kind = next(kind for of, kind in REFUSED if of == name)
    with pytest.raises(BudgetError, match="does not do"):
        recommend(
            data_of(name),
            budget=Budget(hours=1.0),
            approaches=(APPROACHES[kind],),
            base_model=str(request.getfixturevalue(TASKS[name].base)),
            task=TASKS[name].task,
        )


def test_the_table_has_every_approach() -> None:
    assert set(APPROACHES) == set(get_args(Kind))
    assert {kind for _, kind in SENSIBLE} == set(get_args(Kind))


@pytest.mark.parametrize("kind", ["baseline", "full"])
@pytest.mark.parametrize("name", TASKS)
def test_a_pilot_of_every_task_is_judged_between_0_and_1(
    name: str,
    kind: Kind,
    data_of: Callable[[str], Dataset],
    hardware: Hardware,
    request: pytest.FixtureRequest,
) -> None:
    case, data = TASKS[name], data_of(name)
    approach = Baseline() if kind == "baseline" else Full(learning_rate=3e-3, batch_size=16)
    source = ModelSource(name=str(request.getfixturevalue(case.base)))
    asked = Request(budget=Budget(hours=1), approaches=(approach,), base_model=source)
    asked = dataclasses.replace(asked, task=case.task)
    base = resolve_base(asked)
    basis = basis_for(profile_dataset(data, base, asked), base, asked)
    rows = set_apart(data, basis.task)
    bench = PilotBench(
        rows=rows,
        base=base,
        basis=basis,
        approaches={kind: approach},
        priced={kind: PricedArm(approach=approach, cost=None, plan=None, problems=())},
        calibration=Calibration(
            hardware=hardware,
            model=source,
            data_fingerprint=data.fingerprint,
            arms=(),
            process_memory_gib=0.0,
            seconds=0.0,
        ),
    )
    sizes = (24, 48)
    metric = metric_of(basis.task)
    protocol = PilotProtocol(
        arms=(
            PilotArm(
                kind=kind,
                training_seconds=9.0,
                seconds_at=dict.fromkeys((*sizes, len(rows.pool)), 1.0),
            ),
        ),
        sizes=sizes,
        n_pool=len(rows.pool),
        n_train=len(data.train),
        seconds_allowed=600.0,
        tolerance=0.0,
        metric=pilot_metric(metric),
        n_select=len(rows.select),
    )
    evidence = run_pilots(protocol, bench)
    assert {one.status for one in evidence.runs} == {"scored"}, evidence.runs
    scores = [one.score or 0.0 for one in evidence.runs]
    assert all(0 <= score <= 1 for score in scores)
    assert max(scores) > 0.05  # something was learnt
    packing = basis.facts.n_train / len(data.train)
    sizes_told = {one.n_train for one in evidence.runs}
    assert {math.ceil(packing * size) for size in sizes} <= sizes_told
