"""`rollout logs SERVICE|STACK [-f]`: what the tasks write.

With -f, tasks that are made while it runs are followed too: each has a thread that reads, and the
one that prints takes their lines from a queue.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import click

from rollout.cli.interrupt import INTERRUPTED, Interruption
from rollout.cli.settings import Settings
from rollout.cli.syntax import duration
from rollout.cli.targets import Scope, find_scope
from rollout.cli.wiring import open_session
from rollout.controller.session import Session
from rollout.engine.protocol import LogLine
from rollout.errors import RolloutError, UsageError
from rollout.model.task import Task
from rollout.views.logs import Prefix, log_text


class Wanted(NamedTuple):
    tail: int | None
    since: float | None


@click.command("logs")
@click.argument("target", metavar="SERVICE|STACK")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--tail", metavar="N", default="all", help="Only the last N lines of a task.")
@click.option("--since", metavar="TIME", help="Since a time (RFC 3339) or a duration ago (10m).")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was written.")
@click.option("--no-task-ids", is_flag=True, help="Leave task ids out.")
@click.option("--no-trunc", is_flag=True, help="Show task ids whole.")
@click.option("--raw", is_flag=True, help="Only what the tasks wrote.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    target: str,
    follow: bool,
    tail: str,
    since: str | None,
    timestamps: bool,
    no_task_ids: bool,
    no_trunc: bool,
    raw: bool,
) -> int:
    """Show what the tasks of a service or stack write, dead ones too."""
    prefix = Prefix(
        node="", ids=not no_task_ids, trunc=not no_trunc, timestamps=timestamps, raw=raw
    )
    count = _tail(tail)
    with open_session(settings) as session:
        scope = find_scope(session, target)
        wanted = Wanted(tail=count, since=_since(since, session.engine.now()))
        prefix = prefix._replace(node=session.engine.host)
        if follow:
            with Interruption() as interruption:
                for line in _follow(session, scope, wanted, interruption.stop):
                    _write(line, prefix)
                    sys.stdout.flush()
            return INTERRUPTED
        for line in _read(session, scope, wanted):
            _write(line, prefix)
    return 0


def _write(line: LogLine, prefix: Prefix) -> None:
    out = sys.stderr if line.stream == "stderr" else sys.stdout
    as_is = prefix.raw and not prefix.timestamps and not out.isatty()
    text = line.text if as_is else log_text(line.task, line.text, line.at, prefix)
    out.write(text + "\n")


def _tail(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f'invalid argument "{text}" for --tail: use a number or all')
    return int(text)


def _since(text: str | None, now: float) -> float | None:
    """Epoch seconds on the engine's clock."""
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now - duration("since", text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _tasks(session: Session, scope: Scope) -> tuple[Task, ...]:
    return tuple(task for task in session.engine.observe(scope.stack) if scope.covers(task.service))


def _read(session: Session, scope: Scope, wanted: Wanted) -> Iterator[LogLine]:
    yield from session.engine.logs(_tasks(session, scope), tail=wanted.tail, since=wanted.since)


def _follow(
    session: Session, scope: Scope, wanted: Wanted, stop: threading.Event
) -> Iterator[LogLine]:
    """Until `stop` is set: an interrupt that came as an exception could be lost in a callback."""
    lines: queue.Queue[LogLine] = queue.Queue(maxsize=1000)
    changed = threading.Event()
    changed.set()
    seen: set[tuple[str, float | None]] = set()

    def read(task: Task, tail: int | None, since: float | None) -> None:
        try:
            for line in session.engine.logs((task,), follow=True, tail=tail, since=since):
                lines.put(line)
        except RolloutError:
            return

    def look(first: bool) -> None:
        for task in _tasks(session, scope):
            key = (task.container_id, task.started_at)
            if task.started_at is None or key in seen or not (first or task.alive):
                continue
            seen.add(key)
            again = any(other == task.container_id for other, _ in seen - {key})
            since = task.started_at if again else wanted.since
            tail = wanted.tail if first else None
            threading.Thread(target=read, args=(task, tail, since), daemon=True).start()

    watch = session.engine.watch(scope.stack, changed.set)
    try:
        first, looked_at = True, 0.0
        while not stop.is_set():
            if changed.is_set() and time.monotonic() - looked_at > 0.2:
                changed.clear()
                look(first)
                first, looked_at = False, time.monotonic()
            with contextlib.suppress(queue.Empty):
                yield lines.get(timeout=0.2)
    finally:
        watch.close()
