"""What a user writes in YAML: unknown keys and wrong types end in one error of ours."""

from __future__ import annotations

import dataclasses
import difflib
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["UserWritten", "name_or_guess", "user_path"]


UNPRINTED = ("Cc", "Cs")
"""Unicode's control characters and surrogates: there by accident, or to forge a line of a log."""


def name_or_guess(name: str, known: list[str]) -> str:
    """The sentence that ends an "unknown name" error: the nearest known name, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    return f"{guess} Known: {', '.join(known)}."


def user_path(name: str) -> Path:
    """The path that a user wrote, `~` expanded; `ConfigurationError` where it can be none."""
    if any(unicodedata.category(letter) in UNPRINTED for letter in name):
        raise ConfigurationError(
            f"path {name!a:.80} holds a control character or half a character. Give another."
        )
    try:
        path = Path(name).expanduser()
        path.exists()
    except RuntimeError as error:
        user = name.partition("/")[0]
        raise ConfigurationError(
            f"path '{name:.80}': this machine has no user '{user[1:]}', so that {user} stands for "
            f"no folder. Write the path in full, or ./{user} for a file of that name."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"path '{name:.80}' cannot be looked at: {error.strerror}. Give another."
        ) from error
    return path


class UserWritten:
    """Makes a dataclass refuse, with `ConfigurationError`, what it does not know.

    pydantic (through ZenML) builds these values from mappings. Its own errors name neither the
    key's nearest neighbour nor the next move, so they are rewritten here.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic import ValidationError
        from pydantic_core import core_schema

        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            if isinstance(value, dict):
                known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
                for key in value:
                    if key not in known:
                        raise ConfigurationError(
                            f"unknown key '{key}' in {cls.__name__}."
                            f"{name_or_guess(str(key), known)}"
                        )
            try:
                return inner(value)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                where = ".".join(str(part) for part in first["loc"])
                raise ConfigurationError(
                    f"{cls.__name__}{'.' + where if where else ''}: {first['msg']}; "
                    f"got {first['input']!r}."
                ) from error

        return core_schema.no_info_wrap_validator_function(validate, handler(source))
