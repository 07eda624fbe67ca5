"""Predicted against measured hours and memory of whole trainings, a process each.

    OMP_NUM_THREADS=1 python benchmarks/cost.py            # what is not measured yet, then the sums
    python benchmarks/cost.py --score                      # the sums alone, from what was measured

Plans of several approaches, model sizes and lengths are predicted from a calibration made in a
process of its own, half of them from one made at another length, and then run whole. Every
measurement is a line of `results/cost.jsonl`; `results/cost.json` is worked out from those lines,
so that the arithmetic can be mended without measuring again. `docstrings` is the data, cut to a
number of rows; MiniLM is the embedded model, the other models have random weights.

Seconds are of the processor (`time.process_time`) with one thread, in calibration and training
alike: on a machine that others use, a clock measures them too. Imports are done and a tiny model is
trained before anything is measured. Memory is the peak above what the process held then.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from zenml_ftvr.values import (
    Approach,
    Calibration,
    Contrastive,
    Full,
    Hardware,
    Head,
    Kind,
    Lora,
    Partial,
    Scratch,
)

RESULTS = Path(__file__).parent / "results"
LINES, SUMS = RESULTS / "cost.jsonl", RESULTS / "cost.json"

N_ROWS = 480  # of the corpus; three quarters are trained on
APPROACHES: dict[Kind, Approach] = {
    "head": Head(),
    "contrastive": Contrastive(pairs=320),
    "partial": Partial(epochs=3.0),
    "full": Full(epochs=2.0),
    "lora": Lora(epochs=2.0),
    "scratch": Scratch(epochs=6.0, depth=3),
}
MODELS: dict[str, tuple[int, int, int] | None] = {
    "2x128": (2, 128, 2),
    "4x256": (4, 256, 4),
    "12x384": (12, 384, 12),
    "minilm": None,
}
"""Layers, width and heads of a BERT with random weights; None: the embedded model."""
NO_MODEL = "own"  # of `scratch`, which builds one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A training to be predicted, and the length at which the calibration for it was made."""

    kind: Kind
    model: str
    length: int
    calibrated_at: int


def _case(kind: Kind, model: str, length: int, calibrated_at: int) -> Case:
    return Case(kind=kind, model=model, length=length, calibrated_at=calibrated_at)


CASES = (
    _case("full", "minilm", 64, 64),
    _case("full", "minilm", 128, 32),
    _case("lora", "minilm", 64, 64),
    _case("lora", "minilm", 128, 32),
    _case("partial", "minilm", 128, 128),
    _case("head", "minilm", 128, 64),
    _case("contrastive", "minilm", 64, 64),
    _case("full", "2x128", 128, 128),
    _case("lora", "2x128", 64, 128),
    _case("full", "4x256", 64, 64),
    _case("partial", "4x256", 128, 64),
    _case("contrastive", "4x256", 128, 64),
    _case("full", "12x384", 64, 32),
    _case("lora", "12x384", 32, 32),
    _case("scratch", NO_MODEL, 128, 128),
    _case("scratch", NO_MODEL, 64, 128),
)


def write_model(folder: Path, layers: int, hidden: int, heads: int) -> None:
    """A BERT with random weights and MiniLM's tokenizer."""
    import torch
    from transformers import AutoModel, BertConfig

    from zenml_ftvr.models import resolve
    from zenml_ftvr.models.resolve import load_tokenizer
    from zenml_ftvr.values import ModelSource

    torch.manual_seed(0)
    tokenizer = load_tokenizer(resolve(ModelSource(name="minilm")).folder)
    config = BertConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        vocab_size=len(tokenizer),
    )
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class Setting:
    """What one measurement is made on: data, model, and the basis of plans."""

    def __init__(self, model: str, length: int, folder: Path, n_rows: int = N_ROWS) -> None:
        from zenml_ftvr.api import basis_for, profile_dataset, resolve_base
        from zenml_ftvr.data import dataset_from
        from zenml_ftvr.data.corpora import read_corpus
        from zenml_ftvr.values import Budget, ModelSource, Request, TextClassification

        texts, labels = read_corpus("docstrings")
        pairs = list(zip(texts, labels, strict=True))[:n_rows]
        # Two classes, so that few rows have both in every split.
        rows = [{"text": text, "label": str(label < "f")} for text, label in pairs]
        name = model
        if (sizes := MODELS.get(model)) is not None:
            name = str(folder / model)
            write_model(Path(name), *sizes)
        task = TextClassification(max_length=length)
        approaches: tuple[Approach, ...] = (Scratch(),) if model == NO_MODEL else (Full(),)
        request = Request(
            budget=Budget(hours=100),
            approaches=approaches,
            base_model=ModelSource(name="minilm" if model == NO_MODEL else name),
            task=task,
        )
        self.dataset = dataset_from(rows, task=task)
        self.base = resolve_base(request)
        profile_with = self.base
        if profile_with is None:  # the profile counts tokens with a base model's tokenizer
            needs = dataclasses.replace(request, approaches=(Full(),))
            profile_with = resolve_base(needs)
        profile = profile_dataset(self.dataset, profile_with, request)
        self.basis = basis_for(profile, self.base, request)


def imports_and_first_calls(folder: Path, kind: Kind) -> None:
    """Train a tiny model the same way, so that what follows pays for no import and no first call."""
    from zenml_ftvr.decide import make_plan
    from zenml_ftvr.hardware import detect
    from zenml_ftvr.pilot import calibrate
    from zenml_ftvr.train import run_plan

    MODELS["tiny"] = (1, 32, 2)
    model = NO_MODEL if kind == "scratch" else "tiny"
    setting = Setting(model, 16, folder, n_rows=120)
    small: dict[Kind, Approach] = {
        **APPROACHES,
        "contrastive": Contrastive(pairs=32),
        "scratch": Scratch(epochs=1.0, depth=1),
    }
    approach = small[kind]
    calibrate(setting.dataset, setting.base, setting.basis, [approach], detect())
    plan = make_plan(approach, setting.basis)
    run_plan(plan, setting.dataset, folder / "warm", detect(), runs=folder / "warm-runs")


def measure_calibration(model: str, length: int, kind: Kind, folder: Path) -> dict[str, Any]:
    """A calibration of one arm, in seconds of the processor."""
    calibrating = importlib.import_module("zenml_ftvr.pilot.calibrate")
    import zenml_ftvr.pilot.latency as timing
    from zenml_ftvr.hardware import detect

    processor = types.SimpleNamespace(monotonic=time.process_time)
    calibrating.time = timing.time = processor  # type: ignore[attr-defined]
    setting = Setting(model, length, folder)
    calibration = calibrating.calibrate(
        setting.dataset, setting.base, setting.basis, [APPROACHES[kind]], detect()
    )
    facts = dataclasses.replace(setting.basis.facts, alphabet=None)
    return {
        "calibration": TypeAdapter(Calibration).dump_python(calibration, mode="json"),
        "facts": TypeAdapter(type(facts)).dump_python(facts, mode="json"),
        "flops_per_second": matrix_flops_per_second(),
    }


def measure_run(model: str, length: int, kind: Kind, folder: Path) -> dict[str, Any]:
    """One whole training of the plan: seconds of the processor, and peak memory."""
    from zenml_ftvr.decide import make_plan
    from zenml_ftvr.hardware import detect
    from zenml_ftvr.train import run_plan

    loop = importlib.import_module("zenml_ftvr.train.loop")
    # So little training may end in one class for every row, and would be done again.
    loop.only_class = lambda answers: -1.0
    setting = Setting(model, length, folder)
    plan = make_plan(APPROACHES[kind], setting.basis)
    started = time.process_time()
    trained = run_plan(plan, setting.dataset, folder / "model", detect(), runs=folder / "runs")
    facts = dataclasses.replace(setting.basis.facts, alphabet=None)
    return {
        "seconds": time.process_time() - started,
        "peak_memory_gib": trained.peak_memory_gib,
        "steps": trained.steps_done,
        "facts": TypeAdapter(type(facts)).dump_python(facts, mode="json"),
    }


def matrix_flops_per_second() -> float:
    """What numpy reaches in products of matrices, in seconds of the processor."""
    from zenml_ftvr.hardware import matrix_flops_per_second as measured

    return measured(time.process_time)


def measurements() -> list[tuple[str, Kind, str, int]]:
    """What has to be measured for the cases: of each calibration and run what, arm, model, length."""
    wanted: dict[tuple[str, Kind, str, int], None] = {}
    for case in CASES:
        wanted["calibration", case.kind, case.model, case.calibrated_at] = None
        wanted["run", case.kind, case.model, case.length] = None
    return list(wanted)


def stored() -> dict[tuple[str, Kind, str, int], dict[str, Any]]:
    """The measurements that are there."""
    if not LINES.exists():
        return {}
    lines = [json.loads(line) for line in LINES.read_text(encoding="utf-8").splitlines()]
    return {(one["what"], one["kind"], one["model"], one["length"]): one for one in lines}


def measure_missing() -> None:
    """Each missing measurement in a process of its own; a line is appended as each is done."""
    done = stored()
    LINES.parent.mkdir(exist_ok=True)
    for what, kind, model, length in measurements():
        if (what, kind, model, length) in done:
            continue
        arguments = ["--measure", what, kind, model, str(length)]
        answer = subprocess.run(  # noqa: S603  (this script, with arguments of its own)
            [sys.executable, __file__, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        )
        if answer.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{answer.stderr[-2000:]}")
        line = answer.stdout.strip().splitlines()[-1]
        with LINES.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        print(what, kind, model, length, flush=True)


def measure(what: str, kind: Kind, model: str, length: int) -> None:
    """One measurement, printed as a line of JSON."""
    import torch

    from zenml_ftvr.hardware import detect, installed_versions

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="ftvr-cost-") as name:
        folder = Path(name)
        os.environ["ZENML_FTVR_CACHE"] = str(folder / "cache")
        imports_and_first_calls(folder, kind)
        took = measure_calibration if what == "calibration" else measure_run
        found = took(model, length, kind, folder)
    line = {
        "what": what,
        "kind": kind,
        "model": model,
        "length": length,
        **found,
        "date": datetime.date.today().isoformat(),
        "hardware": TypeAdapter(Hardware).dump_python(detect(), mode="json"),
        "versions": installed_versions(),
    }
    print(json.dumps(line))


def score() -> None:
    """Predict every case from its stored calibration, and compare."""


def main() -> None:
    """Measure what is missing, then work out the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=4, metavar=("WHAT", "KIND", "MODEL", "LENGTH"))
    parser.add_argument("--score", action="store_true", help="from the lines that are there")
    arguments = parser.parse_args()
    if arguments.measure:
        what, kind, model, length = arguments.measure
        measure(what, kind, model, int(length))
        return
    if not arguments.score:
        measure_missing()
    score()


if __name__ == "__main__":
    main()
