"""Bytes of files as text, whose faults name their line."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import IO

from zenml_ftvr.errors import DataError

__all__ = ["Lines", "decoded"]

TEXT_BYTES = 2**20  # of running text, or of one whose lines its bytes do not show, at a time


def decoded(name: str, stream: IO[bytes], encoding: str) -> Lines:
    """The text of a stream; raises `DataError` for an encoding that is unknown."""
    try:
        "".encode(encoding)
    except LookupError as error:
        raise DataError(
            f"encoding '{encoding}' is unknown. Use utf-8, latin-1 or cp1252."
        ) from error
    # A byte order mark is no part of the first column's name.
    exact = codecs.lookup(encoding).name
    exact = "utf-8-sig" if exact == "utf-8" else exact
    return Lines(name, stream, exact)


class Lines:
    """Lines of text; a byte that cannot be decoded is reported with its line."""

    def __init__(self, name: str, stream: IO[bytes], encoding: str) -> None:
        self._name, self._encoding = name, encoding
        self._wide = encoding.startswith(("utf-16", "utf-32"))
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        if self._wide:  # lines cannot be cut at the byte 0x0a
            yield from _lines_of(self.parts())
            return
        for number, line in enumerate(self._stream, start=1):
            try:
                exact = self._encoding if number == 1 else self._encoding.removesuffix("-sig")
                yield line.decode(exact)
            except UnicodeDecodeError as error:
                what = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
                raise self._undecodable(number, what) from error

    def parts(self) -> Iterator[str]:
        """The text, a part at a time, cut anywhere."""
        # Unlike `bytes.decode`, it refuses utf-16 without a byte order mark.
        decoder = codecs.getincrementaldecoder(self._encoding)()
        line, at_start = 1, True
        while True:
            content = self._stream.read(TEXT_BYTES)
            state = decoder.getstate()
            try:
                text = decoder.decode(content, final=not content)
            except UnicodeError as error:
                start = error.start if isinstance(error, UnicodeDecodeError) else 0
                decoder.setstate(state)
                before = decoder.decode(content[: max(0, start - len(state[0]))])
                what = "the text"
                if isinstance(error, UnicodeDecodeError) and not self._wide:
                    what = f"byte 0x{error.object[start]:02x}"
                raise self._undecodable(line + before.count("\n"), what) from error
            yield text.removeprefix("\ufeff") if at_start else text
            at_start = at_start and not text
            line += text.count("\n")
            if not content:
                return

    def _undecodable(self, line: int, what: str) -> DataError:
        return DataError(
            f"{self._name}, line {line}: {what} is not {self._encoding.removesuffix('-sig')}. Set "
            f"data.encoding to the file's, perhaps latin-1 or cp1252."
        )


def _lines_of(parts: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, of text that comes in parts."""
    held = ""
    for part in parts:
        *whole, held = (held + part).split("\n")
        for line in whole:
            yield f"{line}\n"
    if held:
        yield held
