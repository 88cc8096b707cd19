"""A proxy on a Unix socket between a client and the engine: counts requests and breaks some.

Requests are read one by one; what comes back is passed on as it is.  A fault is chosen for each
request by `fault(method, path)`:

    None         pass it on
    "before"     cut the connection instead of passing it on: it never happened
    "after"      pass it on, and cut the connection when the answer comes: it happened
    "silent"     pass it on, and keep the answer
    "garbled"    answer with what is no JSON instead of passing it on
    "cut short"  answer with less than was announced, and cut the connection
    500 … 599    answer with that status instead of passing it on
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

Fault = str | int | None
_HALF = b'[{"Id": "4711", "Na'

ENGINE_SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class SocketProxy:
    """Listens from the start until `close`; `requests` are `METHOD /path` without version."""

    def __init__(self, path: Path, *, upstream: str = ENGINE_SOCKET) -> None:
        self.path = path
        self.host = f"unix://{path}"
        self.requests: list[str] = []
        self.connections = 0
        self.fault: Callable[[str, str], Fault] = lambda _method, _path: None
        self.mute = False
        """Nothing that the engine says is passed on, on any connection."""
        self._upstream = upstream
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts all connections that are open now."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(self._upstream)
        self._open += [client, engine]
        at_answer: list[Fault] = []
        threading.Thread(
            target=self._answers, args=(engine, client, at_answer), daemon=True
        ).start()
        with contextlib.suppress(OSError), client.makefile("rb") as reader:
            while request := read_request(reader):
                if not self._pass_on(request, client, engine, at_answer):
                    break
        end(client, engine)

    def _pass_on(
        self,
        request: bytes,
        client: socket.socket,
        engine: socket.socket,
        at_answer: list[Fault],
    ) -> bool:
        method, target, _ = request.split(b" ", 2)
        path = target.decode().partition("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        self.requests.append(f"{method.decode()} {path}")
        fault = self.fault(method.decode(), path)
        if fault == "before":
            return False
        if fault in ("garbled", "cut short"):
            length = len(_HALF) if fault == "garbled" else 2 * len(_HALF)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}"
            client.sendall(f"{head}\r\n\r\n".encode() + _HALF)
            return fault == "garbled"
        if isinstance(fault, int):
            body = json.dumps({"message": "made up by the proxy"}).encode()
            head = f"HTTP/1.1 {fault} Fault\r\nContent-Type: application/json\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            return True
        at_answer[:] = [fault]
        engine.sendall(request)
        return True

    def _answers(
        self, engine: socket.socket, client: socket.socket, at_answer: list[Fault]
    ) -> None:
        with contextlib.suppress(OSError):
            while content := engine.recv(65536):
                if at_answer == ["after"]:
                    break
                if at_answer != ["silent"] and not self.mute:
                    client.sendall(content)
        end(client, engine)


def read_request(reader: BinaryIO) -> bytes:
    """One whole request; empty at the end."""
    head = b""
    length, chunked = 0, False
    while (line := reader.readline()) not in (b"\r\n", b""):
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            chunked = b"chunked" in value.lower()
    if not line:
        return b""
    head += line
    if not chunked:
        return head + reader.read(length)
    while True:
        size = reader.readline()
        chunk = reader.read(int(size, 16) + 2)
        head += size + chunk
        if int(size, 16) == 0:
            return head


def end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
