"""Memory that reading, checking and tokenising a data set take, against the size of its text.

    python benchmarks/data_memory.py                    # benchmarks/results/data_memory.jsonl
    python benchmarks/data_memory.py --tokenise --format parquet
    python benchmarks/data_memory.py --mb 50 100 --format csv --results /tmp/before.jsonl

The data is made by a rule: row i has the number i, then `WORDS_A_ROW` words drawn evenly from
`VOCABULARY` made-up ones by `random.Random(SEED)`, and the label `class<i mod 4>`; rows are added
until their texts have the size asked for, in UTF-8. Every format has the same rows. The file is
deleted after its run. Each run is a process of its own: it imports, tokenises one text, and then
reads, checks and splits the file, profiles it, and where asked to, tokenises its training split,
with minilm's tokenizer. MB are 10^6 bytes.

Two kinds of memory are measured, every 50 ms. Anonymous memory is what a process has for itself.
All that is resident counts pages of files besides, which the system takes back when it needs them;
the highest of that is the system's own count. At the end: megabytes of either for each megabyte of
text, by least squares for each format and stage.
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

from appending import RESULTS, Run, append_missing

from zenml_ftvr.data.files import Format

SEED = 20
VOCABULARY = 20_000  # about that of a newspaper; a judgement
WORDS_A_ROW = 30  # a short paragraph, about 220 bytes
N_CLASSES = 4
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")
SIZES_MB = (100, 300, 1_000)
ROWS_A_GROUP = 50_000  # of a Parquet file: what is held in memory while it is written
SAMPLE_SECONDS = 0.05
STAGES = ("loading", "profiling", "tokenising")
KINDS = ("anonymous", "resident")
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


def memory_mb(process: int) -> dict[str, float]:
    """Anonymous memory of a process, and all that is resident, now; empty once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    found = dict(line.split(":", 1) for line in lines)
    if "RssAnon" not in found:
        return {}
    names = {"anonymous": "RssAnon", "resident": "VmRSS"}
    return {name: int(found[entry].split()[0]) * 1_024 / MB for name, entry in names.items()}


def measured(path: Path, stages: Sequence[str]) -> dict[str, Any]:
    """Read and check a file, and what else is asked, in a process of its own, and watch that."""
    samples: list[tuple[float, dict[str, float]]] = []
    with subprocess.Popen(  # noqa: S603  (this file)
        [sys.executable, __file__, "--measure", str(path), *stages],
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            while worker.poll() is None:
                samples.append((time.monotonic(), memory_mb(worker.pid)))
                time.sleep(SAMPLE_SECONDS)
        except SystemExit:
            worker.kill()
            raise
        output = "" if worker.stdout is None else worker.stdout.read()
    if worker.returncode != 0:
        raise SystemExit(f"reading {path.name} failed with exit code {worker.returncode}.")
    found = json.loads(output.splitlines()[-1])
    ends = found.pop("ends")
    seconds = dict(zip(stages, (b - a for a, b in itertools.pairwise(ends)), strict=True))
    spans = {"before": (0.0, ends[0])} | dict(zip(stages, itertools.pairwise(ends), strict=True))
    return {
        **found,
        **{f"{stage}_seconds": round(taken, 1) for stage, taken in seconds.items()},
        **{
            f"{stage}_{kind}_mb": round(
                max(some[kind] for at, some in samples if start <= at <= stop and some), 1
            )
            for kind in KINDS
            for stage, (start, stop) in spans.items()
        },
    }


def peak_mb() -> float:
    """The most memory that this process has ever held, as the system kept count."""
    (line,) = (
        one for one in Path("/proc/self/status").read_text().splitlines() if one[:6] == "VmHWM:"
    )
    return int(line.split()[1]) * 1_024 / MB


def measure(path: str, stages: Sequence[str]) -> dict[str, Any]:
    """Read, check, profile and tokenise, in this process; with the times at which stages ended."""
    from zenml_ftvr.api import profile_dataset, resolve_base
    from zenml_ftvr.data import load_dataset
    from zenml_ftvr.models.processors import load_processor
    from zenml_ftvr.tasks import work_for
    from zenml_ftvr.values import Budget, DataSource, Head, Request

    import datasets  # noqa: F401  isort: skip  (what loading may import is no cost of the rows)
    import pyarrow.parquet  # noqa: F401  isort: skip

    request = Request(budget=Budget(hours=1), approaches=(Head(),))
    base = resolve_base(request)
    if base is None:
        raise SystemExit("there is no base model here, and so no tokenizer.")
    tokenizer = load_processor(base.folder, "sequence-classification")
    tokenizer(["one text"])
    time.sleep(2 * SAMPLE_SECONDS)
    ends = [time.monotonic()]
    dataset = load_dataset(DataSource(name=path))
    ends.append(time.monotonic())
    profile = profile_dataset(dataset, base, request)
    ends.append(time.monotonic())
    counts = {"n_rows": profile.n_rows}
    if "tokenising" in stages:
        encoded = work_for(request.task, dataset).encode(tokenizer, dataset.train)
        ends.append(time.monotonic())
        counts["n_tokens"] = int(encoded.input_ids.sizes.sum())
    return {
        **counts,
        "peak_mb": round(peak_mb(), 1),
        "ends": ends,
    }


def runs(
    sizes_mb: Sequence[int], formats: Sequence[Format], stages: Sequence[str]
) -> Iterator[Run]:
    """One run a size and format, the small ones first."""
    for size_mb, format_ in itertools.product(sorted(sizes_mb), formats):

        def run(size_mb: int = size_mb, format_: Format = format_) -> dict[str, Any]:
            with tempfile.TemporaryDirectory(prefix="ftvr-") as folder:
                path = Path(folder) / f"rows.{format_}"
                n_rows = write(path, format_, rows(size_mb * MB))
                file_mb = round(path.stat().st_size / MB, 1)
                found = measured(path, stages)
            if found["n_rows"] != n_rows:
                raise SystemExit(f"{n_rows} rows were written, {found['n_rows']} were read.")
            return {"file_mb": file_mb, **found}

        yield {"text_mb": size_mb, "format": format_, "to": stages[-1]}, run


def slopes(path: Path) -> dict[str, dict[str, float]]:
    """Megabytes of memory for each megabyte of text, of formats measured at two sizes, by stage."""
    import numpy as np

    records = [json.loads(line) for line in path.read_text().splitlines()]
    found: dict[str, dict[str, float]] = {}
    for format_, last in itertools.product(FORMATS, STAGES[1:]):
        mine = [
            one for one in records if (one["key"]["format"], one["key"]["to"]) == (format_, last)
        ]
        sizes = [record["key"]["text_mb"] for record in mine]
        if len(set(sizes)) > 1:
            stages = STAGES[: STAGES.index(last) + 1]
            found[f"{format_} to {last}"] = {
                name: round(float(np.polyfit(sizes, [one[name] for one in mine], 1)[0]), 3)
                for name in (*(f"{one}_{kind}_mb" for kind in KINDS for one in stages), "peak_mb")
            }
    return found


def main() -> None:
    """Measure what has no line yet, then print the slopes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, nargs="+", default=SIZES_MB)
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--results", type=Path, default=RESULTS / "data_memory.jsonl")
    parser.add_argument("--tokenise", action="store_true", help="the training split, which is long")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        path, *stages = arguments.measure
        print(json.dumps(measure(path, stages)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the file is deleted
    stages = STAGES if arguments.tokenise else STAGES[:-1]
    append_missing(arguments.results, runs(arguments.mb, arguments.format, stages))
    for format_, found in slopes(arguments.results).items():
        for name, slope in found.items():
            print(f"{format_}: {slope} MB of {name} for each MB of text")


if __name__ == "__main__":
    main()
