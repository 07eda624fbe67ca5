"""What it took, beside what was predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Table
from zenml_ftvr.report.charts import drawn, pair_chart
from zenml_ftvr.values import Kind, Ledger, LedgerEntry

__all__ = ["cost"]


def cost(ledger: Ledger) -> Blocks:
    """Predicted against actual; what was done several times, as with several seeds, is summed."""
    sums = _sums(ledger)
    bars = [
        (_name(entry, times), entry.predicted_seconds, entry.seconds, _bar_text(entry))
        for entry, times in sums
    ]
    table = Table(
        header=("What", "Predicted", "Actual", "Dollars"),
        rows=(
            *(_row(entry, times, ledger.usd_per_hour) for entry, times in sums),
            ("Total", "", w.duration(ledger.hours * 3600), w.dollars(ledger.usd)),
        ),
        numeric=frozenset({1, 2, 3}),
    )
    return (
        *drawn(
            lambda width: pair_chart(
                "Seconds predicted and actual", bars, ("predicted", "actual"), width
            )
        ),
        table,
    )


def _sums(ledger: Ledger) -> list[tuple[LedgerEntry, int]]:
    """Entries of one thing and approach as one, and how many they were."""
    alike: dict[tuple[str, Kind | None], list[LedgerEntry]] = {}
    for entry in ledger.entries:
        alike.setdefault((entry.what, entry.kind), []).append(entry)
    return [(_sum(entries), len(entries)) for entries in alike.values()]


def _sum(entries: Sequence[LedgerEntry]) -> LedgerEntry:
    """No prediction unless each has one: a sum of some would be compared with that of all."""
    predicted = [one.predicted_seconds for one in entries if one.predicted_seconds is not None]
    return dataclasses.replace(
        entries[0],
        seconds=sum(one.seconds for one in entries),
        predicted_seconds=sum(predicted) if len(predicted) == len(entries) else None,
    )


def _name(entry: LedgerEntry, times: int) -> str:
    name = entry.what if entry.kind is None else f"{entry.what}, {w.approach_name(entry.kind)}"
    return name if times == 1 else f"{name} × {times}"


def _row(entry: LedgerEntry, times: int, price: float | None) -> tuple[str, ...]:
    name = _name(entry, times)
    return (
        name[:1].upper() + name[1:],
        w.duration(entry.predicted_seconds),
        w.duration(entry.seconds),
        w.NOTHING if price is None else w.dollars(entry.seconds / 3600 * price),
    )


def _bar_text(entry: LedgerEntry) -> str:
    actual = w.duration(entry.seconds)
    if entry.predicted_seconds is None:
        return actual
    return f"{actual} (of {w.duration(entry.predicted_seconds)})"
