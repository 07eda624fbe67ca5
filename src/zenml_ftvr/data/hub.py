"""Rows of a data set on the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.data.corpora import CORPORA
from zenml_ftvr.data.memory import columns_in_memory
from zenml_ftvr.data.read import Column
from zenml_ftvr.errors import DataError
from zenml_ftvr.hub import is_revision, refusal_in, why_not_had
from zenml_ftvr.values import DataSource
from zenml_ftvr.values.written import name_or_guess

__all__ = ["read_hub"]

ANSWER_SECONDS = 20.0  # that the Hub may take to say what a revision is; a judgement
SERVER_ERROR = 500  # HTTP: from here on the server is at fault, and the cache may help
COMMIT = re.compile(r"[0-9a-f]{40}")


def read_hub(source: DataSource, columns: dict[str, str]) -> dict[str, Column]:
    """The columns of a data set on the Hub; `columns` maps the setting's name to the column's.

    Raises `DataError` for what cannot be had, with the reason; and where the only rows to be had
    are those of another revision.
    """
    import datasets
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError

    if source.revision is not None and not is_revision(source.revision):
        raise DataError(
            f"data '{source.name}': revision {source.revision!r:.80} is no name of a branch, tag "
            f"or commit. Look at those that it has on its page."
        )
    asked = _ask(source)
    try:
        table = datasets.load_dataset(
            source.name, source.subset, split=source.hub_split, revision=source.revision
        )
    except (datasets.exceptions.DatasetNotFoundError, HFValidationError) as error:
        raise _not_there(source, error) from error
    except datasets.exceptions.DatasetsError as error:
        raise _unreadable(source, error) from error
    except (HTTPError, OSError) as error:
        # `datasets` makes "no connection" of a server's fault.
        first = asked.fault
        why = why_not_had(first if first is not None and refusal_in(first) else error)
        raise _not_had(source, why) from error
    except (ValueError, RuntimeError) as error:
        raise _unreadable(source, error) from error
    _refuse_another_commit(source, asked.commit, table)
    if len(table) == 0:
        raise DataError(f"{source.name} holds no rows in its split '{source.hub_split}'.")
    return columns_in_memory(source.name, table, columns)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the Hub, or without it the cache, says about a revision."""

    commit: str | None
    """None where neither knows."""
    fault: Exception | None
    """Why the Hub did not say."""


def _ask(source: DataSource) -> _Asked:
    """Ask which commit is meant, and raise `DataError` where the Hub refuses.

    Without this question, `datasets` answers a refusal with whatever is in its cache.
    """
    from datasets import config
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    try:
        about = HfApi(config.HF_ENDPOINT).dataset_info(
            source.name, revision=source.revision, timeout=ANSWER_SECONDS
        )
    except HFValidationError as error:
        raise _not_there(source, error) from error
    except (HTTPError, OSError) as error:
        refusal = refusal_in(error)
        if refusal is not None and refusal.response.status_code < SERVER_ERROR:
            raise _not_had(source, why_not_had(error)) from error
        return _Asked(_commit_in_cache(source), error)
    return _Asked(about.sha, None)


def _commit_in_cache(source: DataSource) -> str | None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    revision = source.revision or constants.DEFAULT_REVISION
    if COMMIT.fullmatch(revision):
        return revision
    folder = repo_folder_name(repo_id=source.name, repo_type="dataset")
    known = Path(constants.HF_HUB_CACHE) / folder / "refs" / revision
    return known.read_text().strip() if known.is_file() else None


def _refuse_another_commit(source: DataSource, commit: str | None, table: Any) -> None:
    """Refuse the latest rows in the cache in place of those that were asked for.

    `datasets` gives them where the Hub cannot be reached, whatever revision is asked for.
    """
    folders = {Path(file["filename"]).parent.name for file in table.cache_files}
    found = {name for name in folders if COMMIT.fullmatch(name)}
    unknown = commit is None and source.revision is None
    if found and found != {commit} and not unknown:
        asked = f"revision '{source.revision}'" if source.revision else "its newest revision"
        raise DataError(
            f"data '{source.name}': the Hub cannot be reached, and the local cache would give its "
            f"commit {min(found)}, not {asked}{f' ({commit})' if commit else ''}. Check the "
            f"network and HF_HUB_OFFLINE, or set data.revision to that commit."
        )


def _not_had(source: DataSource, why: str) -> DataError:
    known = sorted(CORPORA)
    revision = f" at revision '{source.revision}'" if source.revision else ""
    return DataError(
        f"data '{source.name}' was not found: it is no built-in corpus ({', '.join(known)}) and "
        f"no file here, and as a Hugging Face data set{revision} it {why}. Files end in .csv, "
        f".tsv, .jsonl or .parquet.{name_or_guess(source.name, known)}"
    )


def _not_there(source: DataSource, error: Exception) -> DataError:
    """For an error that does not carry the Hub's answer: ask what it says about our access."""
    from datasets import config
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    try:
        HfApi(config.HF_ENDPOINT).auth_check(source.name, repo_type="dataset")
    except HFValidationError:
        pass
    except (HTTPError, OSError) as answer:
        if refusal_in(answer) is not None:
            return _not_had(source, why_not_had(answer))
    return _not_had(source, f"does not exist or is private ({error})")


def _unreadable(source: DataSource, error: Exception) -> DataError:
    return DataError(
        f"data '{source.name}' on the Hugging Face Hub: {error}. Set subset, hub_split or "
        f"revision to one that it has."
    )
