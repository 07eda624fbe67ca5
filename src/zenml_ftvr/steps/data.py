"""Read the data, and say what it is like."""

from typing import Annotated

from zenml import step
from zenml.client import Client

from zenml_ftvr.api import profile_dataset, resolve_base
from zenml_ftvr.data import Dataset, load_dataset, refuse_local_path
from zenml_ftvr.materializers import DataProfileMaterializer, DatasetMaterializer
from zenml_ftvr.steps.cache import CACHE_POLICY
from zenml_ftvr.values import DataProfile, DataSource, Request, Task, TextClassification

__all__ = ["load_data", "profile_data"]


# Not cached: only reading tells whether a file has changed. What follows is cached by its content.
@step(enable_cache=False, output_materializers=DatasetMaterializer)
def load_data(
    data: DataSource,
    task: Task = TextClassification(),  # noqa: B008  (frozen)
) -> Annotated[Dataset, "dataset"]:
    """Read, check and split the rows of `data`, as the task wants them."""
    if Client().active_stack.orchestrator.config.is_remote:
        refuse_local_path(data)
    return load_dataset(data, task)


@step(cache_policy=CACHE_POLICY, output_materializers=DataProfileMaterializer)
def profile_data(dataset: Dataset, request: Request) -> Annotated[DataProfile, "profile"]:
    """Describe the data, with the tokenizer of the base model."""
    return profile_dataset(dataset, resolve_base(request), request)
