"""`--progress json`: one object a line for every event, for machines."""

from __future__ import annotations

from typing import TextIO

import msgspec

from rollout.model.event import Event, Progress
from rollout.views.progress.writer import Writer
from rollout.views.text import timestamp


class Lines:
    def __init__(self, out: TextIO) -> None:
        self._writer = Writer(out)

    def __call__(self, progress: Progress) -> None:
        for event in progress.events:
            self._writer.line(_object(event))

    def notice(self, _text: str) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


def _object(event: Event) -> str:
    fields: dict[str, object] = {
        "ts": timestamp(event.at),
        "stack": event.stack,
        "service": event.service or None,
        "revision": event.revision or None,
        "event": str(event.kind),
    }
    optional = {
        "slot": event.slot,
        "task": event.task,
        "state": event.state,
        "message": event.text,
    }
    fields |= {key: value for key, value in optional.items() if value}
    return msgspec.json.encode(fields).decode()
