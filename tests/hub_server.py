"""A small Hugging Face Hub on the loopback interface, and a process of its own that talks to it.

It answers as the real one does what `huggingface_hub` and `datasets` ask when they read: what a
revision is, which files it has, their bytes (whole, in ranges, large files by redirection), and who
may have them. Whatever else is asked is kept in `unknown`, for the test to fail on.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import zenml_ftvr

__all__ = ["TOKEN", "Client", "HubServer", "Repository", "files_in", "running_client"]

TOKEN = "hf_canaryThatMustNeverBeSeen"
"""The one token that this Hub knows."""
STORED_APART = (".safetensors", ".bin", ".parquet")
"""Endings of what the Hub keeps as large files, and serves from another host."""
CUT_WITHIN = 4_096  # bytes sent of a body before the line breaks
CLIENT_SECONDS = 60  # that one call may take, imports included

Kind = Literal["models", "datasets"]


@dataclass(kw_only=True)
class Repository:
    """A model or data set: its commits with their files, and the names of its commits."""

    name: str
    kind: Kind = "models"
    access: Literal["public", "private", "gated"] = "public"
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], *names: str) -> str:
        """Add a commit, which `names` then mean; its hash."""
        about = [self.name, str(len(self.commits)), *sorted(files)]
        sha = hashlib.sha1("\0".join(about).encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = dict(files)
        self.refs.update(dict.fromkeys(names, sha))
        return sha


def files_in(folder: Path) -> dict[str, bytes]:
    """The files directly in a folder, as a commit takes them."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


class HubServer:
    """Serves repositories; can be stopped and started again at the same address."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[Kind, str], Repository] = {}
        self.asked: list[str] = []
        """Method and path of every request."""
        self.unknown: list[str] = []
        """Requests that no real client was expected to make."""
        self.sent_to_storage: list[str] = []
        """Authorization headers that reached the host of the large files, where none belongs."""
        self.breaks_within: str | None = None
        """The end of a path, whose body breaks off; the server then takes no more connections."""
        self.answers_only: int | None = None
        """An HTTP status, such as 503, that every request gets while it is set."""
        self._port = 0
        self._server: http.server.ThreadingHTTPServer | None = None
        self.start()

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def storage(self) -> str:
        """Where large files are: another host by its name, as on the real Hub."""
        return f"http://localhost:{self._port}"

    @property
    def is_running(self) -> bool:
        """Whether anybody is there."""
        return self._server is not None

    def add(self, repository: Repository) -> Repository:
        """Serve a repository."""
        self.repositories[repository.kind, repository.name] = repository
        return repository

    def start(self) -> None:
        """Take connections, again at the address that it had."""
        hub = self

        class Handler(_Handler):
            server_of = hub

        self._server = _Listener(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def downloaded(self, name: str) -> list[str]:
        """The files of a repository whose bytes were asked for."""
        marks = (f"GET /{name}/resolve/", f"GET /datasets/{name}/resolve/")
        return [line.rpartition("/")[2] for line in self.asked if line.startswith(marks)]


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: Any) -> None:
        """Nothing on standard error: `asked` has it."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.server_of
        if not hub.is_running:  # a connection from before
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if hub.answers_only is not None:
            self._error(hub.answers_only, None, "not now")
            return
        path = urlsplit(self.path).path
        hub.asked.append(f"{self.command} {unquote(path)}")
        parts = path.strip("/").split("/")
        match parts:
            case ["lfs", digest]:
                self._from_storage(digest)
            case ["api", ("models" | "datasets") as kind, owner, name, *rest]:
                self._about(kind, f"{owner}/{name}", rest, body)
            case ["datasets", owner, name, "resolve", revision, *file]:
                self._file("datasets", f"{owner}/{name}", unquote(revision), "/".join(file))
            case [owner, name, "resolve", revision, *file]:
                self._file("models", f"{owner}/{name}", unquote(revision), "/".join(file))
            case _:
                self._refuse_unknown()

    # --- who may have what

    def _repository(self, kind: Kind, name: str) -> Repository | None:
        """The repository, or None after an answer that says why it is not to be had."""
        token = self.headers.get("Authorization")
        known = token == f"Bearer {TOKEN}"
        if token is not None and not known:
            self._error(401, None, "Invalid credentials in Authorization header")
            return None
        found = self.server_of.repositories.get((kind, unquote(name)))
        if found is None or (found.access == "private" and not known):
            # Without a token, the real Hub does not tell a private repository from none.
            if known:
                self._error(404, "RepoNotFound", "Repository not found")
            else:
                self._error(401, None, "Invalid username or password.")
            return None
        return found

    def _is_kept_back(self, repository: Repository) -> bool:
        """Whether the files of a gated repository were refused; nobody's request was granted."""
        if repository.access != "gated":
            return False
        token = self.headers.get("Authorization")
        self._error(401 if token is None else 403, "GatedRepo", "Access is restricted")
        return True

    def _commit(self, repository: Repository, revision: str) -> str | None:
        sha = repository.refs.get(revision, revision)
        if sha in repository.commits:
            return sha
        self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None

    # --- answers

    def _about(self, kind: Kind, name: str, rest: list[str], body: bytes) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return
        match rest:
            case ["auth-check"]:
                if not self._is_kept_back(repository):
                    self._json({})
                return
            case []:
                revision = "main"
            case ["revision" | "tree" | "paths-info", revision, *_]:
                revision = unquote(revision)
            case _:
                self._refuse_unknown()
                return
        sha = self._commit(repository, revision)
        if sha is None:
            return
        files = repository.commits[sha]
        match rest[:1], rest[2:]:
            case [] | ["revision"], []:
                siblings = [{"rfilename": path} for path in files]
                self._json({"id": name, "sha": sha, "siblings": siblings, "private": False})
            case ["tree"], below:
                start = "".join(f"{unquote(part)}/" for part in below)
                deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower()
                inside = {path: data for path, data in files.items() if path.startswith(start)}
                if start and not inside:
                    self._error(404, "EntryNotFound", f"{start} does not exist")
                    return
                self._json(_listed(inside, start, deep in ("true", "1")))
            case ["paths-info"], []:
                wanted = self._wanted_paths(body)
                self._json([_entry(path, files[path]) for path in wanted if path in files])
            case _:
                self._refuse_unknown()

    def _wanted_paths(self, body: bytes) -> list[str]:
        if self.headers.get_content_type() == "application/json":
            paths = json.loads(body)["paths"]
        else:
            paths = parse_qs(body.decode())["paths"]
        return [paths] if isinstance(paths, str) else paths

    def _file(self, kind: Kind, name: str, revision: str, file: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return
        if self._is_kept_back(repository):
            return
        sha = self._commit(repository, revision)
        if sha is None:
            return
        data = repository.commits[sha].get(unquote(file))
        commit = {"X-Repo-Commit": sha}
        if data is None:
            self._error(404, "EntryNotFound", "Entry not found", commit)
            return
        if unquote(file).endswith(STORED_APART):
            digest = hashlib.sha256(data).hexdigest()
            large = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
            where = {"Location": f"{self.server_of.storage}/lfs/{digest}"}
            self._send(302, {**commit, **large, **where}, b"")
            return
        self._send_file({**commit, "ETag": f'"{_git_hash(data)}"'}, data)

    def _from_storage(self, digest: str) -> None:
        if (token := self.headers.get("Authorization")) is not None:
            self.server_of.sent_to_storage.append(token)
        for repository in self.server_of.repositories.values():
            for files in repository.commits.values():
                for path, data in files.items():
                    if hashlib.sha256(data).hexdigest() == digest:
                        breaks = self.server_of.breaks_within
                        if breaks and path.endswith(breaks) and self.command == "GET":
                            self._break_off(data)
                            return
                        self._send_file({"ETag": f'"{digest}"'}, data)
                        return
        self._refuse_unknown()

    def _break_off(self, data: bytes) -> None:
        """The first bytes of a file, and then nobody there any more."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:CUT_WITHIN])
        self.wfile.flush()
        self.close_connection = True
        self.server_of.breaks_within = None
        self.server_of.stop()

    def _send_file(self, headers: Mapping[str, str], data: bytes) -> None:
        headers = {**headers, "Accept-Ranges": "bytes"}
        span = self.headers.get("Range")
        if span is None:
            self._send(200, headers, data)
            return
        first, _, last = span.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(data) - 1) + 1, len(data))
        if start >= len(data):
            self._send(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            return
        span = f"bytes {start}-{stop - 1}/{len(data)}"
        self._send(206, {**headers, "Content-Range": span}, data[start:stop])

    def _json(self, value: Any) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _error(
        self, status: int, code: str | None, message: str, more: Mapping[str, str] | None = None
    ) -> None:
        headers = {"X-Error-Message": message, "Content-Type": "application/json", **(more or {})}
        if code is not None:
            headers["X-Error-Code"] = code
        self._send(status, headers, json.dumps({"error": message}).encode())

    def _refuse_unknown(self) -> None:
        self.server_of.unknown.append(f"{self.command} {self.path}")
        self._error(404, None, "no such page")

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _git_hash(data: bytes) -> str:
    framed = b"blob %d\0" % len(data) + data
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "size": len(data), "oid": _git_hash(data)}
    if path.endswith(STORED_APART):
        digest = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
    return entry


def _listed(files: Mapping[str, bytes], start: str, deep: bool) -> list[dict[str, Any]]:
    entries, folders = [], set()
    for path, data in files.items():
        folder = start + path.removeprefix(start).partition("/")[0]
        if deep or folder == path:
            entries.append(_entry(path, data))
        if folder != path and folder not in folders:
            folders.add(folder)
            entries.append({"type": "directory", "path": folder, "oid": "0" * 40, "size": 0})
    return entries


# --- the client: the real libraries, in a process whose environment says where the Hub is


@dataclass(kw_only=True)
class Client:
    """A Python process that reads from the Hub, one call at a time."""

    process: subprocess.Popen[str]
    home: Path
    """What HF_HOME is: the cache."""
    log: Path
    """What the process wrote on standard error, log records included."""

    def call(self, what: str, source: Mapping[str, Any], token: str | None = None) -> Any:
        """What `what` answers for `source`, or the error as `ERROR CLASS: message`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps({"what": what, "source": source, "token": token})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the client ended: {self.log.read_text()[-2000:]}")
        return json.loads(answer)


@contextmanager
def running_client(endpoint: str, home: Path, log: Path, **environment: str) -> Iterator[Client]:
    """A client of the Hub at `endpoint`, with its cache in `home`."""
    package = Path(zenml_ftvr.__file__).parents[1]
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home.parent),
        "PYTHONPATH": str(package),
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ZENML_FTVR_CACHE": str(home / "ftvr"),
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **environment,
    }
    script = Path(__file__).with_name("hub_client.py")
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            env=variables,
            cwd=home.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )
        try:
            yield Client(process=process, home=home, log=log)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(CLIENT_SECONDS)
            assert process.stdout is not None
            process.stdout.close()
