"""One kind of fault at some calls: what happens to them, and a proxy that makes it happen.

Before: the request never reaches the engine.  After: the engine has done it and answers, and the
answer never reaches the command.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from tests.chaos.calls import LOOK, LOOKS, call_of
from tests.support.socket_proxy import ENGINE_SOCKET, end, read_request

LATE_S = 0.7
APART = 3
"""Calls of a class from one fault to the next: what is tried again must have its chance."""


class Kind(StrEnum):
    KILLED_BEFORE = "killed-before"
    KILLED_AFTER = "killed-after"
    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"
    ERROR_BEFORE = "error-before"
    ERROR_AFTER = "error-after"
    LATE = "late"

    @property
    def kills(self) -> bool:
        return self in (Kind.KILLED_BEFORE, Kind.KILLED_AFTER)


_BEFORE = (Kind.KILLED_BEFORE, Kind.CUT_BEFORE, Kind.ERROR_BEFORE)
_ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b'Connection: close\r\nContent-Length: 34\r\n\r\n{"message":"made up by the proxy"}\n'
)


class Moment(Struct, frozen=True, order=True):
    call: str
    nth: int
    """Counted from 1 among the calls of its class, in the order in which the proxy reads them."""

    def __str__(self) -> str:
        return f"{self.call}#{self.nth}"


class Fault(Struct, frozen=True):
    kind: Kind
    at: frozenset[Moment]
    """Wherever it comes to such a call; but not again within a few calls of the same class."""


class FaultProxy:
    """Stands between a command and the engine, and lets a fault happen (None: just counts)."""

    def __init__(self, path: Path, fault: Fault | None, kill: Callable[[], None]) -> None:
        self.host = f"unix://{path}"
        self.calls: Counter[str] = Counter()
        self.hits: list[Moment] = []
        self._fault = fault
        self._kill = kill
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(ENGINE_SOCKET)
        at_answer: list[Kind | None] = [None]
        threading.Thread(target=self._answer, args=(engine, client, at_answer), daemon=True).start()
        with contextlib.suppress(OSError), client.makefile("rb") as reader:
            while request := read_request(reader):
                kind = self._kind_for(call_of(request))
                if kind in _BEFORE:
                    self._break(kind, client)
                    break
                at_answer[0] = kind
                engine.sendall(request)
        end(client, engine)

    def _kind_for(self, call: str) -> Kind | None:
        with self._lock:
            call = LOOK if call in LOOKS else call
            self.calls[call] += 1
            moment = Moment(call, self.calls[call])
            if self._fault is None or moment not in self._fault.at:
                return None
            if any(hit.call == call and moment.nth - hit.nth < APART for hit in self.hits):
                return None
            self.hits.append(moment)
            return self._fault.kind

    def _answer(
        self, engine: socket.socket, client: socket.socket, at_answer: list[Kind | None]
    ) -> None:
        with contextlib.suppress(OSError):
            while content := engine.recv(65536):
                kind, at_answer[0] = at_answer[0], None
                if kind is Kind.LATE:
                    time.sleep(LATE_S)
                elif kind is not None:
                    self._break(kind, client)
                    break
                client.sendall(content)
        end(client, engine)

    def _break(self, kind: Kind, client: socket.socket) -> None:
        """What the command has instead of an answer; its connection is closed after."""
        if kind.kills:
            self._kill()
        elif kind in (Kind.ERROR_BEFORE, Kind.ERROR_AFTER):
            client.sendall(_ERROR)
