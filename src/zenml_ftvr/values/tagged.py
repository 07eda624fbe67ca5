"""Unions that a user writes: `kind` names the member, and an unknown one ends in our error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.written import name_or_guess

__all__ = ["KnownKind", "Tagged"]


def _kinds(union: Any) -> dict[str, Any]:
    return {member.__dataclass_fields__["kind"].default: member for member in get_args(union)}


@dataclass(frozen=True)
class KnownKind:
    """Answers an unknown `kind` with an error of ours, before pydantic's discriminator does.

    A bare name stands for a mapping with that `kind` alone.
    """

    union: Any
    called: str
    """What a member is, within an error: "approach", "task"."""
    default: str | None = None
    """The kind of a mapping that names none; None: it has to name one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        known = list(_kinds(self.union))

        def check(value: Any) -> Any:
            if isinstance(value, str):
                value = {"kind": value}
            if isinstance(value, dict) and "kind" not in value and self.default is not None:
                value = {"kind": self.default, **value}
            if isinstance(value, dict) and value.get("kind") not in known:
                kind = str(value.get("kind"))
                raise ConfigurationError(
                    f"unknown {self.called} kind '{kind}'.{name_or_guess(kind, known)}"
                )
            return value

        return core_schema.no_info_before_validator_function(check, handler(source))


class Tagged:
    """`pydantic.Field(discriminator="kind")`, made when pydantic asks: importing stays light."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        choices = {kind: handler.generate_schema(one) for kind, one in _kinds(source).items()}
        return core_schema.tagged_union_schema(choices, discriminator="kind")
