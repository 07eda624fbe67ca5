"""Which rows each worker computes."""

from __future__ import annotations

import pytest

from zenml_ftvr.train.order import RowOrder
from zenml_ftvr.train.worker_shares import EvaluationShares, Shares

LENGTHS = [3 + row % 7 for row in range(53)]


def shares(workers: int, part_rows: int, batch_size: int = 8) -> list[Shares]:
    order = RowOrder(LENGTHS, batch_size, 0, "grouped", lambda: 0)
    return [
        Shares(order=order, rank=rank, workers=workers, part_rows=part_rows)
        for rank in range(workers)
    ]


@pytest.mark.parametrize(("workers", "part_rows"), [(1, 8), (2, 4), (2, 1), (3, 3), (3, 2), (8, 1)])
def test_workers_compute_together_what_one_would_in_the_same_step(
    workers: int, part_rows: int
) -> None:
    together = shares(workers, part_rows)
    order = together[0].order
    for step in range(2 * order.steps_per_epoch):
        parts = [one.parts_of_step(step) for one in together]
        assert len({len(of_one) for of_one in parts}) == 1
        assert max(len(part) for of_one in parts for part in of_one) <= part_rows
        rows = [row for of_one in parts for part in of_one for row in part]
        assert rows == order.rows_of_step(step)


@pytest.mark.parametrize(("workers", "part_rows"), [(2, 4), (3, 2), (8, 1)])
def test_an_epoch_has_as_many_parts_as_it_says_for_every_worker(
    workers: int, part_rows: int
) -> None:
    for one in shares(workers, part_rows):
        epoch = list(one)
        assert len(epoch) == len(one)
        wanted = [
            part or one.order.rows_of_step(step)[:1]
            for step in range(one.order.steps_per_epoch)
            for part in one.parts_of_step(step)
        ]
        assert epoch == wanted


def test_a_worker_without_a_row_computes_one_that_does_not_count() -> None:
    last = 6  # 53 rows: five are left for the last step of eight workers
    parts = [one.parts_of_step(last) for one in shares(8, 1)]
    assert sum(part == [] for of_one in parts for part in of_one) == 3
    assert all(rows for one in shares(8, 1) for rows in one)


@pytest.mark.parametrize(("workers", "n_rows"), [(1, 39), (2, 39), (3, 39), (4, 8), (2, 32)])
def test_evaluation_reads_every_row_once_in_the_batches_of_one_worker(
    workers: int, n_rows: int
) -> None:
    size = 8
    together = [
        EvaluationShares(n_rows=n_rows, batch_size=size, rank=rank, workers=workers)
        for rank in range(workers)
    ]
    assert len({len(one) for one in together}) == 1
    found: list[list[int]] = []
    for round_, batches in enumerate(zip(*together, strict=True)):
        rows = together[0].rows_of_round(round_)
        found += [batch[:n] for batch, n in zip(batches, rows, strict=False)]
    batches_of_one = [
        list(range(start, min(start + size, n_rows))) for start in range(0, n_rows, size)
    ]
    assert found == batches_of_one
