"""What a refusal of the Hugging Face Hub means, and what to do about it; for models and data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

__all__ = ["is_revision", "refusal_in", "why_not_had"]

REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")
"""Names of branches, tags and commits: a part of what git allows (git-check-ref-format), without
what would lead out of a folder of the cache."""
INVALID_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105  (the Hub's words)


def is_revision(name: str) -> bool:
    """Whether `name` can be that of a branch, tag or commit."""
    return REVISION.fullmatch(name) is not None and ".." not in name


def why_not_had(error: BaseException) -> str:
    """What goes after "it": what went wrong, and the next move; without a full stop.

    No header is quoted: a token that was sent is in none of our messages.
    """
    refusal = refusal_in(error)
    return _unreachable(error) if refusal is None else _refused(refusal)


def refusal_in(error: BaseException) -> HfHubHTTPError | None:
    """The answer of the Hub that led to `error`; None where nobody answered."""
    from huggingface_hub.errors import HfHubHTTPError

    return next((one for one in _chain(error) if isinstance(one, HfHubHTTPError)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, outermost first."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _refused(refusal: HfHubHTTPError) -> str:
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

    status = refusal.response.status_code
    without = get_token() is None
    if isinstance(refusal, GatedRepoError):
        return (
            f"is gated, and access is refused (HTTP {status}). Accept its terms on its page and "
            f"set HF_TOKEN to a token of the account that did"
        )
    if isinstance(refusal, RevisionNotFoundError):
        return "exists, but that revision does not. Look at its branches, tags and commits"
    if status == 401 and refusal.response.headers.get("X-Error-Message") == INVALID_TOKEN:
        return "was refused: the Hub does not know the token that is set (HTTP 401). Renew HF_TOKEN"
    if status in (401, 404):
        token = "no token is set" if without else "the token that is set gives no access"
        return (
            f"does not exist or is private, and {token} (HTTP {status}). Mind the spelling; a "
            f"private one needs an HF_TOKEN that may read it"
        )
    if status == 403:
        return "was refused (HTTP 403). Set HF_TOKEN to a token that may read it"
    return f"was refused: the Hub answered with HTTP {status}. Try again later"


def _unreachable(error: BaseException) -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return (
            f"cannot be reached ({type(error).__name__}): HF_HUB_OFFLINE is set, and the local "
            f"cache does not have all of it. Unset HF_HUB_OFFLINE once to download it"
        )
    return (
        f"cannot be reached ({type(error).__name__}) at {constants.ENDPOINT}, and the local cache "
        f"does not have all of it. Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, and try "
        f"again (what has arrived is kept)"
    )
