"""What a user writes wrongly ends in one error of ours."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from zenml_ftvr.errors import BudgetError, ConfigurationError, FtvrError
from zenml_ftvr.values import (
    Approach,
    Budget,
    DataSource,
    Full,
    Head,
    Lora,
    Request,
    TextClassification,
)


def test_an_unknown_key_names_itself_and_its_nearest_neighbour() -> None:
    with pytest.raises(ConfigurationError, match=r"'hour' in Budget.*'hours'.*Known: usd, hours"):
        TypeAdapter(Budget).validate_python({"hour": 1})


def test_a_wrong_type_names_the_field_and_the_value() -> None:
    with pytest.raises(ConfigurationError, match=r"Lora\.rank.*'many'"):
        TypeAdapter(Lora).validate_python({"rank": "many"})


def test_an_unknown_kind_is_ours_too() -> None:
    with pytest.raises(ConfigurationError, match=r"'ful'. Did you mean 'full'"):
        TypeAdapter(list[Approach]).validate_python([{"kind": "ful"}])


def test_a_bare_name_is_an_approach() -> None:
    adapter = TypeAdapter(list[Approach])
    assert adapter.validate_python(["head", {"kind": "lora", "rank": 4}]) == [Head(), Lora(rank=4)]


def test_members_of_the_union_survive_json() -> None:
    adapter = TypeAdapter(list[Approach])
    members: list[Approach] = [Full(epochs=2), Lora(epochs=2)]
    assert adapter.validate_json(adapter.dump_json(members)) == members


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "empty"),
        ({"hours": 0}, r"budget\.hours is 0"),
        ({"hours": -1}, r"budget\.hours is -1"),
        ({"usd": float("nan")}, r"budget\.usd is nan"),
        ({"usd": float("inf")}, r"budget\.usd is inf"),
    ],
)
def test_a_senseless_budget_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        Budget(**values)


def test_dollars_need_a_price() -> None:
    with pytest.raises(BudgetError, match="usd_per_hour"):
        Request(budget=Budget(usd=1.0))
    assert Request(budget=Budget(usd=1.0), usd_per_hour=0.5).usd_per_hour == 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Request(budget=Budget(hours=1), approaches=()),
        lambda: Request(budget=Budget(hours=1), approaches=(Head(), Head())),
        lambda: Request(budget=Budget(hours=1), tolerance=-0.1),
        lambda: Request(budget=Budget(hours=1), usd_per_hour=0.0),
        lambda: Lora(rank=-2),
        lambda: Full(learning_rate=0.0),
        lambda: TextClassification(max_length=4),
        lambda: DataSource(name=" "),
        lambda: DataSource(name="x", test_fraction=0.0),
        lambda: DataSource(name="x", test_fraction=0.5, validation_fraction=0.5),
    ],
)
def test_values_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(FtvrError):
        wrong()
