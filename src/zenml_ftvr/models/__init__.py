"""All that touches a model, and nothing that trains one."""

from zenml_ftvr.models.baselines import Baseline, fit_baseline
from zenml_ftvr.models.build import Trainable, build
from zenml_ftvr.models.features import Encoder, cached_features, load_encoder, twin_features
from zenml_ftvr.models.folder import folder_bytes, save_baseline, save_head, save_trainable
from zenml_ftvr.models.from_nothing import ModelHead, model_from_nothing
from zenml_ftvr.models.heads import keeps_documents_apart
from zenml_ftvr.models.load import LoadedModel, load
from zenml_ftvr.models.merge import merge_adapters
from zenml_ftvr.models.precision import (
    Device,
    device_refusal,
    precision_for,
    require,
    this_device,
    training_precision,
)
from zenml_ftvr.models.prefix import PREFIX_STATES, cut, frozen_states, layer_stack
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import ResolvedModel, resolve, tokenizer_view
from zenml_ftvr.models.store import RowStore, cache_folder, row_key, store_folder
from zenml_ftvr.models.suits import refuse_other_forms
from zenml_ftvr.models.tokenizers import Texts, train_tokenizer

__all__ = [
    "PREFIX_STATES",
    "Baseline",
    "Device",
    "Encoder",
    "LoadedModel",
    "ModelHead",
    "ResolvedModel",
    "RowStore",
    "Texts",
    "Trainable",
    "build",
    "cache_folder",
    "cached_features",
    "cut",
    "device_refusal",
    "fit_baseline",
    "folder_bytes",
    "frozen_states",
    "keeps_documents_apart",
    "layer_stack",
    "load",
    "load_encoder",
    "merge_adapters",
    "model_from_nothing",
    "precision_for",
    "quiet",
    "refuse_other_forms",
    "require",
    "resolve",
    "row_key",
    "save_baseline",
    "save_head",
    "save_trainable",
    "store_folder",
    "this_device",
    "tokenizer_view",
    "train_tokenizer",
    "training_precision",
    "twin_features",
]
