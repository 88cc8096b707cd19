"""Progress for pipes and CI logs: one line per change, with the time since the first, no repeats.

[  0.0s] dc_worker: revision 4: update, 127.0.0.1:5000/worker:v0.2
[  0.4s] dc_worker.1 starting (revision 4)
[  1.1s] dc_worker: next batch in 10.0s

Where nothing changes for long, what is waited for is said now and then: a log that stands still
looks like a command that hangs, and some CI ends a job that says nothing.
"""

from __future__ import annotations

from typing import TextIO

from rollout.model.event import ANNOUNCED_WAITS, Event, EventKind, Progress
from rollout.model.labels import full_name
from rollout.views.progress.writer import Writer
from rollout.views.text import clean
from rollout.views.waiting import wait_of

SILENCE_S = 60.0
"""The longest time without a line."""
UNEXPLAINED_S = 10.0
"""The same while nothing has said yet what it waits for."""


class Plain:
    def __init__(self, out: TextIO) -> None:
        self._writer = Writer(out)
        self._began: float | None = None
        self._said_at = 0.0
        self._explained: set[tuple[str, tuple[int, ...], str]] = set()
        self._retries: set[str] = set()
        self._waits: dict[str, str] = {}

    def __call__(self, progress: Progress) -> None:
        still: set[str] = set()
        if self._began is None:
            self._began = self._said_at = progress.at
            still = {status.service for status in progress.services if status.at_rest}
        told = {_task(event) for event in progress.events if event.kind is EventKind.FAILURE}
        for event in progress.events:
            if event.service in still:  # what was at rest before we came is no change
                continue
            if event.kind is EventKind.TASK and _task(event) in told:  # its failure says more
                continue
            self._tell(event)
        self._explain(progress)

    def notice(self, _text: str) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    def _tell(self, event: Event) -> None:
        text = sentence(event)
        if not self._is_repeat(event, text):
            self._say(event.at, text)

    def _explain(self, progress: Progress) -> None:
        """Say what is waited for, where nothing was said for long."""
        silent_s = progress.at - self._said_at
        for status in progress.services:
            text = wait_of(status, progress.at)
            wait = (status.service, status.batch, status.waiting_for)
            known = wait in self._explained or status.waiting_for in ANNOUNCED_WAITS
            if text and silent_s >= (SILENCE_S if known else UNEXPLAINED_S):
                self._explained.add(wait)
                self._say(progress.at, f"{full_name(status.stack, status.service)}: {text}")

    def _is_repeat(self, event: Event, text: str) -> bool:
        """A retry is told once; a wait once a batch, though its end may move."""
        match event.kind:
            case EventKind.RETRY:
                told = text in self._retries
                self._retries.add(text)
                return told
            case EventKind.WAIT:
                told = self._waits.get(event.service) == text
                self._waits[event.service] = text
                return told
            case EventKind.BATCH:
                self._waits.pop(event.service, None)
        return False

    def _say(self, at: float, text: str) -> None:
        self._said_at = at
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


def _task(event: Event) -> tuple[str, int, str, str]:
    return (event.service, event.slot, event.task, event.state)
