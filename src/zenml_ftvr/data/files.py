"""Files and URIs: which ones a name stands for, and their bytes, decompressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from zenml_ftvr.errors import DataError
from zenml_ftvr.values.written import user_path

__all__ = [
    "ENDINGS",
    "SUFFIXES",
    "Format",
    "files_of",
    "format_of",
    "is_file_name",
    "is_text_file",
    "opened",
    "tree_of",
]

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll", "txt"]

ENDINGS: dict[str, Format] = {
    ".conll": "conll",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tsv": "tsv",
}
"""Of files whose rows have columns."""
COMPRESSIONS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard"}
SUFFIXES = (
    *ENDINGS,
    *(end + packed for end in ENDINGS if end != ".parquet" for packed in COMPRESSIONS),
)
CHUNK_BYTES = 2**16  # of a compressed file, read at a time
PATTERN_LETTERS = frozenset("*?[")


def is_file_name(name: str) -> bool:
    """Whether `name` means a file, files or a URI, by its look or because it is there."""
    looks = name.startswith(("/", "./", "../", "~")) or "://" in name
    looks = looks or not PATTERN_LETTERS.isdisjoint(name)
    # A folder counts too: `datasets` would read it in place of the Hub's.
    return looks or name.lower().endswith(SUFFIXES) or user_path(name).exists()


def is_text_file(name: str) -> bool:
    """Whether a file holds running text, by its ending."""
    lower = name.lower()
    return lower.endswith((".txt", *(f".txt{packed}" for packed in COMPRESSIONS)))


def format_of(name: str) -> Format:
    """How a file's content is written, by its ending."""
    lower = name.lower()
    for packed in COMPRESSIONS:
        lower = lower.removesuffix(packed)
    for end, found in ENDINGS.items():
        if lower.endswith(end):
            return found
    if lower.endswith(".txt"):
        return "txt"
    raise DataError(
        f"{name} has none of the endings that can be read: {', '.join(ENDINGS)}, and with "
        f".gz, .bz2, .xz or .zst after it. Convert it, or rename it if it is one of these."
    )


def files_of(name: str) -> list[str]:
    """The files that `name` stands for, in sorted order: itself, a pattern's, a folder's shards."""
    if "://" in name:
        return _files_at(name)
    path = user_path(name)
    if path.is_dir():
        # A folder without shards is refused when it is opened.
        return _shown(path.glob("*.parquet")) or [name]
    if PATTERN_LETTERS.isdisjoint(name) or path.exists():
        return [name]
    fixed = next(at for at, part in enumerate(path.parts) if not PATTERN_LETTERS.isdisjoint(part))
    folder = Path(*path.parts[:fixed])
    found = _shown(folder.glob(str(Path(*path.parts[fixed:]))))
    if not found:
        raise DataError(
            f"no file fits {name} (looked in {folder.absolute()}). Check the name and the folder "
            f"that the command runs in."
        )
    return found


def _shown(paths: Iterator[Path]) -> list[str]:
    return sorted(str(path) for path in paths if path.is_file() and path.name[0] != ".")


def _files_at(uri: str) -> list[str]:
    lower = uri.lower()
    if "*" not in uri and lower.endswith((*SUFFIXES, ".txt", *COMPRESSIONS)):
        return [uri]
    import fsspec

    with _uri_faults(uri):
        system, path = fsspec.core.url_to_fs(uri)
        pattern = path if "*" in uri else f"{path.rstrip('/')}/*.parquet"
        found = sorted(
            system.unstrip_protocol(one)
            for one, about in system.glob(pattern, detail=True).items()
            if about["type"] != "directory"
        )
    if not found and "*" in uri:
        raise DataError(f"no file fits {uri}. Check the URI and the credentials.")
    return found or [uri]


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """The bytes of one file or URI, decompressed by its ending."""
    with _opened_raw(name) as raw:
        end = Path(name).suffix.lower()
        if end not in COMPRESSIONS:
            yield raw
            return
        packed, broken = _decompressor(name, end)
        try:
            with packed(raw) as stream:
                yield stream
        except broken as error:
            # Of a bzip2 file that is none, an OSError says so; any other is about the reading.
            if type(error) is OSError and str(error) != "Invalid data stream":
                raise
            raise DataError(
                f"{name} is not a whole {COMPRESSIONS[end]} file ({error}). Copy it again."
            ) from error


def _decompressor(name: str, end: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """What makes a stream of plain bytes of a packed one, and what it raises on a broken file."""
    match end:
        case ".gz":
            # In its first bytes, its last, its middle.
            return (
                lambda raw: gzip.GzipFile(fileobj=raw),
                (gzip.BadGzipFile, EOFError, zlib.error),
            )
        case ".bz2":
            return bz2.BZ2File, (OSError, EOFError)
        case ".xz":
            return lzma.LZMAFile, (lzma.LZMAError, EOFError)
        case _:
            return _zstandard(name)


def _zstandard(name: str) -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import zstandard  # type: ignore[import-not-found, unused-ignore]  # optional
    except ImportError as error:
        raise DataError(
            f"{name} is compressed with Zstandard, which needs a package that is not here. Run "
            f"pip install zstandard, or compress the file with gzip."
        ) from error

    def packed(raw: IO[bytes]) -> io.BufferedReader:
        return io.BufferedReader(_Frames(raw, zstandard.ZstdDecompressor()))

    return packed, (zstandard.ZstdError, EOFError)


class _Frames(io.RawIOBase):
    """The content of Zstandard frames; unlike the package's own reader, it refuses half a frame."""

    def __init__(self, raw: IO[bytes], decompressor: Any) -> None:
        self._raw, self._decompressor = raw, decompressor
        self._frame: Any = None
        self._packed, self._plain = b"", io.BytesIO()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what comes next; 0 at the end."""
        while not (n := self._plain.readinto(buffer)):
            self._packed = self._packed or self._raw.read(CHUNK_BYTES)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("it ends within a frame")
                return 0
            self._frame = self._frame or self._decompressor.decompressobj()
            self._plain = io.BytesIO(self._frame.decompress(self._packed))
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        return n


@contextmanager
def _opened_raw(name: str) -> Iterator[IO[bytes]]:
    if "://" not in name:
        path = user_path(name)
        if not path.is_file():
            what = "does not exist"
            if path.is_dir():
                what = "is a folder, not a file, and holds no .parquet files"
            raise DataError(
                f"data file {name} {what} (looked for {path.absolute()}). Check the name and the "
                f"folder that the command runs in."
            )
        try:
            with path.open("rb") as stream:
                yield stream
        except PermissionError as error:
            raise DataError(f"{name} may not be read: {error}. Change its permissions.") from error
        return
    import fsspec

    with _uri_faults(name), fsspec.open(name, "rb") as stream:
        yield stream


@contextmanager
def _uri_faults(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DataError(f"{name} cannot be read here: {error}.") from error
    except ValueError as error:
        raise DataError(f"{name} is no URI that can be read: {error}.") from error
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error!r}. Check the URI and the credentials."
        ) from error


def tree_of(name: str) -> list[tuple[str, str]]:
    """Every file below a folder that is not hidden: its path from there, and its name; sorted."""
    if "://" in name:
        import fsspec

        with _uri_faults(name):
            system, root = fsspec.core.url_to_fs(name)
            within = [path.removeprefix(root).lstrip("/") for path in system.find(root)]
            found = [(path, f"{name.rstrip('/')}/{path}") for path in within]
    else:
        folder = Path(name).expanduser()
        # Links to files count, links to folders are not followed: they could lead back.
        found = [
            (path.relative_to(folder).as_posix(), str(path))
            for path in folder.rglob("*")
            if path.is_file()
        ]
    return sorted(one for one in found if not any(part[0] == "." for part in one[0].split("/")))
