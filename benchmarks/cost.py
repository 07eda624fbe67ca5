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

import numpy as np
from pydantic import TypeAdapter

from zenml_ftvr.approaches import TrainingFacts
from zenml_ftvr.decide import PlanBasis
from zenml_ftvr.decide.cost import price_arm
from zenml_ftvr.decide.estimate import PROCESSOR_UTILISATION, Rate, arithmetic_calibration
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.values import (
    Approach,
    Calibration,
    Contrastive,
    Full,
    Hardware,
    Head,
    Kind,
    Lora,
    ModelSource,
    Partial,
    Scratch,
    TextClassification,
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
        from zenml_ftvr.values import Budget, Request

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
    """Train a tiny model the same way, so that nothing measured pays for a first call."""
    from zenml_ftvr.decide import make_plan
    from zenml_ftvr.hardware import detect
    from zenml_ftvr.pilot import calibrate
    from zenml_ftvr.train import run_plan

    MODELS["tiny"] = (2, 32, 2)
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
    from zenml_ftvr.hardware import detect
    from zenml_ftvr.pilot import calibrate

    processor = types.SimpleNamespace(monotonic=time.process_time)
    for name in (
        "calibrate.solved",
        "calibrate.stepped",
        "calibrate.pairs",
        "calibrate.stopwatch",
        "latency",
    ):
        importlib.import_module(f"zenml_ftvr.pilot.{name}").time = processor  # type: ignore[attr-defined]
    setting = Setting(model, length, folder)
    calibration = calibrate(
        setting.dataset, setting.base, setting.basis, [APPROACHES[kind]], detect()
    )
    # The folder that the model lay in is gone by then.
    calibration = dataclasses.replace(calibration, model=ModelSource(name=model))
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
    """What has to be measured for the cases: what, arm, model and length of each."""
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


def plan_basis_of(case: Case, calibration: Calibration, ran: dict[str, Any]) -> PlanBasis:
    """What the case's plan is made from: the rows that were trained on."""
    return PlanBasis(
        task=TextClassification(max_length=case.length),
        source=calibration.model,
        model_fingerprint="",
        data_fingerprint=calibration.data_fingerprint,
        labels=("False", "True"),
        facts=TypeAdapter(TrainingFacts).validate_python(ran["facts"]),
        seed=0,
    )


def predicted(case: Case, calibration: Calibration, ran: dict[str, Any]) -> tuple[float, float]:
    """Seconds and GiB of the case's training, priced from a calibration."""
    basis = plan_basis_of(case, calibration, ran)
    arm = price_arm(APPROACHES[case.kind], basis, calibration, 1e9, 0.0)
    if arm.plan is None or arm.cost is None or arm.plan.predicted_hours is None:
        raise SystemExit(f"{case} was not planned: {arm.problems}")
    peak = arm.cost.peak_memory_gib - calibration.process_memory_gib
    return arm.plan.predicted_hours * 3600, peak


def by_arithmetic(
    case: Case, calibration: Calibration, flops_per_second: float, ran: dict[str, Any]
) -> tuple[float, float]:
    """The same where nothing was calibrated: operations at a share of numpy's rate."""
    basis = plan_basis_of(case, calibration, ran)
    base = basis.facts.architecture
    shape = None if base is None else ModelShape(model_type="bert", architecture=base)
    rate = Rate(flops_per_second=PROCESSOR_UTILISATION * flops_per_second, why="")
    arithmetic = arithmetic_calibration(
        [APPROACHES[case.kind]], basis, shape, calibration.hardware, rate
    )
    return predicted(case, arithmetic, ran)


def errors(values: Sequence[tuple[float, float]]) -> list[float]:
    """Of predicted and measured values, the difference as a share of what was measured."""
    return [abs(one - other) / other for one, other in values]


def score() -> None:
    """Predict every case whose measurements are there, and write how far off that was."""
    lines = stored()
    rows = []
    for case in CASES:
        calibrated = lines.get(("calibration", case.kind, case.model, case.calibrated_at))
        ran = lines.get(("run", case.kind, case.model, case.length))
        if calibrated is None or ran is None:
            continue
        calibration = TypeAdapter(Calibration).validate_python(calibrated["calibration"])
        seconds, peak = predicted(case, calibration, ran)
        plain_seconds, plain_peak = by_arithmetic(
            case, calibration, calibrated["flops_per_second"], ran
        )
        rows.append(
            {
                **dataclasses.asdict(case),
                "seconds": ran["seconds"],
                "predicted_seconds": seconds,
                "arithmetic_seconds": plain_seconds,
                "memory_gib": ran["peak_memory_gib"],
                "predicted_memory_gib": peak,
                "arithmetic_memory_gib": plain_peak,
            }
        )
    sums: dict[str, Any] = {"plans": len(rows)}
    for name, prefix, suffix in (
        ("hours", "predicted_seconds", ""),
        ("memory", "predicted_memory_gib", ""),
        ("hours", "arithmetic_seconds", "_uncalibrated"),
        ("memory", "arithmetic_memory_gib", "_uncalibrated"),
    ):
        measured = "seconds" if name == "hours" else "memory_gib"
        off = errors([(row[prefix], row[measured]) for row in rows])
        sums[f"{name}_error_median{suffix}"] = round(float(np.median(off)), 4)
        sums[f"{name}_error_p90{suffix}"] = round(float(np.quantile(off, 0.9)), 4)
    sums["predicted_from_another_length"] = sum(
        row["length"] != row["calibrated_at"] for row in rows
    )
    last = list(lines.values())[-1]
    sums["cases"] = rows
    sums["clock"] = "seconds of the processor, one thread, in calibration and training"
    sums |= {name: last[name] for name in ("date", "hardware", "versions")}
    SUMS.write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row['kind']:12}{row['model']:8}{row['length']:4} from {row['calibrated_at']:3}  "
            f"{row['seconds']:6.1f} s {row['predicted_seconds'] / row['seconds'] - 1:+.2f} "
            f"({row['arithmetic_seconds'] / row['seconds'] - 1:+.2f})  "
            f"{row['memory_gib']:.3f} GiB "
            f"{row['predicted_memory_gib'] / row['memory_gib'] - 1:+.2f} "
            f"({row['arithmetic_memory_gib'] / row['memory_gib'] - 1:+.2f})"
        )
    print({name: value for name, value in sums.items() if "error" in name or name == "plans"})


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
