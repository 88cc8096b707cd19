"""The engine's own event stream as the witness of what happened, in which order, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker
from msgspec import Struct

from rollout.model import labels


class Seen(Struct, frozen=True):
    """One event of one container."""

    at: float
    what: str
    service: str
    slot: int
    revision: int
    container: str
    image: str = ""
    task: str = ""
    exit_code: int | None = None
    """Of a `die`."""

    def __str__(self) -> str:
        return f"{self.what} {self.service}.{self.slot} r{self.revision}"


class Witness:
    """All container events of one stack, in the engine's order."""

    def __init__(self, stack: str, host: str | None = None) -> None:
        self.events: list[Seen] = []
        self._client = docker.APIClient(host, version="1.41")
        self._open = threading.Event()
        self._stream = self._client.events(
            decode=True,
            filters={"type": "container", "label": f"{labels.COMPOSE_PROJECT}={stack}"},
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def of(
        self, *whats: str, service: str | None = None, revision: int | None = None
    ) -> list[Seen]:
        return [
            event
            for event in self.events
            if event.what in whats
            and service in (None, event.service)
            and revision in (None, event.revision)
        ]

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Until what was seen fulfils a condition."""
        eventually(condition, timeout_s, lambda: "\n".join(map(str, self.events)))

    def close(self) -> None:
        self._stream.close()
        self._thread.join(5)
        self._client.close()

    def _read(self) -> None:
        for event in self._stream:
            attributes = event["Actor"]["Attributes"]
            self.events.append(
                Seen(
                    at=event["timeNano"] / 1e9,
                    what=event["Action"],
                    service=attributes.get(labels.SERVICE, ""),
                    slot=int(attributes.get(labels.SLOT, 0)),
                    revision=int(attributes.get(labels.REVISION, 0)),
                    container=event["Actor"]["ID"],
                    image=attributes.get("image", ""),
                    task=attributes.get(labels.TASK, ""),
                    exit_code=int(attributes["exitCode"]) if "exitCode" in attributes else None,
                )
            )


@contextmanager
def witness(stack: str, host: str | None = None) -> Iterator[Witness]:
    """Sees everything from here to the end of the block, and what was on its way then; `host` is
    another engine than the usual one, and its end is the end of what is seen."""
    found = Witness(stack, host)
    try:
        yield found
        time.sleep(0.2)  # events arrive after what they tell of
    finally:
        found.close()


def eventually(
    condition: Callable[[], object],
    timeout_s: float = 30.0,
    explain: Callable[[], str] = lambda: "",
) -> None:
    """Look until a condition holds; fail, saying what was there, when it does not in time."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout_s:.0f} s\n{explain()}")
        time.sleep(0.02)
