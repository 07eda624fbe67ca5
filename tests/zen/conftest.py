"""A ZenML store of the test session's own, a small data set, a tiny base model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.login.credentials_store import CredentialsStore
from zenml.utils import source_utils

from zenml_ftvr.data import Dataset, load_dataset
from zenml_ftvr.values import DataSource

TOPICS = {
    "cooking": "flour butter oven onion recipe garlic simmer spoon",
    "sailing": "mast harbour rudder tide anchor keel breeze hull",
    "chess": "bishop pawn castle gambit rook checkmate endgame knight",
}
NOISE = (
    "the a of and to in that it was for on are with as they at be this from have or one had by "
    "word but not what all were we when your can said there use an each which she do how their"
)
POSITIONS = 64  # tokens that the base model can look at


def _forget_store() -> None:
    """ZenML looks at its environment once in a process."""
    Client._reset_instance()
    GlobalConfiguration._reset_instance()
    CredentialsStore.reset_instance()


@pytest.fixture(scope="session", autouse=True)
def _own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store in a temporary folder; pipelines are found in this folder."""
    root = tmp_path_factory.mktemp("zen")
    named = {
        "ZENML_CONFIG_PATH": str(root / "zenml"),
        "ZENML_LOCAL_STORES_PATH": str(root / "stores"),
        "ZENML_LOGGING_VERBOSITY": "WARN",
        "ZENML_ENABLE_REPO_INIT_WARNINGS": "false",
        "ZENML_DISABLE_STEP_LOGS_STORAGE": "true",
        "ZENML_FTVR_CACHE": str(root / "cache"),
        "WANDB_DIR": str(root),
        "WANDB_DATA_DIR": str(root / "wandb-data"),
        "WANDB_CACHE_DIR": str(root / "wandb-cache"),
        "WANDB_CONFIG_DIR": str(root / "wandb-config"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in named.items():
            patch.setenv(name, value)
        _forget_store()
        source_utils.set_custom_source_root(str(Path(__file__).parent))
        yield
        source_utils.set_custom_source_root(None)
        _forget_store()


def _own_source_root() -> None:
    source_utils.set_custom_source_root(str(Path(__file__).parent))


@pytest.fixture(scope="module", autouse=True)
def _source_root_of_module() -> None:
    """ZenML's command line, called within a test, leaves another root: modules would load twice."""
    _own_source_root()


@pytest.fixture(autouse=True)
def _source_root_of_test() -> None:
    _own_source_root()


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 rows of three classes; the label follows from which words occur."""
    rng = random.Random(0)
    lines = ["text,label"]
    for index in range(240):
        label = sorted(TOPICS)[index % len(TOPICS)]
        words = rng.sample(TOPICS[label].split(), 3)
        words += rng.sample(NOISE.split(), rng.randint(3, 9))
        rng.shuffle(words)
        lines.append(f"{' '.join(words)},{label}")
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def source(data_file: Path) -> DataSource:
    return DataSource(name=str(data_file), validation_fraction=0.2, test_fraction=0.2)


@pytest.fixture(scope="session")
def dataset(source: DataSource) -> Dataset:
    return load_dataset(source)


@pytest.fixture(scope="session")
def base_folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers of width 32, random weights, a tokenizer of its own."""
    from transformers import BertConfig, BertModel, set_seed

    from zenml_ftvr.models import quiet, train_tokenizer

    set_seed(7)
    folder = tmp_path_factory.mktemp("base")
    tokenizer = train_tokenizer(dataset.train.texts, 300, POSITIONS)
    model = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=POSITIONS,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
