"""Records sorted by a hash, in memory and in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.data.sorted_records import SortedRecords, groups_of
from zenml_ftvr.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def hashes_of(numbers: list[int]) -> list[bytes]:
    return [hashlib.sha256(bytes([number])).digest()[:16] for number in numbers]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the folder may be shared
@given(numbers=st.lists(st.integers(0, 200)), run_bytes=st.integers(24, 2_000))
def test_records_come_sorted_and_equal_hashes_as_they_came(
    numbers: list[int], run_bytes: int
) -> None:
    hashes = hashes_of(numbers)
    expected = sorted(zip(hashes, range(len(hashes)), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zenml_ftvr.data.sorted_records.RUN_BYTES", run_bytes)
        with SortedRecords(("hash", "S16"), ("row", "i8")) as records:
            for start in range(0, len(hashes), 7):
                some = hashes[start : start + 7]
                records.add(some, range(start, start + len(some)))
            for _ in range(2):
                parts = list(records.parts())
                rows = [int(row) for part in parts for row in part["row"]]
                assert rows == [row for _, row in expected]
                assert b"".join(part["hash"].tobytes() for part in parts) == b"".join(
                    one for one, _ in expected
                )
                groups = [set(part["hash"].tolist()) for part in parts]
                assert sum(map(len, groups)) == len(set(hashes))
                for part, group in zip(parts, groups, strict=True):
                    assert len(np.unique(groups_of(part))) == len(group)


@pytest.mark.parametrize("run_bytes", [10, 10**6])
def test_hashes_that_end_in_zeros_are_told_apart(
    run_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.data.sorted_records.RUN_BYTES", run_bytes)
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(256)]
    digests += [bytes(32), bytes(31) + b"\x01", b"\x01" + bytes(31), b"\xff" * 32]
    with SortedRecords(("hash", "S32")) as records:
        for digest in digests:
            records.add(np.frombuffer(digest, "S32"))
        parts = list(records.parts())
    assert b"".join(part.tobytes() for part in parts) == b"".join(sorted(digests))
    assert sum(len(np.unique(groups_of(part))) for part in parts) == len(set(digests))


def test_a_full_disk_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, place: int) -> None: ...

        def write(self, content: bytes) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    monkeypatch.setattr("zenml_ftvr.data.sorted_records.RUN_BYTES", 1)
    monkeypatch.setattr("zenml_ftvr.data.sorted_records.file_without_name", Full)
    with (
        SortedRecords(("hash", "S16")) as records,
        pytest.raises(DataError, match=r"No space left.*Free space there, or set ZENML_FTVR_CACHE"),
    ):
        records.add([b"a" * 16])


def test_nothing_is_left_in_the_folder(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr("zenml_ftvr.data.sorted_records.RUN_BYTES", 1)
    with SortedRecords(("hash", "S16")) as records:
        records.add(hashes_of([1, 2]))
        assert list(cache.iterdir()) == []
        assert sum(len(part) for part in records.parts()) == 2
