"""Looking at a stack with as few calls as can be: one list, and an inspect of what has changed.

An inspect is kept for as long as a watch is open that would have told of a change, and the list
shows the container as it was.  While nobody watches, or after the watch was lost, all is looked at
anew; so is, now and then, whatever runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct
from msgspec.structs import replace

from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.observe import (
    Seen,
    cut,
    fingerprint,
    is_half_made,
    is_task,
    name_of,
    parse_time,
    task_of,
    unreadable,
    with_signal,
)
from rollout.engine.protocol import OnUnreadable, Unreadable
from rollout.errors import EngineError, NotFoundError
from rollout.model import labels
from rollout.model.task import Task

_TRUST_S = 30.0
_TRUST_STARTING_S = 2.0
_SAME_END_S = 0.9
"""How much earlier than the time that the container has of its end the event of it may be."""
_PARALLEL = 8


def not_told(_what: Unreadable) -> None: ...


class _Known(Struct, frozen=True):
    fingerprint: tuple[str, ...]
    inspected: Json
    looked_at: float


class Look:
    """Safe to use from many threads."""

    def __init__(
        self,
        api: Api,
        monotonic: Callable[[], float] = time.monotonic,
        on_unreadable: OnUnreadable = not_told,
    ) -> None:
        self._api = api
        self.on_unreadable = on_unreadable
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._seen: dict[str, Seen] = {}
        self._in_flight: dict[str, bool] = {}
        self._watches = 0
        self._watch_changes = 0
        self._last: dict[str, tuple[Task, ...]] = {}
        self._came_up: float | None = None
        self._signals: dict[str, tuple[str, float]] = {}
        self._exits: dict[str, tuple[float, int | None]] = {}

    def tasks(self, stack: str) -> tuple[Task, ...]:
        """Sorted by service, slot and creation."""
        rows = [row for row in self._readable(self.rows(stack)) if is_task(row)]
        inspected = self._inspect_all(rows)
        tasks = []
        for row in rows:
            raw = inspected.get(row["Id"])
            if raw is None:
                continue
            with self._lock:
                task, self._seen[row["Id"]] = task_of(row, raw, self._seen.get(row["Id"], Seen()))
                signal = self._signals.get(row["Id"])
            task = self._with_last_exit(task)
            tasks.append(with_signal(task, *signal) if signal else task)
        tasks.sort(key=lambda task: (task.service, task.slot, task.created_at, task.id))
        self._forget(stack, tuple(tasks))
        return tuple(tasks)

    def unreadable(self, stack: str) -> tuple[Unreadable, ...]:
        """Containers that say they are tasks of a stack, and cannot be."""
        found = ((row, unreadable(row)) for row in self.rows(stack))
        return tuple(_told(row, why) for row, why in found if why)

    def last(self, stack: str) -> tuple[Task, ...]:
        """The tasks as they were last looked at; looks now where nobody has yet."""
        with self._lock:
            known = self._last.get(stack)
        return self.tasks(stack) if known is None else known

    def half_made(self, stack: str) -> list[Json]:
        """Rows of containers that somebody began to prepare; who did may have died."""
        return [row for row in self.rows(stack) if is_half_made(row)]

    def rows(self, stack: str) -> list[Json]:
        return self._api.containers([f"{labels.COMPOSE_PROJECT}={stack}"])

    def inspected(self, container: str) -> Json:
        """What is known of a container, else what the engine says now.  Raises NotFoundError."""
        with self._lock:
            known = self._known.get(container)
            if known is not None and self._trusted(known):
                return known.inspected
        return self._api.inspect(container)

    def came_up(self, *, anew: bool) -> float:
        """When the engine made its default bridge: it does so as it starts, unless tasks that it
        has kept alive are still connected.  0 where it has none."""
        with self._lock:
            known, changes = self._came_up, self._watch_changes
        if known is not None and self._watches and not anew:
            return known
        rows = self._api.networks(name=["bridge"])
        made = [parse_time(each["Created"]) for each in rows if each["Name"] == "bridge"]
        at = next(filter(None, made), 0.0)
        with self._lock:
            if changes == self._watch_changes:
                self._came_up = at
        return at

    # -- told by the watch

    def watched(self, open_watches: int) -> None:
        """One watch more (1) or less (-1).  A new one has missed what was before it."""
        with self._lock:
            self._watches += open_watches
            self._known.clear()
            self._came_up = None
            self._watch_changes += 1

    def left(self, stack: str) -> None:
        """Nobody watches this stack any longer; where nothing is left of it, nor is it known."""
        with self._lock:
            if not self._last.get(stack, ()):
                self._last.pop(stack, None)

    def signalled(self, container: str, event: str, about: Json, at: float) -> None:
        """An event of a container: `kill` with its signal, or another."""
        with self._lock:
            if event == "kill":
                self._signals[container] = (str(about.get("signal", "")), at)
            elif event == "die":
                self._signals.pop(container, None)
                self._exits[container] = (at, _exit_code(about))

    def changed(self, container: str) -> None:
        with self._lock:
            self._known.pop(container, None)
            if container in self._in_flight:
                self._in_flight[container] = False

    # -- inside

    def _with_last_exit(self, task: Task) -> Task:
        """A task that is up again has lost its exit code: only the event of its end has it, for as
        long as the engine remembers that."""
        ended_at = task.last_ended_at
        if ended_at is None or task.last_exit is not None:
            return task
        with self._lock:
            known = self._exits.get(task.container_id)
        if known is None or known[0] < ended_at - _SAME_END_S:
            until = max(task.started_at or ended_at, ended_at)
            known = (until, self._asked_exit(task.container_id, ended_at, until))
            with self._lock:
                self._exits[task.container_id] = known
        return replace(task, last_exit=known[1])

    def _asked_exit(self, container: str, ended_at: float, until: float) -> int | None:
        """Between an end and the start that came after it."""
        filters = {"type": ["container"], "event": ["die"], "container": [container]}
        since = ended_at - _SAME_END_S
        try:
            events = list(self._api.events(filters, since=since, until=until))
        except EngineError:
            return None
        codes = [_exit_code((each.get("Actor") or {}).get("Attributes") or {}) for each in events]
        return codes[-1] if codes else None

    def _readable(self, rows: Iterable[Json]) -> list[Json]:
        """Those that are tasks; of the others somebody is told."""
        found = []
        for row in rows:
            if why := unreadable(row):
                self.on_unreadable(_told(row, why))
            else:
                found.append(row)
        return found

    def _inspect_all(self, rows: list[Json]) -> dict[str, Json]:
        result: dict[str, Json] = {}
        stale = []
        with self._lock:
            for row in rows:
                known = self._known.get(row["Id"])
                if (
                    known is not None
                    and known.fingerprint == fingerprint(row)
                    and self._trusted(known)
                ):
                    result[row["Id"]] = known.inspected
                else:
                    stale.append(row)
        if len(stale) <= _PARALLEL:
            found = [self._inspect(row) for row in stale]
        else:
            with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="inspect") as pool:
                found = list(pool.map(self._inspect, stale))
        result.update((raw["Id"], raw) for raw in found if raw is not None)
        return result

    def _inspect(self, row: Json) -> Json | None:
        container, at = row["Id"], self._monotonic()
        with self._lock:
            self._in_flight[container] = True
        try:
            raw = self._api.inspect(container)
        except NotFoundError:
            raw = None
        with self._lock:
            # What a change has overtaken on its way is good for this look, not for the next.
            up_to_date = self._in_flight.pop(container, False)
            if raw is not None and self._watches and up_to_date:
                self._known[container] = _Known(fingerprint(row), raw, at)
        return raw

    def _trusted(self, known: _Known) -> bool:
        if not self._watches:
            return False
        # Not `created`: a start that fails leaves it so, and may tell nobody.
        state = known.inspected["State"]
        at_rest = state["Status"] in ("exited", "dead")
        # What a probe has said while it starts is no event.
        starts = (state.get("Health") or {}).get("Status") == "starting"
        trust_s = _TRUST_STARTING_S if starts else _TRUST_S
        return at_rest or self._monotonic() - known.looked_at < trust_s

    def _forget(self, stack: str, tasks: tuple[Task, ...]) -> None:
        """Memory does not grow: what was in the stack and is no more is dropped."""
        with self._lock:
            here = {task.container_id for task in tasks}
            for task in self._last.get(stack, ()):
                if task.container_id not in here:
                    self._known.pop(task.container_id, None)
                    self._seen.pop(task.container_id, None)
                    self._exits.pop(task.container_id, None)
            self._last[stack] = tasks


def _exit_code(about: Json) -> int | None:
    text = str(about.get("exitCode", ""))
    return int(text) if text.isascii() and text.isdecimal() else None


def _told(row: Json, why: str) -> Unreadable:
    return Unreadable(
        kind="container",
        name=name_of(row) or row["Id"][:12],
        stack=str((row.get("Labels") or {}).get(labels.COMPOSE_PROJECT, "")),
        why=why,
    )


def stacks_of(rows: Iterable[Json], volumes: Iterable[Json]) -> tuple[set[str], list[Unreadable]]:
    """The stacks that containers and records speak of, and those that name none."""
    named: set[str] = set()
    others: list[Unreadable] = []
    for kind, each in (*(("container", row) for row in rows), *(("volume", v) for v in volumes)):
        stack = (each.get("Labels") or {}).get(labels.STACK)
        if stack is not None and labels.is_stack_name(stack):
            named.add(stack)
            continue
        name = each["Name"] if kind == "volume" else name_of(each) or each["Id"][:12]
        why = f"{labels.STACK} is {cut(stack)}"
        others.append(Unreadable(kind=kind, name=name, stack="", why=why))
    return named, others
