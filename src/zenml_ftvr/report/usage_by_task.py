"""The lines that load and use a model of any task but one label a text."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.values import (
    CausalLM,
    ImageClassification,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
    TrainedModel,
)

__all__ = ["loaded_plainly", "predicted_with_us"]


def predicted_with_us(task: Task) -> tuple[str, str]:
    """What a model of the task is asked with, and what its answer is read by."""
    match task:
        case TextClassification(target="multi"):
            return '["a text", "another"]', "answer.labels, answer.probabilities"
        case TextClassification(target="regression"):
            return '["a text", "another"]', "answer.value"
        case TextClassification():
            return '["a text", "another"]', "answer.label, answer.probability"
        case TokenClassification():
            return '[["words", "of", "a", "text"]]', "answer.tags"
        case CausalLM(form="chat"):
            return '[[{"role": "user", "content": "a question"}]]', "answer.text"
        case CausalLM() | Seq2Seq():
            return '["a text", "another"]', "answer.text"
        case ImageClassification():
            return '[open("image.png", "rb").read()]', "answer.label, answer.probability"
        case _:
            assert_never(task)


def _auto_class(task: Task) -> str:
    match task:
        case TextClassification():
            return "AutoModelForSequenceClassification"
        case TokenClassification():
            return "AutoModelForTokenClassification"
        case CausalLM():
            return "AutoModelForCausalLM"
        case Seq2Seq():
            return "AutoModelForSeq2SeqLM"
        case ImageClassification():
            return "AutoModelForImageClassification"
        case _:
            assert_never(task)


def loaded_plainly(model: TrainedModel, path: str) -> str:
    """Python lines that load the folder without this package."""
    folder, task = repr(path), model.plan.task
    trust = ", trust_remote_code=True" if "remote_code" in model.plan.allow else ""
    reader = "AutoImageProcessor" if isinstance(task, ImageClassification) else "AutoTokenizer"
    auto = _auto_class(task)
    match model.kind:
        case "baseline" if isinstance(task, CausalLM):
            return (
                f"from safetensors.numpy import load_file\n\n"
                f"# Counts of bytes after what came before them; scored as\n"
                f"# zenml_ftvr.models.baselines.ngram does.\n"
                f"arrays = load_file({folder} + '/ngrams.safetensors')"
            )
        case "baseline" if isinstance(task, Seq2Seq):
            return (
                f"import pyarrow.parquet\n\n"
                f"# Known texts and their answers; the nearest by TF-IDF answers.\n"
                f"known = pyarrow.parquet.read_table({folder} + '/pairs.parquet')"
            )
        case "baseline":
            return (
                f"import skops.io\n\n"
                f"pipeline = skops.io.load({folder} + '/baseline.skops')\n"
                f"print(pipeline)"
            )
        case "head" | "contrastive":
            return (
                f"from safetensors.torch import load_file\n"
                f"from transformers import AutoModel, {reader}\n\n"
                f"processor = {reader}.from_pretrained({folder}{trust})\n"
                f"encoder = AutoModel.from_pretrained({folder}{trust}).eval()\n"
                f"# logits = mean of the last hidden states @ weight.T + bias\n"
                f"head = load_file({folder} + '/head.safetensors')"
            )
        case "partial" | "full" | "scratch":
            return (
                f"from transformers import {auto}, {reader}\n\n"
                f"processor = {reader}.from_pretrained({folder}{trust})\n"
                f"model = {auto}.from_pretrained({folder}{trust}).eval()" + _unscaled(task, folder)
            )
        case "lora":
            labels = f", num_labels={_n_outputs(model)}" if _n_outputs(model) else ""
            return (
                f"from peft import PeftConfig, PeftModel\n"
                f"from transformers import {auto}, {reader}\n\n"
                f"config = PeftConfig.from_pretrained({folder})\n"
                f"processor = {reader}.from_pretrained({folder}{trust})\n"
                f"base = {auto}.from_pretrained(\n"
                f"    config.base_model_name_or_path, revision=config.revision{labels}{trust})\n"
                f"model = PeftModel.from_pretrained(base, {folder}).eval()"
                + _unscaled(task, folder)
            )
        case _:
            assert_never(model.kind)


def _n_outputs(model: TrainedModel) -> int:
    is_number = (
        isinstance(model.plan.task, TextClassification) and model.plan.task.target == "regression"
    )
    return 1 if is_number else len(model.plan.labels)


def _unscaled(task: Task, folder: str) -> str:
    """Numbers were learnt at mean 0 and deviation 1."""
    if not (isinstance(task, TextClassification) and task.target == "regression"):
        return ""
    return (
        f"\n# Its answers are in deviations from the mean of the training rows:\n"
        f"import json, pathlib\n"
        f"scale = json.loads((pathlib.Path({folder}) / 'ftvr.json').read_text())['scale']\n"
        f"# value = logit * scale['deviation'] + scale['mean']"
    )
