"""All that touches a model, and nothing that trains one."""

from zenml_ftvr.models.baselines import Baseline, fit_baseline
from zenml_ftvr.models.build import Trainable, build, train_tokenizer
from zenml_ftvr.models.features import Encoder, cached_features, load_encoder
from zenml_ftvr.models.folder import folder_bytes, save_baseline, save_head, save_trainable
from zenml_ftvr.models.heads import keeps_documents_apart
from zenml_ftvr.models.load import LoadedModel, load
from zenml_ftvr.models.prefix import PREFIX_STATES, cut, frozen_states
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import ResolvedModel, resolve, tokenizer_view
from zenml_ftvr.models.store import RowStore, cache_folder, row_key, store_folder
from zenml_ftvr.models.suits import refuse_other_forms

__all__ = [
    "PREFIX_STATES",
    "Baseline",
    "Encoder",
    "LoadedModel",
    "ResolvedModel",
    "RowStore",
    "Trainable",
    "build",
    "cache_folder",
    "cached_features",
    "cut",
    "fit_baseline",
    "folder_bytes",
    "frozen_states",
    "keeps_documents_apart",
    "load",
    "load_encoder",
    "quiet",
    "refuse_other_forms",
    "resolve",
    "row_key",
    "save_baseline",
    "save_head",
    "save_trainable",
    "store_folder",
    "tokenizer_view",
    "train_tokenizer",
]
