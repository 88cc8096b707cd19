"""A small HTTP server for `/healthz` and `/metrics`: two pages, a few readers at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, socket
from typing import Any, NamedTuple

from rollout.errors import RolloutError, UsageError
from rollout.log import log

_READERS = 8
"""At a time; whoever comes beyond is let go at once."""
_PATIENCE_S = 5.0
"""How long a reader may take to say what it wants."""


class Page(NamedTuple):
    status: HTTPStatus
    kind: str
    content: bytes


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """`127.0.0.1:9470`, `[::1]:9470`; port 0 is any free one.  Raises UsageError."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    good = colon and bare and port.isascii() and port.isdecimal() and int(port) < 65536
    if not good or (":" in bare) != host.startswith("["):
        raise UsageError(f"--listen {text}: not an address", hint="write HOST:PORT, or off")
    return Address(bare, int(port))


@contextmanager
def serving(where: Address, pages: Mapping[str, Callable[[], Page]]) -> Iterator[Address]:
    """Serve while the block runs; the address is the one that is really listened on.

    Raises RolloutError where it cannot be listened on.
    """
    try:
        server = _Server(where, pages)
    except OSError as error:
        raise RolloutError(
            f"{where} cannot be listened on: {error.strerror or error}",
            hint="choose another with --listen, or --listen off",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield Address(where.host, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, where: Address, pages: Mapping[str, Callable[[], Page]]) -> None:
        self.address_family = AF_INET6 if ":" in where.host else AF_INET
        self.pages = pages
        self._room = threading.BoundedSemaphore(_READERS)
        super().__init__((where.host, where.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ARG002  the library's
        """A reader that went away is nobody's business."""
        log.debug("a reader of the controller's pages went away", client=str(client_address))


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_S
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def _answer(self, *, with_content: bool) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        found = page() if page else Page(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")
        self.send_response(found.status)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(found.content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_content:
            self.wfile.write(found.content)

    def version_string(self) -> str:
        return "rollout"

    def log_message(self, *_: Any) -> None: ...
