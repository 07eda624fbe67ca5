"""All that touches a model, and nothing that trains one."""

from zenml_ftvr.models.build import Trainable, build, train_tokenizer
from zenml_ftvr.models.features import Encoder, cached_features, load_encoder
from zenml_ftvr.models.folder import folder_bytes, save_baseline, save_head, save_trainable
from zenml_ftvr.models.load import LoadedModel, Prediction, load
from zenml_ftvr.models.merge import merge_adapters
from zenml_ftvr.models.precision import (
    Device,
    precision_for,
    refusal,
    require,
    this_device,
    training_precision,
)
from zenml_ftvr.models.prefix import PREFIX_STATES, cut, frozen_states, layer_stack
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import ResolvedModel, resolve, tokenizer_view
from zenml_ftvr.models.store import RowStore, cache_folder, row_key, store_folder

__all__ = [
    "PREFIX_STATES",
    "Device",
    "Encoder",
    "LoadedModel",
    "Prediction",
    "ResolvedModel",
    "RowStore",
    "Trainable",
    "build",
    "cache_folder",
    "cached_features",
    "cut",
    "folder_bytes",
    "frozen_states",
    "layer_stack",
    "load",
    "load_encoder",
    "merge_adapters",
    "precision_for",
    "quiet",
    "refusal",
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
]
