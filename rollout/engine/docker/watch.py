"""The engine's events → "look again".

Events say only that something has changed; what is so is read from the containers.  When the stream
ends, for whatever reason, it is opened again, with growing pauses, and then all is looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rollout.engine.docker.api import Api, Json, Stream
from rollout.engine.docker.look import Look
from rollout.errors import EngineError
from rollout.model import labels

_FILTERS = {
    "type": ["container", "volume"],
    "event": [
        "create",
        "start",
        "die",
        "oom",
        "pause",
        "unpause",
        "rename",
        "destroy",
        "update",
        "health_status",
    ],
}
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_CLOSE_S = 2.0


class EventWatch:
    """Runs until `close`.  Raises EngineError where the stream cannot even be opened once."""

    def __init__(self, api: Api, look: Look, stack: str | None, wake: Callable[[], None]) -> None:
        self._api = api
        self._look = look
        self._stack = stack
        self._wake = wake
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream[Json] | None = api.events(_FILTERS)
        look.watched(1)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()
        if self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_S)
        if self._stack is not None:
            self._look.left(self._stack)

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        stream = self._stream
        while True:
            if stream is not None:
                for event in stream:
                    pause = _FIRST_PAUSE_S
                    self._take(event)
                self._look.watched(-1)
            if self._closed.wait(pause):
                return
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            stream = self._reopened()

    def _reopened(self) -> Stream[Json] | None:
        try:
            stream = self._api.events(_FILTERS)
        except EngineError:
            return None
        self._look.watched(1)
        with self._lock:
            self._stream = stream
            if self._closed.is_set():
                stream.close()
        self._wake()
        return stream

    def _take(self, event: Json) -> None:
        actor = event.get("Actor") or {}
        name, about = actor.get("ID", ""), actor.get("Attributes") or {}
        if event.get("Type") == "volume":
            if self._is_record(name):
                self._wake()
            return
        project = about.get(labels.COMPOSE_PROJECT)
        if project is None or (self._stack is not None and project != self._stack):
            return
        self._look.changed(name)
        self._wake()

    def _is_record(self, volume: str) -> bool:
        prefix = "rollout." if self._stack is None else f"rollout.{self._stack}"
        return volume.startswith(prefix)
