"""Measure language modelling on a file of plain text, in the setting that nanoGPT reports.

    python benchmarks/tinyshakespeare.py input.txt   # benchmarks/results/tinyshakespeare.jsonl

nanoGPT's readme gives 1.88 nats a character on the last tenth of the tiny Shakespeare file after
2,000 steps of 12 blocks of 64 characters on a CPU, for 4 layers of width 128 without dropout. It
draws blocks at random and decays the learning rate along a cosine; here each epoch sees every block
once, and the rate decays linearly. `loss` is of blocks of 64, as nanoGPT's; `nats_per_character` is
of the whole text in windows half a block apart, where every character has more to go on.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from appending import RESULTS, Run, append_missing

from zenml_ftvr.data import Dataset, Rows, row_id_of
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import load, quiet, resolve
from zenml_ftvr.tasks import score
from zenml_ftvr.train import print_progress, run_plan
from zenml_ftvr.values import (
    Approach,
    Baseline,
    CausalLM,
    DataSource,
    Full,
    ModelSource,
    TrainingPlan,
)

BLOCK, LAYERS, HEADS, WIDTH = 64, 4, 4, 128
STEPS, BATCH_SIZE, LEARNING_RATE, WARMUP_STEPS, WEIGHT_DECAY = 2_000, 12, 1e-3, 100, 0.1
"""All of nanoGPT's config/train_shakespeare_char.py with the changes its readme makes for CPUs."""
TRAIN_SHARE = 0.9
REPORTED = 1.88  # nats a character: nanoGPT's readme
TASK = CausalLM(max_length=BLOCK)


def dataset_of(text: str) -> Dataset:
    """The first nine tenths to train on, the rest to validate on."""
    end = int(TRAIN_SHARE * len(text))

    def rows(*texts: str) -> Rows:
        ids = pa.array([row_id_of(one) for one in texts], pa.string())
        given = pa.array(list(texts), pa.string())
        return Rows(pa.table({"row_id": ids, "text": given, "label": pa.nulls(len(texts))}))

    return Dataset(
        source=DataSource(name="tinyshakespeare.txt"),
        train=rows(text[:end]),
        validation=rows(text[end:]),
        test=rows(),
        labels=(),
        fingerprint=row_id_of(text) * 2,
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
    )


def save_untrained(text: str, folder: Path, seed: int) -> None:
    """A model with random weights, and a tokenizer of one token a character."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.decoders import Fuse
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, set_seed

    end, unknown = special = ["<|endoftext|>", "<|unknown|>"]
    letters = [*special, *sorted(set(text))]
    vocabulary = {letter: place for place, letter in enumerate(letters)}
    inner = Tokenizer(WordLevel(vocabulary, unk_token=unknown))
    inner.pre_tokenizer = Split(Regex(r"[\s\S]"), "isolated")
    inner.decoder = Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=end, eos_token=end, pad_token=end, unk_token=unknown
    )
    config = GPT2Config(
        vocab_size=len(letters),
        n_positions=BLOCK,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    set_seed(seed)
    with quiet():
        GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def plan_of(approach: Approach, dataset: Dataset, base: ModelSource | None, seed: int) -> Any:
    """nanoGPT's steps for what takes steps."""
    stepped = base is not None
    return TrainingPlan(
        approach=approach,
        task=TASK,
        model=base,
        model_fingerprint=None if base is None else resolve(base).fingerprint,
        data_fingerprint=dataset.fingerprint,
        labels=(),
        max_steps=STEPS if stepped else 0,
        batch_size=BATCH_SIZE if stepped else 1,
        learning_rate=LEARNING_RATE if stepped else None,
        warmup_steps=WARMUP_STEPS if stepped else 0,
        weight_decay=WEIGHT_DECAY if stepped else 0.0,
        eval_every_steps=500,
        seed=seed,
        wall_seconds=None,
        predicted_hours=None,
    )


def measure(text: str, approach: Approach, seed: int) -> dict[str, Any]:
    """Train on nine tenths of the text; scores are of the last tenth."""
    dataset = dataset_of(text)
    with tempfile.TemporaryDirectory() as name:
        base = None
        if not isinstance(approach, Baseline):
            save_untrained(text, Path(name) / "base", seed)
            base = ModelSource(name=str(Path(name) / "base"))
        plan = plan_of(approach, dataset, base, seed)
        model = run_plan(plan, dataset, Path(name) / "model", detect(), progress=print_progress())
        loaded = load(model.path)
        outputs = loaded.outputs(dataset.validation)
        answers = loaded.answers(dataset.validation)
        losses = [point.value for point in model.curve if point.metric == "eval/loss"]
        return {
            "loss": min(losses) if losses else None,
            "nats_per_character": float(outputs[0, 0]) / len(dataset.validation.inputs[0]),
            "bits_per_byte": score(answers, "bits_per_byte"),
            "token_accuracy": score(answers, "token_accuracy"),
            "reported_by_nanogpt": REPORTED,
            "n_params": model.n_params,
            "steps": model.steps_done,
            "training_seconds": round(model.seconds, 1),
            "said": loaded.predict(["ROMEO:\n"])[0].text[:80],
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("text", type=Path, help="the tiny Shakespeare file")
    text = parser.parse_args().text.read_text(encoding="utf-8")
    bits_of_uniform = math.log2(len(set(text)))
    about = {"characters": len(text), "bits_of_uniform": round(bits_of_uniform, 3)}
    runs: list[Run] = []
    for approach in (Baseline(), Full(learning_rate=LEARNING_RATE, batch_size=BATCH_SIZE)):

        def run(approach: Approach = approach) -> dict[str, Any]:
            return {**about, **measure(text, approach, 0)}

        what = "ngrams" if isinstance(approach, Baseline) else "gpt2-4x128"
        runs.append(({"data": row_id_of(text)[:12], "model": what, "seed": 0}, run))
    append_missing(RESULTS / "tinyshakespeare.jsonl", runs)


if __name__ == "__main__":
    main()
