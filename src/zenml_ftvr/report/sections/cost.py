"""What it took, beside what was predicted."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Table
from zenml_ftvr.report.charts import drawn, pair_chart
from zenml_ftvr.values import Ledger, LedgerEntry

__all__ = ["cost"]


def cost(ledger: Ledger) -> Blocks:
    """Predicted against actual, entry by entry."""
    bars = [
        (_name(entry), entry.predicted_seconds, entry.seconds, _bar_text(entry))
        for entry in ledger.entries
    ]
    table = Table(
        header=("What", "Predicted", "Actual", "Dollars"),
        rows=(
            *(_row(entry, ledger.usd_per_hour) for entry in ledger.entries),
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


def _name(entry: LedgerEntry) -> str:
    if entry.kind is None:
        return entry.what
    return f"{entry.what}, {w.approach_name(entry.kind)}"


def _row(entry: LedgerEntry, price: float | None) -> tuple[str, ...]:
    name = _name(entry)
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
