"""A W&B server on this machine that the real client completes against, and which is strict: a
request that it does not know, or that carries another key than its own, is recorded as a fault."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from wandb_answers import Answers, Run
from wandb_graphql import UnknownRequestError

__all__ = ["KEY", "WandbServer", "serve"]

KEY = "canary0" + "c0ffee" * 5 + "k3y"  # forty characters that occur nowhere by chance


class WandbServer:
    """The server, what it was sent, and what it did not understand."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.refused = 0
        """Requests with another key, or none."""
        self.requests: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        """All that came in; the key must not be among it."""
        self._lock = threading.RLock()
        self._open: set[socket.socket] = set()
        self._http: _Http | None = None
        self.start(port=0)
        self.answers = Answers(self.url)

    def start(self, port: int | None = None) -> None:
        """Listen; on the port of before unless another is given."""
        self._http = _Http(self, self._port if port is None else port)
        self._port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Die: nothing listens any more, and open connections break."""
        if self._http is None:
            return
        self._http.shutdown()
        self._http.server_close()
        self._http = None
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def runs(self) -> list[Run]:
        return list(self.answers.runs.values())

    def run_named(self, name: str) -> Run:
        """The run with this display name."""
        [found] = [run for run in self.runs if run.fields.get("displayName") == name]
        return found


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wandb: WandbServer, port: int) -> None:
        self.wandb = wandb
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.server.wandb._open.add(self.connection)

    def finish(self) -> None:
        self.server.wandb._open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        wandb = self.server.wandb
        path, body = unquote(urlsplit(self.path).path), self._body()
        with wandb._lock:
            wandb.bodies.append(body)
            wandb.requests[f"{self.command} {path.split('/')[1]}"] += 1
            if not path.startswith("/storage/") and not self._is_allowed():
                wandb.refused += 1
                self._send(401, {"errors": [{"message": "user is not logged in"}]})
                return
            try:
                self._answer(path, body)
            except UnknownRequestError as error:
                wandb.faults.append(str(error))
                self._send(400, {"errors": [{"message": f"unknown: {error}"}]})
            except Exception as error:
                wandb.faults.append(traceback.format_exc())
                self._send(400, {"errors": [{"message": repr(error)}]})

    def _is_allowed(self) -> bool:
        expected = base64.b64encode(f"api:{KEY}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _answer(self, path: str, body: bytes) -> None:
        answers = self.server.wandb.answers
        parts = path.split("/")
        if self.command == "POST" and path == "/graphql":
            self._send(200, {"data": answers.answer(json.loads(body))})
        elif self.command == "POST" and parts[1] == "files" and parts[-1] == "file_stream":
            self._send(200, answers.take_lines((parts[2], parts[3], parts[4]), json.loads(body)))
        elif self.command == "PUT" and parts[1:3] == ["storage", "runs"]:
            answers.runs[parts[3], parts[4], parts[5]].files["/".join(parts[6:])] = body
            self._send(200, {})
        elif parts[1:3] == ["storage", "artifacts"]:
            self._artifact_file(parts[3], parts[4], "/".join(parts[5:]), body)
        elif self.command == "GET" and parts[1:3] == ["storage", "runs"]:
            held = answers.runs[parts[3], parts[4], parts[5]].files
            self._send_bytes(200, held["/".join(parts[6:])])
        else:
            raise UnknownRequestError(f"{self.command} {path}")

    def _artifact_file(self, number: str, what: str, name: str, body: bytes) -> None:
        [one] = [
            one for one in self.server.wandb.answers.artifacts.values() if str(one.number) == number
        ]
        if self.command == "PUT":
            if what == "manifest":
                one.manifest = body
            else:
                one.files[name] = body
            self._send(200, {})
        else:
            self._send_bytes(200, one.manifest if what == "manifest" else one.files[name])

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, code: int, value: Any) -> None:
        self._send_bytes(code, json.dumps(value).encode())

    def _send_bytes(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serve() -> Iterator[WandbServer]:
    """A server that ends with the block; what it did not understand ends the test."""
    server = WandbServer()
    try:
        yield server
    finally:
        server.stop()
    assert server.faults == []
