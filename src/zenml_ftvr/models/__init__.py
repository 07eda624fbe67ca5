"""All that touches a model, and nothing that trains one."""

from zenml_ftvr.models.build import Trainable, build, train_tokenizer
from zenml_ftvr.models.features import Encoder, cache_folder, cached_features, load_encoder
from zenml_ftvr.models.folder import folder_bytes, save_baseline, save_head, save_trainable
from zenml_ftvr.models.load import LoadedModel, Prediction, load
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import ResolvedModel, resolve, tokenizer_view

__all__ = [
    "Encoder",
    "LoadedModel",
    "Prediction",
    "ResolvedModel",
    "Trainable",
    "build",
    "cache_folder",
    "cached_features",
    "folder_bytes",
    "load",
    "load_encoder",
    "quiet",
    "resolve",
    "save_baseline",
    "save_head",
    "save_trainable",
    "tokenizer_view",
    "train_tokenizer",
]
