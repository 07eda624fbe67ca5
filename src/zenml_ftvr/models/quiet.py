"""Keep transformers' own progress bars out of a step's log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["quiet"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No bars for loading and writing weights while the body runs; ours say what is going on."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
