"""The lines that load and use a model of any task but one label a text."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.values import (
    CausalLM,
    ImageClassification,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
    TrainedModel,
)

__all__ = ["answers_plainly", "loaded_plainly", "predicted_with_us"]

TEXTS = '["a text", "another"]'
WORDS = '[["words", "of", "a", "text"]]'
CHAT = '[{"role": "user", "content": "a question"}]'
IMAGE = '"image.png"'
ROOM = 'room = getattr(model.config, "max_position_embeddings", None) or 4096'
NEW_TOKENS = 128  # as many as `models.scorers.language` writes at most


def predicted_with_us(task: Task) -> tuple[str, str]:
    """What a model of the task is asked with, and what its answer is read by."""
    match task:
        case TextClassification(target="multi"):
            return TEXTS, "answer.labels, answer.probabilities"
        case TextClassification(target="regression"):
            return TEXTS, "answer.value"
        case TextClassification():
            return TEXTS, "answer.label, answer.probability"
        case TokenClassification():
            return WORDS, "answer.tags"
        case CausalLM(form="chat"):
            return f"[{CHAT}]", "answer.text"
        case CausalLM() | Seq2Seq():
            return TEXTS, "answer.text"
        case ImageClassification():
            return f'[open({IMAGE}, "rb").read()]', "answer.label, answer.probability"
        case _:
            assert_never(task)


def answers_plainly(model: TrainedModel) -> bool:
    """Whether the lines without this package answer: of some baselines they show what there is."""
    return model.kind != "baseline" or isinstance(model.plan.task, TextClassification)


def loaded_plainly(model: TrainedModel, path: str) -> str:
    """Python lines that load the folder without this package, and ask the model something."""
    folder, task = repr(path), model.plan.task
    match model.kind:
        case "baseline":
            return _baseline(task, folder)
        case "head" | "contrastive":
            return _with_head(model, folder)
        case "partial" | "full" | "scratch" | "lora":
            return _transformer(model, folder)
        case _:
            assert_never(model.kind)


def _baseline(task: Task, folder: str) -> str:
    match task:
        case CausalLM():
            return (
                f"from safetensors.numpy import load_file\n\n"
                f"# Counts of bytes after what came before them; scored as\n"
                f"# zenml_ftvr.models.baselines.ngram does.\n"
                f"arrays = load_file({folder} + '/ngrams.safetensors')\n"
                f"print(sorted(arrays))"
            )
        case Seq2Seq():
            return (
                f"import pyarrow.parquet\n\n"
                f"# Known texts and their answers; the nearest by TF-IDF answers.\n"
                f"known = pyarrow.parquet.read_table({folder} + '/pairs.parquet')\n"
                f"print(known.num_rows, known.column_names)"
            )
        case TextClassification(target="multi"):
            return (
                f"import json, pathlib, skops.io\n\n"
                f"folder = pathlib.Path({folder})\n"
                f'labels = json.loads((folder / "ftvr.json").read_text())["labels"]\n'
                f'pipeline = skops.io.load(folder / "baseline.skops")\n'
                f"print([[label for label, one in zip(labels, row) if one]\n"
                f"       for row in pipeline.predict({TEXTS})])"
            )
        case TextClassification():
            return (
                f"import skops.io\n\n"
                f"pipeline = skops.io.load({folder} + '/baseline.skops')\n"
                f"print(pipeline.predict({TEXTS}))"
            )
        case TokenClassification() | ImageClassification():
            return (
                f"import skops.io\n\n"
                f"pipeline = skops.io.load({folder} + '/baseline.skops')\n"
                f"print(pipeline)  # what it reads is made by zenml_ftvr.models.baselines"
            )
        case _:
            assert_never(task)


def _with_head(model: TrainedModel, folder: str) -> str:
    task, trust = model.plan.task, _trust(model)
    reader = _reader(task)
    is_number = isinstance(task, TextClassification) and task.target == "regression"
    answer = "print(logits[:, 0].tolist())" if is_number else _answer(task)  # solved, not scaled
    return (
        f"import json, pathlib, torch\n"
        f"from safetensors.torch import load_file\n"
        f"from transformers import AutoModel, {reader}\n"
        f"{_image_import(task)}\n"
        f"folder = pathlib.Path({folder})\n"
        f'about = json.loads((folder / "ftvr.json").read_text())\n'
        f"processor = {reader}.from_pretrained(folder{trust})\n"
        f"encoder = AutoModel.from_pretrained(folder{trust}).eval()\n"
        f'head = load_file(folder / "head.safetensors")\n'
        f"{_batch(task)}\n"
        f"with torch.no_grad():\n"
        f"    states = encoder(**batch).last_hidden_state\n"
        f"{_pooled(task)}\n"
        f'logits = pooled @ head["weight"].T + head["bias"]\n'
        f"{answer}"
    )


def _pooled(task: Task) -> str:
    """The mean over pieces that are no padding, over patches, or over places."""
    if isinstance(task, ImageClassification):
        return "pooled = states.mean(1) if states.ndim == 3 else states.mean((2, 3))"
    return (
        'mask = batch["attention_mask"].unsqueeze(-1)\n'
        "pooled = (states * mask).sum(1) / mask.sum(1)"
    )


def _transformer(model: TrainedModel, folder: str) -> str:
    task, trust = model.plan.task, _trust(model)
    auto, reader = _auto_class(task), _reader(task)
    adapters = "from peft import PeftConfig, PeftModel\n" if model.kind == "lora" else ""
    return (
        f"import json, pathlib, torch\n"
        f"{adapters}"
        f"from transformers import {auto}, {reader}\n"
        f"{_image_import(task)}\n"
        f"folder = {folder}\n"
        f'about = json.loads((pathlib.Path(folder) / "ftvr.json").read_text())\n'
        f"processor = {reader}.from_pretrained(folder{trust})\n"
        f"{_loaded(model, auto)}\n"
        f"{_batch(task)}\n"
        f"with torch.no_grad():\n"
        f"{_asked(task)}\n"
        f"{_answer(task)}"
    )


def _loaded(model: TrainedModel, auto: str) -> str:
    trust = _trust(model)
    if model.kind != "lora":
        return f"model = {auto}.from_pretrained(folder{trust}).eval()"
    labels = f", num_labels={_n_outputs(model)}" if _n_outputs(model) else ""
    return (
        f"config = PeftConfig.from_pretrained(folder)\n"
        f"base = {auto}.from_pretrained(\n"
        f"    config.base_model_name_or_path, revision=config.revision{labels}{trust})\n"
        f"model = PeftModel.from_pretrained(base, folder).eval()"
    )


def _trust(model: TrainedModel) -> str:
    return ", trust_remote_code=True" if "remote_code" in model.plan.allow else ""


def _reader(task: Task) -> str:
    return "AutoImageProcessor" if isinstance(task, ImageClassification) else "AutoTokenizer"


def _image_import(task: Task) -> str:
    return "from PIL import Image\n" if isinstance(task, ImageClassification) else ""


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


def _batch(task: Task) -> str:
    """What the model is asked with, as tensors."""
    cut = f'truncation=True, max_length={most_tokens(task)}, return_tensors="pt"'
    match task:
        case TextClassification():
            return f"batch = processor({TEXTS}, padding=True,\n                  {cut})"
        case TokenClassification():
            return f"batch = processor({WORDS}, is_split_into_words=True,\n                  {cut})"
        case CausalLM(form="chat"):
            return (
                f"batch = processor.apply_chat_template(\n    {CHAT},\n"
                f'    add_generation_prompt=True, return_dict=True, return_tensors="pt")\n'
                f"{ROOM}"
            )
        case CausalLM():
            return (
                "# Texts were learnt after this token, also where the tokenizer adds none.\n"
                "begins = (processor.bos_token_id, processor.cls_token_id,\n"
                "          processor.eos_token_id)\n"
                "begin = next(one for one in begins if one is not None)\n"
                'ids = processor("a text", add_special_tokens=False)["input_ids"]\n'
                'batch = {"input_ids": torch.tensor([[begin, *ids]])}\n'
                'batch["attention_mask"] = torch.ones_like(batch["input_ids"])\n'
                f"{ROOM}"
            )
        case Seq2Seq():
            return f'batch = processor("a text",\n                  {cut})'
        case ImageClassification():
            return f'batch = processor(Image.open({IMAGE}).convert("RGB"), return_tensors="pt")'
        case _:
            assert_never(task)


def _asked(task: Task) -> str:
    match task:
        case CausalLM():
            return (
                f"    written = model.generate(**batch, do_sample=False, num_beams=1,\n"
                f"                             max_new_tokens=min({NEW_TOKENS}, room // 2),\n"
                f"                             pad_token_id=processor.pad_token_id)"
            )
        case Seq2Seq():
            return (
                f"    written = model.generate(**batch, do_sample=False, num_beams=1,\n"
                f"                             max_new_tokens={task.max_target_length})"
            )
        case TextClassification() | TokenClassification() | ImageClassification():
            return "    logits = model(**batch).logits"
        case _:
            assert_never(task)


def _answer(task: Task) -> str:
    match task:
        case TextClassification(target="multi"):
            return (
                'print([[label for label, one in zip(about["labels"], row) if one > 0.5]\n'
                "       for row in logits.sigmoid()])"
            )
        case TextClassification(target="regression"):
            return (
                "# Numbers were learnt in deviations from the mean of the training rows.\n"
                'scale = about["scale"]\n'
                'print((logits[:, 0] * scale["deviation"] + scale["mean"]).tolist())'
            )
        case TextClassification() | ImageClassification():
            return 'print([about["labels"][i] for i in logits.argmax(-1)])'
        case TokenClassification():
            return (
                "# A word has the tag of its first piece.\n"
                "words = batch.word_ids(0)\n"
                'print([about["labels"][tag] for place, tag in enumerate(logits[0].argmax(-1))\n'
                "       if words[place] is not None and words[place] not in words[:place]])"
            )
        case CausalLM():
            return (
                'new = written[0, batch["input_ids"].shape[1]:]  # without what it was asked\n'
                "print(processor.decode(new, skip_special_tokens=True))"
            )
        case Seq2Seq():
            return "print(processor.decode(written[0], skip_special_tokens=True))"
        case _:
            assert_never(task)


def _n_outputs(model: TrainedModel) -> int:
    is_number = (
        isinstance(model.plan.task, TextClassification) and model.plan.task.target == "regression"
    )
    return 1 if is_number else len(model.plan.labels)
