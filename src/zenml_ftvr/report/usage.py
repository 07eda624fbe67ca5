"""The lines that load and use a trained model."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.report.usage_by_task import loaded_plainly, predicted_with_us
from zenml_ftvr.values import TextClassification, TrainedModel

__all__ = ["usage_lines"]


def _allowed(model: TrainedModel) -> str:
    """The argument without which a model whose base has its own code is not loaded."""
    return f", allow={list(model.plan.allow)!r}" if model.plan.allow else ""


def usage_lines(model: TrainedModel, path: str) -> tuple[str, str]:
    """Python lines for the model in folder `path`: with this package, and without it."""
    folder = repr(path)
    trust = ", trust_remote_code=True" if "remote_code" in model.plan.allow else ""
    inputs, answer = predicted_with_us(model.plan.task)
    ours = (
        f"import zenml_ftvr\n\n"
        f"model = zenml_ftvr.load({folder}{_allowed(model)})\n"
        f"for answer in model.predict({inputs}):\n"
        f"    print({answer})"
    )
    match model.plan.task:
        case TextClassification(target="single"):
            pass
        case _:
            return ours, loaded_plainly(model, path)
    match model.kind:
        case "baseline":
            plain = (
                f"import json, pathlib, skops.io\n\n"
                f"folder = pathlib.Path({folder})\n"
                f'labels = json.loads((folder / "ftvr.json").read_text())["labels"]\n'
                f'pipeline = skops.io.load(folder / "baseline.skops")\n'
                f'print([labels[i] for i in pipeline.predict(["a text", "another"])])'
            )
        case "head" | "contrastive":
            plain = (
                f"import json, pathlib, torch\n"
                f"from safetensors.torch import load_file\n"
                f"from transformers import AutoModel, AutoTokenizer\n\n"
                f"folder = pathlib.Path({folder})\n"
                f'about = json.loads((folder / "ftvr.json").read_text())\n'
                f"tokenizer = AutoTokenizer.from_pretrained(folder{trust})\n"
                f"encoder = AutoModel.from_pretrained(folder{trust}).eval()\n"
                f'head = load_file(folder / "head.safetensors")\n'
                f'batch = tokenizer(["a text", "another"], padding=True, truncation=True,\n'
                f'                  max_length=about["max_length"], return_tensors="pt")\n'
                f"with torch.no_grad():\n"
                f"    states = encoder(**batch).last_hidden_state\n"
                f'mask = batch["attention_mask"].unsqueeze(-1)\n'
                f"pooled = (states * mask).sum(1) / mask.sum(1)\n"
                f'logits = pooled @ head["weight"].T + head["bias"]\n'
                f'print([about["labels"][i] for i in logits.argmax(-1)])'
            )
        case "partial" | "full" | "scratch":
            plain = (
                f"from transformers import pipeline\n\n"
                f'classify = pipeline("text-classification", model={folder}{trust})\n'
                f'print(classify(["a text", "another"], truncation=True,\n'
                f"               max_length={most_tokens(model.plan.task)}))"
            )
        case "lora":
            plain = (
                f"import json, pathlib, torch\n"
                f"from peft import PeftConfig, PeftModel\n"
                f"from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n"
                f"folder = {folder}\n"
                f'about = json.loads((pathlib.Path(folder) / "ftvr.json").read_text())\n'
                f"config = PeftConfig.from_pretrained(folder)\n"
                f"tokenizer = AutoTokenizer.from_pretrained(folder{trust})\n"
                f"base = AutoModelForSequenceClassification.from_pretrained(\n"
                f"    config.base_model_name_or_path, revision=config.revision{trust},\n"
                f"    num_labels={len(model.plan.labels)}, pad_token_id=tokenizer.pad_token_id)\n"
                f"model = PeftModel.from_pretrained(base, folder).eval()\n"
                f'batch = tokenizer(["a text", "another"], padding=True, truncation=True,\n'
                f'                  max_length=about["max_length"], return_tensors="pt")\n'
                f"with torch.no_grad():\n"
                f"    logits = model(**batch).logits\n"
                f'print([about["labels"][i] for i in logits.argmax(-1)])'
            )
        case _:
            assert_never(model.kind)
    return ours, plain
