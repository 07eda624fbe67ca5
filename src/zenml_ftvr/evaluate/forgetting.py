"""What fine-tuning left of the base model's own ability, on text that has nothing to do with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.data import read_texts
from zenml_ftvr.errors import DataError, ModelError
from zenml_ftvr.evaluate.intervals import draws_of_rows, limits
from zenml_ftvr.models import ResolvedModel, load_encoder, resolve, this_device
from zenml_ftvr.models.features import TextEncoder
from zenml_ftvr.models.folder import allowed_code, read_manifest
from zenml_ftvr.models.pretrained import load_whole
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.models.transformer import load_transformer
from zenml_ftvr.tasks import make_work
from zenml_ftvr.tasks.text_classification import encode
from zenml_ftvr.values import Forgetting, ForgettingSettings, ImageClassification, TrainedModel
from zenml_ftvr.values.evaluation_settings import REFERENCE_TEXT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "forgetting_of",
    "general_texts",
    "neighbour_agreement",
    "pretrained_head",
    "why_not_forgetting",
]

NEIGHBOURS = 10  # nearest texts that are compared: a tenth or less of them; a judgement
MASKED_SHARE = 0.15  # Devlin et al. 2019, arXiv 1810.04805, 3.1
MOST_TOKENS = 128  # of a text: about a paragraph
BATCH_SIZE = 16
LEAST_WORDS = 20  # of a paragraph, so that it is a sentence or two and no heading
FORMS = re.compile(r"::=|>>>|\|")  # grammar rules, sessions and tables: no prose
FINE_TUNED = ("partial", "full", "lora", "contrastive")
"""Approaches that change pretrained weights; `head` leaves them as they are."""


def why_not_forgetting(model: TrainedModel) -> str | None:
    """Why nothing can be measured of a fine-tuned model, in a sentence; None where it can be, or
    where no pretrained weight was changed."""
    if model.kind in FINE_TUNED and isinstance(model.plan.task, ImageClassification):
        return (
            f"What '{model.kind}' forgot was not measured: no general images come with this "
            f"package."
        )
    return None


def general_texts(settings: ForgettingSettings, seed: int) -> tuple[list[str], str]:
    """Texts that the base model is good at, and what they are, in words."""
    import numpy as np

    if settings.texts == REFERENCE_TEXT:
        texts, called = _reference_paragraphs(), "paragraphs of Python's language reference"
    else:
        texts = sorted(set(read_texts(settings.texts, settings.text_column)))
        called = f"texts of {settings.texts}"
    if len(texts) <= NEIGHBOURS:
        raise DataError(
            f"{called}: only {len(texts)} differ, and forgetting compares the {NEIGHBOURS} nearest "
            f"of each. Give more in forgetting.texts, or write `forgetting: null`."
        )
    chosen = np.random.default_rng(seed).permutation(len(texts))[: settings.n_texts]
    return [texts[place] for place in sorted(chosen.tolist())], called


def _reference_paragraphs() -> list[str]:
    """Prose of `pydoc_data.topics`, part of every Python: sorted, each once."""
    from pydoc_data.topics import topics

    paragraphs = (part for topic in topics.values() for part in re.split(r"\n\s*\n", topic))
    found = set()
    for paragraph in paragraphs:
        text = " ".join(paragraph.split())
        is_prose = text[:1].isupper() and text.endswith(".") and not FORMS.search(text)
        if is_prose and len(text.split()) >= LEAST_WORDS:
            found.add(text)
    return sorted(found)


def forgetting_of(
    model: TrainedModel, settings: ForgettingSettings, seed: int
) -> Forgetting | None:
    """The base model's ability before and after; None where no pretrained weight was changed.

    By the loss of the head that the base model was pretrained with, where its folder has one and
    its type says which; else by whether texts keep their nearest neighbours.
    """
    if model.kind not in FINE_TUNED or why_not_forgetting(model) or model.plan.model is None:
        return None
    base = resolve(model.plan.model)
    texts, called = general_texts(settings, seed)
    head = pretrained_head(base)
    tokenizer = load_tokenizer(base.folder, base.source.allow)
    if head is None or (head[0] == "masked loss" and tokenizer.mask_token_id is None):
        return _by_neighbours(model, base, texts, called, seed)
    return _by_loss(model, base, head, texts, called, seed)


Loss = Literal["masked loss", "causal loss"]


def pretrained_head(base: ResolvedModel) -> tuple[Loss, Any] | None:
    """Which loss the base model was pretrained by, and its model with that head; None for none."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(
        base.folder, trust_remote_code="remote_code" in base.source.allow
    )
    named = " ".join(config.architectures or ())
    found: tuple[Loss, Any] | None = None
    if "MaskedLM" in named or "ForPreTraining" in named:
        found = "masked loss", transformers.AutoModelForMaskedLM
    elif "CausalLM" in named or "LMHeadModel" in named:
        found = "causal loss", transformers.AutoModelForCausalLM
    if found is None:
        return None
    try:
        return found[0], load_whole(found[1], base.folder, base.source.allow)
    except ModelError:  # its head is not in the folder: neighbours tell as well
        return None


def _trained(model: TrainedModel) -> Any:
    """The trained transformer as a whole, adapters merged."""
    folder = Path(model.path)
    manifest = read_manifest(folder)
    if model.kind == "contrastive":
        return load_encoder(folder, manifest.task, this_device().kind, allowed_code(manifest)).model
    work = make_work(manifest.task, manifest.labels, manifest.scale)
    transformer = load_transformer(folder, manifest, work)
    if manifest.weights == "adapters":
        transformer = transformer.merge_and_unload()
    return transformer.to(this_device().kind)


def _body(transformer: Any) -> Any:
    """What lies below the head; of an encoder-decoder, the encoder."""
    body = getattr(transformer, transformer.base_model_prefix, transformer)
    return body.get_encoder() if body.config.is_encoder_decoder else body


def _by_loss(
    model: TrainedModel,
    base: ResolvedModel,
    head: tuple[Loss, Any],
    texts: Sequence[str],
    called: str,
    seed: int,
) -> Forgetting:
    """The loss of the base model, and of its head on the trained body."""
    measure, whole = head[0], head[1].to(this_device().kind)
    tokenizer = load_tokenizer(base.folder, base.source.allow)
    ids = encode(tokenizer, texts, min(MOST_TOKENS, _positions(base)))
    before = _losses(whole.eval(), tokenizer, ids, measure, seed)
    trained = _trained(model)
    if type(trained) is type(whole):  # a language model was trained with its head
        whole = trained
    else:
        own = getattr(whole, whole.base_model_prefix)
        # The pooler of one may be missing in the other: no language model's head uses it.
        own.load_state_dict(
            getattr(trained, trained.base_model_prefix, trained).state_dict(), False
        )
        whole.tie_weights()
    after = _losses(whole.eval(), tokenizer, ids, measure, seed)
    low, high = _change(before, after, seed)
    return Forgetting(
        measure=measure,
        text=called,
        n_texts=len(texts),
        before=_mean(before),
        after=_mean(after),
        low=low,
        high=high,
    )


def _positions(base: ResolvedModel) -> int:
    return base.architecture.max_positions or MOST_TOKENS


def _mean(losses: Floats) -> float:
    return float(losses[:, 0].sum() / losses[:, 1].sum())


def _change(before: Floats, after: Floats, seed: int) -> tuple[float, float]:
    """95 % interval of the change of the mean loss: texts are drawn again, for both at once."""
    import numpy as np

    draws = []
    for weights in draws_of_rows(len(before), seed):
        tokens = weights @ before[:, 1]
        draws.append((weights @ (after[:, 0] - before[:, 0])) / np.maximum(tokens, 1))
    return limits(np.concatenate(draws))


def _losses(
    whole: Any, tokenizer: Any, ids: Sequence[list[int]], measure: Loss, seed: int
) -> Floats:
    """Nats summed and tokens counted of each text, [texts, 2]; masks follow from the seed."""
    import numpy as np
    import torch
    from torch.nn.functional import cross_entropy

    found = np.zeros((len(ids), 2))
    rng = np.random.default_rng(seed)
    for start in range(0, len(ids), BATCH_SIZE):
        batch = tokenizer.pad(
            {"input_ids": list(ids[start : start + BATCH_SIZE])}, return_tensors="pt"
        )
        given, mask = batch["input_ids"], batch["attention_mask"].bool()
        if measure == "masked loss":
            special = torch.isin(given, torch.tensor(tokenizer.all_special_ids))
            hidden = torch.from_numpy(rng.random(given.shape) < MASKED_SHARE) & mask & ~special
            wanted = given.masked_fill(~hidden, -100)
            given = given.masked_fill(hidden, tokenizer.mask_token_id)
        else:
            wanted = given.masked_fill(~mask, -100).roll(-1, dims=1)
            wanted[:, -1] = -100
        with torch.inference_mode():
            logits = whole(
                input_ids=given.to(whole.device),
                attention_mask=batch["attention_mask"].to(whole.device),
            ).logits
            losses = cross_entropy(
                logits.float().cpu().transpose(1, 2), wanted, ignore_index=-100, reduction="none"
            )
        stop = start + len(given)
        found[start:stop, 0] = losses.sum(1).numpy()
        found[start:stop, 1] = (wanted != -100).sum(1).numpy()
    return found


def _by_neighbours(
    model: TrainedModel, base: ResolvedModel, texts: Sequence[str], called: str, seed: int
) -> Forgetting:
    """Whether the nearest texts of each, by the cosine of features, are still its nearest."""
    import numpy as np

    tokenizer = load_tokenizer(base.folder, base.source.allow)
    length = min(MOST_TOKENS, _positions(base), most_tokens(model.plan.task))
    ids = encode(tokenizer, texts, length)
    encoder = cast(
        TextEncoder,
        load_encoder(base.folder, model.plan.task, this_device().kind, base.source.allow),
    )
    before = TextEncoder(_body(encoder.model), tokenizer, length).features_of(ids)
    after = TextEncoder(_body(_trained(model)).eval(), tokenizer, length).features_of(ids)
    shared = neighbour_agreement(before.astype(np.float64), after.astype(np.float64))
    draws = [weights @ shared / len(texts) for weights in draws_of_rows(len(texts), seed)]
    low, high = limits(np.concatenate(draws))
    return Forgetting(
        measure="neighbour agreement",
        text=called,
        n_texts=len(texts),
        before=1.0,
        after=float(shared.mean()),
        low=low - 1,
        high=high - 1,
        n_neighbours=NEIGHBOURS,
        by_chance=NEIGHBOURS / (len(texts) - 1),
    )


def neighbour_agreement(before: Floats, after: Floats, n_neighbours: int = NEIGHBOURS) -> Floats:
    """The share of each text's nearest texts before that are among its nearest after, [texts].

    Nearest by the cosine of the features [texts, hidden], itself left out.
    """
    import numpy as np

    def nearest(features: Floats) -> npt.NDArray[np.int64]:
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        directions = features / np.maximum(lengths, np.finfo(np.float64).tiny)
        likeness = directions @ directions.T
        np.fill_diagonal(likeness, -np.inf)
        return np.argsort(-likeness, axis=1, kind="stable")[:, :n_neighbours]

    pairs = zip(nearest(before), nearest(after), strict=True)
    return np.asarray([len(set(a) & set(b)) / n_neighbours for a, b in pairs])
