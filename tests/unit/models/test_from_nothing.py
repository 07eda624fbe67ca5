"""Models with random weights: their shapes, their heads, and that they load as they were saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from zenml_ftvr.approaches import image_shape, scratch
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.from_nothing import ModelHead, model_from_nothing
from zenml_ftvr.models.pretrained import load_whole
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.tokenizers import train_tokenizer
from zenml_ftvr.values import Form

TEXTS = ["mast and keel", "keel or rudder", "the mast, the keel"] * 4
LABELS: dict[str, Any] = {
    "num_labels": 3,
    "id2label": {0: "a", 1: "b", 2: "c"},
    "label2id": {"a": 0, "b": 1, "c": 2},
}
MAX_LENGTH = 24
DIGITS = image_shape(8, 1)
BUILT: tuple[tuple[Form, ModelHead, str], ...] = (
    ("encoder", "sequence-classification", "AutoModelForSequenceClassification"),
    ("encoder", "token-classification", "AutoModelForTokenClassification"),
    ("encoder", "masked-lm", "AutoModelForMaskedLM"),
    ("decoder", "sequence-classification", "AutoModelForSequenceClassification"),
    ("decoder", "token-classification", "AutoModelForTokenClassification"),
    ("decoder", "causal-lm", "AutoModelForCausalLM"),
    ("encoder-decoder", "seq2seq", "AutoModelForSeq2SeqLM"),
    ("image-encoder", "image-classification", "AutoModelForImageClassification"),
)


def made(form: Form, head: ModelHead, depth: int = 2, seed: int = 0) -> tuple[Any, Any]:
    """A model and its tokenizer."""
    tokenizer, image, n_pieces = None, None, 0
    if form == "image-encoder":
        image = DIGITS
    else:
        tokenizer = train_tokenizer(TEXTS, 90, MAX_LENGTH, form=form)
        n_pieces = len(tokenizer)
    shape = scratch.architecture(depth, n_pieces, MAX_LENGTH, form, image)
    settings = LABELS if "classification" in head else {}
    torch.manual_seed(seed)
    return model_from_nothing(form, head, shape, tokenizer, settings).eval(), tokenizer


def inputs(form: Form, tokenizer: Any) -> dict[str, Any]:
    if form == "image-encoder":
        return {"pixel_values": torch.linspace(0, 1, 2 * 64).reshape(2, 1, 8, 8)}
    batch = dict(tokenizer(TEXTS[:3], padding=True, return_tensors="pt"))
    if form == "encoder-decoder":
        batch["labels"] = batch["input_ids"]
    return batch


@pytest.mark.parametrize(("form", "head", "auto"), BUILT)
def test_a_saved_model_gives_the_same_logits(
    form: Form, head: ModelHead, auto: str, tmp_path: Path
) -> None:
    import transformers

    model, tokenizer = made(form, head)
    with quiet():
        model.save_pretrained(tmp_path)
    again = load_whole(getattr(transformers, auto), tmp_path).eval()
    batch = inputs(form, tokenizer)
    with torch.inference_mode():
        first, second = model(**batch).logits, again(**batch).logits
    assert torch.equal(first, second)
    assert first.std() > 0
    n_last = 3 if "classification" in head else len(tokenizer)
    assert first.shape[-1] == n_last == (again.config.num_labels if n_last == 3 else n_last)


@pytest.mark.parametrize(("form", "head", "auto"), BUILT)
def test_weights_follow_from_the_seed(form: Form, head: ModelHead, auto: str) -> None:
    first, same, other = (made(form, head, seed=seed)[0].state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(tensor, same[name]) for name, tensor in first.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in first.items())


@pytest.mark.parametrize(("form", "head", "auto"), BUILT)
@pytest.mark.parametrize("depth", [2, 4])
def test_the_arithmetic_counts_the_weights_that_are_built(
    form: Form, head: ModelHead, auto: str, depth: int
) -> None:
    model, tokenizer = made(form, head, depth)
    n_pieces = 0 if tokenizer is None else len(tokenizer)
    image = DIGITS if form == "image-encoder" else None
    shape = scratch.architecture(depth, n_pieces, MAX_LENGTH, form, image)
    n_params = sum(weight.numel() for weight in model.parameters())
    # Beyond it: biases and norms, a head, a pooler (width squared), all small beside the layers.
    assert shape.n_params == pytest.approx(n_params, rel=0.06)
    heads = model.config.num_attention_heads
    assert (shape.layers, shape.hidden, shape.heads) == (depth, 64 * depth, heads)


@pytest.mark.parametrize("form", ["encoder", "decoder", "encoder-decoder", "image-encoder"])
def test_a_head_that_a_form_lacks_is_refused(form: Form) -> None:
    lacks: dict[Form, ModelHead] = {
        "encoder": "causal-lm",
        "decoder": "masked-lm",
        "encoder-decoder": "sequence-classification",
        "image-encoder": "seq2seq",
    }
    with pytest.raises(ModelError, match=f"{form} has no head for {lacks[form]}; it has "):
        made(form, lacks[form])


def test_a_decoder_sees_no_later_token() -> None:
    model, _ = made("decoder", "causal-lm")
    ids = torch.tensor([[4, 9, 8, 7], [4, 9, 8, 12]])
    with torch.inference_mode():
        logits = model(input_ids=ids).logits
    assert torch.equal(logits[0, :3], logits[1, :3])
    assert not torch.equal(logits[0, 3], logits[1, 3])


def test_padding_changes_no_answer() -> None:
    for form, head in (
        ("encoder", "sequence-classification"),
        ("decoder", "sequence-classification"),
    ):
        model, tokenizer = made(form, head)  # type: ignore[arg-type]
        alone = tokenizer(TEXTS[0], return_tensors="pt")
        padded = tokenizer([TEXTS[0], " ".join(TEXTS[:2])], padding=True, return_tensors="pt")
        with torch.inference_mode():
            assert torch.allclose(model(**alone).logits[0], model(**padded).logits[0], atol=1e-5)


def test_an_encoder_decoder_starts_and_ends_its_answer() -> None:
    model, tokenizer = made("encoder-decoder", "seq2seq")
    batch = tokenizer(TEXTS[:2], padding=True, return_tensors="pt")
    with torch.inference_mode():
        answers = model.generate(**batch, max_new_tokens=5, do_sample=False)
    assert (answers[:, 0] == tokenizer.pad_token_id).all()
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize(
    ("side", "patch", "size"), [(8, 2, 8), (28, 4, 28), (32, 4, 32), (37, 6, 42), (224, 14, 224)]
)
def test_patches_are_about_as_many_a_side_as_pixels_in_one(
    side: int, patch: int, size: int
) -> None:
    shape = image_shape(side, 3)
    assert (shape.patch_size, shape.image_size, shape.channels) == (patch, size, 3)
    assert shape.n_patches == (size // patch) ** 2


def test_patches_cover_an_image_of_any_size() -> None:
    for side in range(1, 300):
        shape = image_shape(side, 1)
        assert shape.image_size % shape.patch_size == 0
        assert side <= shape.image_size < side + shape.patch_size
