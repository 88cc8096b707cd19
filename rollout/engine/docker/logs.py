"""Logs of several tasks as one stream of lines.

What is there already comes in the order of its time stamps; what is followed comes as it is
written, read by one thread a task.
"""

from __future__ import annotations

import contextlib
import heapq
import queue
import threading
from collections.abc import Iterator

from rollout.engine.docker.api import Api, Stream
from rollout.engine.docker.look import Look
from rollout.engine.docker.observe import spec_of
from rollout.engine.docker.streams import lines
from rollout.engine.protocol import LogLine
from rollout.errors import EngineError, NotFoundError
from rollout.model.secrets import without_secrets_of
from rollout.model.task import Task


def read_logs(
    api: Api, look: Look, tasks: tuple[Task, ...], *, tail: int | None, since: float | None
) -> Iterator[LogLine]:
    """All that there is; of tasks that are gone, nothing."""
    sources = []
    for task in tasks:
        with contextlib.suppress(NotFoundError):
            sources.append(_lines(task, _open(api, look, task, False, tail, since)))
    yield from heapq.merge(*sources, key=lambda line: line.at)


def follow_logs(
    api: Api, look: Look, tasks: tuple[Task, ...], *, tail: int | None, since: float | None
) -> Iterator[LogLine]:
    """Until all tasks have ended, or the reader closes the generator."""
    written: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
    streams: list[Stream[tuple[str, bytes]]] = []

    def read(task: Task, stream: Stream[tuple[str, bytes]]) -> None:
        try:
            for line in _lines(task, stream):
                written.put(line)
        finally:
            written.put(None)

    try:
        for task in tasks:
            with contextlib.suppress(NotFoundError):
                stream = _open(api, look, task, True, tail, since)
                streams.append(stream)
                threading.Thread(target=read, args=(task, stream), name="logs", daemon=True).start()
        open_streams = len(streams)
        while open_streams:
            line = written.get()
            if line is None:
                open_streams -= 1
            else:
                yield line
    finally:
        for stream in streams:
            stream.close()


def last_words(api: Api, look: Look, task: Task, count: int) -> tuple[str, ...]:
    """Without the definition's secrets: they are shown wherever a failure is."""
    spec = spec_of(task.spec)
    try:
        stream = _open(api, look, task, False, count, None)
        return tuple(without_secrets_of(line.text, spec) for line in _lines(task, stream))
    except EngineError:
        # A log driver that cannot be read, or a task that is gone: there is nothing to be had.
        return ()


def _open(
    api: Api, look: Look, task: Task, follow: bool, tail: int | None, since: float | None
) -> Stream[tuple[str, bytes]]:
    tty = bool(look.inspected(task.container_id)["Config"].get("Tty"))
    return api.logs(task.container_id, follow=follow, tail=tail, since=since, tty=tty)


def _lines(task: Task, stream: Stream[tuple[str, bytes]]) -> Iterator[LogLine]:
    for name, text in lines(stream):
        at, _, rest = text.partition(" ")
        yield LogLine(task=task, text=rest, stream=name, at=at)
