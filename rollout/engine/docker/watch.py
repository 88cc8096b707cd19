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
        "kill",
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
_PAST = {"type": ["container"], "event": ["kill", "die"]}
_ALL = 1.0
_OVERLAP_S = 1.0
"""Beyond what the engine's clock, as we know it, may be wrong by."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_CLOSE_S = 2.0


class EventWatch:
    """Runs until `close`.  Raises EngineError where the stream cannot even be opened once."""

    def __init__(
        self,
        api: Api,
        look: Look,
        now: Callable[[], float],
        stack: str | None,
        wake: Callable[[], None],
    ) -> None:
        self._api = api
        self._look = look
        self._now = now
        self._stack = stack
        self._wake = wake
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream[Json] | None = self._opened()
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

    def _opened(self) -> Stream[Json]:
        """What was asked to end before is among the events that the engine remembers."""
        now = self._now()
        stream = self._api.events(_FILTERS, since=now - _OVERLAP_S)
        try:
            for event in self._api.events(_PAST, since=_ALL, until=now):
                if (about := self._of_ours(event)) is not None:
                    self._look.signalled(event["Actor"]["ID"], event["Action"], about, _at(event))
        except BaseException:
            stream.close()
            raise
        self._look.watched(1)
        return stream

    def _reopened(self) -> Stream[Json] | None:
        try:
            stream = self._opened()
        except EngineError:
            return None
        with self._lock:
            self._stream = stream
            if self._closed.is_set():
                stream.close()
        self._wake()
        return stream

    def _take(self, event: Json) -> None:
        name = (event.get("Actor") or {}).get("ID", "")
        if event.get("Type") == "volume":
            if self._is_record(name):
                self._wake()
            return
        about = self._of_ours(event)
        if about is None:
            return
        self._look.signalled(name, event.get("Action", ""), about, _at(event))
        self._look.changed(name)
        self._wake()

    def _of_ours(self, event: Json) -> Json | None:
        """What an event says of a container that is watched; None of any other."""
        about: Json = (event.get("Actor") or {}).get("Attributes") or {}
        project = about.get(labels.COMPOSE_PROJECT)
        if project is None or (self._stack is not None and project != self._stack):
            return None
        return about

    def _is_record(self, volume: str) -> bool:
        prefix = "rollout." if self._stack is None else f"rollout.{self._stack}"
        return volume.startswith(prefix)


def _at(event: Json) -> float:
    return float(event.get("timeNano") or 0) / 1e9
