"""Memory that reading, checking and profiling a data set takes, against the size of its text.

    python benchmarks/data_memory.py                    # benchmarks/results/data_memory.jsonl
    python benchmarks/data_memory.py --mb 50 100 --format csv --results /tmp/before.jsonl

The data is made by a rule: row i has the number i, then `WORDS_A_ROW` words drawn evenly from
`VOCABULARY` made-up ones by `random.Random(SEED)`, and the label `class<i mod 4>`; rows are added
until their texts have the size asked for, in UTF-8. Every format has the same rows. The file is
deleted after its run. Each run is a process of its own: it imports, tokenises one text, and then
reads, checks, splits and profiles the file with minilm's tokenizer. MB are 10^6 bytes.

At the end: megabytes of peak memory for each megabyte of text, by least squares for each format.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from appending import RESULTS, Run, append_missing

from zenml_ftvr.data.files import Format

SEED = 20
VOCABULARY = 20_000  # about that of a newspaper; a judgement
WORDS_A_ROW = 30  # a short paragraph, about 220 bytes
N_CLASSES = 4
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")
SIZES_MB = (100, 250, 500, 1_000)
ROWS_A_GROUP = 50_000  # of a Parquet file: what is held in memory while it is written
SAMPLE_SECONDS = 0.05
MB = 10**6

Row = tuple[str, str]


def rows(text_bytes: int) -> Iterator[Row]:
    """Texts and labels by the rule above, until the texts have `text_bytes`."""
    rng = random.Random(SEED)  # noqa: S311  (no secret)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 10))) for _ in range(VOCABULARY)]
    for index in itertools.count():
        text = " ".join([str(index), *rng.choices(words, k=WORDS_A_ROW)])
        text_bytes -= len(text)
        if text_bytes < 0:
            return
        yield text, f"class{index % N_CLASSES}"


def write(path: Path, format_: Format, made: Iterable[Row]) -> int:
    """Write the rows as they come, and count them."""
    n_rows = 0
    if format_ == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([("text", pa.string()), ("label", pa.string())])
        made = iter(made)
        with pq.ParquetWriter(path, schema) as writer:
            while group := list(itertools.islice(made, ROWS_A_GROUP)):
                texts, labels = zip(*group, strict=True)
                writer.write_table(pa.table([texts, labels], schema=schema))
                n_rows += len(group)
        return n_rows
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        if format_ == "csv":
            table.writerow(("text", "label"))
        for text, label in made:
            n_rows += 1
            if format_ == "csv":
                table.writerow((text, label))
            else:
                stream.write(json.dumps({"text": text, "label": label}) + "\n")
    return n_rows


def resident_mb(process: psutil.Process) -> float:
    """Resident memory of a process and its children, now."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:  # ended since it was listed
            continue
    return total / MB


def measured(path: Path) -> dict[str, Any]:
    """Read and profile a file in a process of its own, and watch that."""
    with subprocess.Popen(  # noqa: S603  (this file)
        [sys.executable, __file__, "--measure", str(path)], stdout=subprocess.PIPE, text=True
    ) as worker:
        process, sampled = psutil.Process(worker.pid), 0.0
        try:
            while worker.poll() is None:
                sampled = max(sampled, resident_mb(process))
                time.sleep(SAMPLE_SECONDS)
        except psutil.NoSuchProcess:  # ended since it was asked
            worker.wait()
        except SystemExit:
            worker.kill()
            raise
        output = "" if worker.stdout is None else worker.stdout.read()
    if worker.returncode != 0:
        raise SystemExit(f"reading {path.name} failed with exit code {worker.returncode}.")
    return {**json.loads(output.splitlines()[-1]), "sampled_peak_mb": round(sampled, 1)}


def peak_mb() -> float:
    """The most memory that this process has ever held, as the system kept count."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` counts what the parent held when it started this process
        (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1_024 / MB
    import resource

    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def measure(path: str) -> dict[str, Any]:
    """What reading, checking and profiling take, in this process."""
    from zenml_ftvr.api import profile_dataset, resolve_base
    from zenml_ftvr.data import load_dataset
    from zenml_ftvr.values import Budget, DataSource, Head, Request

    import datasets  # noqa: F401  isort: skip  (what loading may import is no cost of the rows)
    import pyarrow.parquet  # noqa: F401  isort: skip

    request = Request(budget=Budget(hours=1), approaches=(Head(),))
    base = resolve_base(request)
    if base is not None:
        from zenml_ftvr.models import tokenizer_view

        tokenizer_view(base).encode(["one text"])
    before, started = peak_mb(), time.monotonic()
    dataset = load_dataset(DataSource(name=path))
    loaded, loaded_at = peak_mb(), time.monotonic()
    profile = profile_dataset(dataset, base, request)
    return {
        "n_rows": profile.n_rows,
        "before_mb": round(before, 1),
        "loaded_mb": round(loaded, 1),
        "peak_mb": round(peak_mb(), 1),
        "load_seconds": round(loaded_at - started, 2),
        "profile_seconds": round(time.monotonic() - loaded_at, 2),
    }


def runs(sizes_mb: Sequence[int], formats: Sequence[Format]) -> Iterator[Run]:
    """One run a size and format, the small ones first."""
    for size_mb, format_ in itertools.product(sorted(sizes_mb), formats):

        def run(size_mb: int = size_mb, format_: Format = format_) -> dict[str, Any]:
            with tempfile.TemporaryDirectory(prefix="ftvr-") as folder:
                path = Path(folder) / f"rows.{format_}"
                n_rows = write(path, format_, rows(size_mb * MB))
                file_mb = round(path.stat().st_size / MB, 1)
                found = measured(path)
            if found["n_rows"] != n_rows:
                raise SystemExit(f"{n_rows} rows were written, {found['n_rows']} were read.")
            return {"file_mb": file_mb, **found}

        yield {"text_mb": size_mb, "format": format_}, run


def slopes(path: Path) -> dict[str, float]:
    """Megabytes of peak memory for each megabyte of text, of formats measured at two sizes."""
    import numpy as np

    points: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text().splitlines():
        record = json.loads(line)
        key = record["key"]
        points.setdefault(key["format"], []).append((key["text_mb"], record["peak_mb"]))
    return {
        format_: round(float(np.polyfit(*zip(*sorted(measured_at), strict=True), 1)[0]), 3)
        for format_, measured_at in points.items()
        if len({size for size, _ in measured_at}) > 1
    }


def main() -> None:
    """Measure what has no line yet, then print the slopes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, nargs="+", default=SIZES_MB)
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--results", type=Path, default=RESULTS / "data_memory.jsonl")
    parser.add_argument("--measure", metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the file is deleted
    append_missing(arguments.results, runs(arguments.mb, arguments.format))
    for format_, slope in slopes(arguments.results).items():
        print(f"{format_}: {slope} MB of peak memory for each MB of text")


if __name__ == "__main__":
    main()
