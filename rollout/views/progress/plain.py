"""Progress for pipes and CI logs: one line per change, with the time since the first, no repeats.

[  0.0s] dc_worker: revision 4: update, 127.0.0.1:5000/worker:v0.2
[  0.4s] dc_worker.1 starting (revision 4)
[  1.1s] dc_worker: next batch in 10.0s
"""

from __future__ import annotations

from typing import TextIO

from rollout.model.event import Event, EventKind, Progress
from rollout.model.labels import full_name
from rollout.views.progress.writer import Writer
from rollout.views.text import clean


class Plain:
    def __init__(self, out: TextIO) -> None:
        self._writer = Writer(out)
        self._began: float | None = None
        self._retries: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        still: set[str] = set()
        if self._began is None:
            self._began = progress.at
            still = {status.service for status in progress.services if status.at_rest}
        for event in progress.events:
            if event.service not in still:  # what was at rest before we came is no change
                self._tell(event)

    def close(self) -> None:
        """Nothing is open."""

    def _tell(self, event: Event) -> None:
        text = sentence(event)
        if event.kind is EventKind.RETRY:
            if text in self._retries:
                return
            self._retries.add(text)
        self._say(event.at, text)

    def _say(self, at: float, text: str) -> None:
        offset = max(0.0, at - (self._began or at))
        self._writer.line(f"[{offset:6.1f}s] {clean(text)}")


def sentence(event: Event) -> str:
    """`dc_worker.3 running (revision 4)`, `dc_worker: next batch in 10.0s`, `dc: taken over`."""
    text = event.text or event.state
    if not event.service:
        return f"{event.stack}: {text}"
    if event.slot and text.startswith(f"{event.service}.{event.slot} "):
        return full_name(event.stack, text)
    name = full_name(event.stack, event.service)
    return f"{name}.{event.slot}: {text}" if event.slot else f"{name}: {text}"
