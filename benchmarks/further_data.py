"""Two more data sets for the replay, derived by rule: which package, which speaker.

    python benchmarks/further_data.py PLAYS.txt FOLDER
    python benchmarks/replay.py --data code=FOLDER/code.all --data speakers=FOLDER/speakers.all

They were made after the order of the arms without pilots had been set, so nothing was chosen to
suit them. Both are far from what a sentence encoder has read: program text, and one poet's verse.

- `code`: the bodies of the functions of `PACKAGES` of Python's own library, without docstrings, on
  one line; the label is the package. What is drawn depends on Python's version.
- `speakers`: a line of verse each of those who have most lines in PLAYS.txt (speeches begin with
  `NAME:` on a line of its own, as in the "tiny Shakespeare" file); the label is who says it.

A file has a line a row, `label text`, in Latin-1, as `replay.py` reads them.
"""

from __future__ import annotations

import argparse
import ast
import re
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("asyncio", "email", "http", "multiprocessing", "unittest", "xml")
"""Of the size and age of packages, with functions enough in each."""
MOST_CHARACTERS = 300  # of a text; what is past 32 tokens is not read
LEAST_CHARACTERS = (
    20  # of a text: "pass", "return None" and short cries say nothing of their source
)
N_SPEAKERS = 6
NAME = re.compile(r"^([A-Z][A-Za-z ]+):$")


def function_bodies() -> Iterator[tuple[str, str]]:
    """Package and body of every function of `PACKAGES`."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for package in PACKAGES:
        for file in sorted((library / package).rglob("*.py")):
            if "test" in file.parts or "tests" in file.parts:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    body = node.body[1:] if ast.get_docstring(node) else node.body
                    yield package, " ; ".join(map(ast.unparse, body))


def verses(plays: str) -> Iterator[tuple[str, str]]:
    """Speaker and line, of the speakers who have most lines."""
    said: list[tuple[str, str]] = []
    speaker = ""
    for line in plays.splitlines():
        found = NAME.match(line)
        if found:
            speaker = found[1]
        elif line.strip() and speaker:
            said.append((speaker, line))
    most = {name for name, _ in Counter(name for name, _ in said).most_common(N_SPEAKERS)}
    yield from (pair for pair in said if pair[0] in most)


def write(pairs: Iterator[tuple[str, str]], file: Path) -> str:
    """Write rows of enough text, each on a line; the number of rows of each label."""
    counts: Counter[str] = Counter()
    with file.open("w", encoding="latin-1", errors="replace") as lines:
        for label, text in pairs:
            flat = " ".join(text.split())[:MOST_CHARACTERS]
            if len(flat) >= LEAST_CHARACTERS:
                counts[label] += 1
                lines.write(f"{label.replace(' ', '_')} {flat}\n")
    return f"{file}: {dict(counts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plays", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(write(function_bodies(), given.folder / "code.all"))
    print(write(verses(given.plays.read_text(encoding="utf-8")), given.folder / "speakers.all"))


if __name__ == "__main__":
    main()
