r"""`ps`: the tasks of a slot, newest first, the earlier ones hanging below ` \_ `."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from rollout.model.labels import full_name
from rollout.model.state import Health, TaskState
from rollout.model.task import Task, state_of
from rollout.views.table import table
from rollout.views.text import ago, clean, image_digest, natural, short_image, timestamp, truncate
from rollout.views.waiting import seconds_left

_HEADER = ("ID", "NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR", "PORTS")
_ERROR_COLUMNS = 30


class TaskRow(Struct, frozen=True, kw_only=True):
    """One task as `ps` shows it, in the field names of `ps --format json`."""

    id: str
    name: str
    stack: str
    service: str
    slot: int
    revision: int
    image: str
    image_digest: str
    desired_state: str
    current_state: str
    since: float
    error: str
    exit_code: int | None
    health: str
    container_id: str
    node: str
    ports: tuple[str, ...]
    newest: bool
    restarts: int = 0
    """How often Docker has brought it back."""
    last_exit: int | None = None
    """The exit code of the run before, where Docker has brought it back."""
    last_ended_at: float | None = None
    restarting: bool = False
    """Docker is bringing it back, or has done so lately."""
    probe: str = ""
    """What its last failed health probe said, while it is up and not healthy."""
    until: float | None = None
    """When what it waits for is over at the latest."""


def task_rows(
    tasks: Iterable[Task],
    *,
    node: str,
    now: float | None = None,
    untils: Mapping[str, float] | None = None,
    scaled_away: Mapping[str, float] | None = None,
) -> tuple[TaskRow, ...]:
    """Sorted by service and slot, naturally, and within a slot newest first.

    `now` is epoch seconds on the engine's clock.  `untils`: task id → when it will be given up.
    `scaled_away`: task id → since when its slot is no longer asked for: it was stopped for that.
    """
    ordered = sorted(tasks, key=lambda task: (_slot_key(task), -task.created_at, task.name))
    rows: list[TaskRow] = []
    for _, group in groupby(ordered, key=_slot_key):
        replaced_at: float | None = None
        for task in group:
            ends = [at for at in (replaced_at, (scaled_away or {}).get(task.id)) if at is not None]
            until_at = min(ends, default=None)
            row = _row(task, node=node, replaced_at=until_at, newest=replaced_at is None)
            restarting = task.restarting(task.last_ended_at or 0.0 if now is None else now)
            until = (untils or {}).get(task.id)
            rows.append(replace(row, restarting=restarting, until=until))
            replaced_at = task.created_at
    return tuple(rows)


def _slot_key(task: Task) -> tuple[object, ...]:
    return (natural(full_name(task.stack, task.service)), task.slot)


def _row(task: Task, *, node: str, replaced_at: float | None, newest: bool) -> TaskRow:
    state = state_of(task, replaced_at=replaced_at)
    return TaskRow(
        id=task.id or task.container_id[:25],
        name=f"{full_name(task.stack, task.service)}.{task.slot}",
        stack=task.stack,
        service=task.service,
        slot=task.slot,
        revision=task.revision,
        image=short_image(task.image),
        image_digest=image_digest(task.image),
        desired_state=str(_desired(task)),
        current_state=str(state),
        since=_since(task),
        error=task_error(task, state),
        exit_code=task.exit_code if task.ended else None,
        health=str(task.health),
        container_id=task.container_id,
        node=node,
        ports=task.ports,
        newest=newest,
        restarts=task.restarts,
        last_exit=task.last_exit,
        last_ended_at=task.last_ended_at,
        probe=task.probe,
    )


def _desired(task: Task) -> TaskState:
    if task.prepared:
        return TaskState.READY
    return TaskState.RUNNING if task.alive else TaskState.SHUTDOWN


def _since(task: Task) -> float:
    if task.finished_at is not None and not task.alive:
        return task.finished_at
    if task.alive:
        return task.running_since or task.started_at or task.created_at
    return task.created_at


def task_error(task: Task, state: TaskState) -> str:
    """Why a task is not well, in Swarm's words; empty where it is, or was asked to stop."""
    if state is TaskState.FAILED and task.unhealthy_since is not None:
        return f"task: unhealthy: {task.error}" if task.error else "task: unhealthy"
    if state in (TaskState.FAILED, TaskState.REJECTED):
        if task.exit_code and not (task.error and task.started_at is None):
            why = f"task: non-zero exit ({task.exit_code})"
            why += ": out of memory" if task.oom_killed else ""
            return f"{why}: {task.error}" if task.error else why
        return task.error or "task: ended"
    return ", ".join(_unwell(task)) if task.alive else ""


def _unwell(task: Task) -> Iterator[str]:
    """Of a task that is up."""
    if task.restarts:
        # The short form: a table shows thirty columns of it.
        last = "" if task.last_exit is None else f"exit {task.last_exit}, "
        yield f"{last}restarted {'once' if task.restarts == 1 else f'{task.restarts} times'}"
    if task.health is Health.UNHEALTHY:
        yield f"unhealthy: {task.error}" if task.error else "unhealthy"
    elif task.probe:
        yield f"last probe: {task.probe}"


def task_table(rows: Iterable[TaskRow], *, now: float, trunc: bool = True) -> str:
    """The table of `docker service ps`.  `now` is epoch seconds on the engine's clock."""
    return table(_HEADER, [_cells(row, now=now, trunc=trunc) for row in rows])


def _cells(row: TaskRow, *, now: float, trunc: bool) -> tuple[str, ...]:
    error = f'"{clean(row.error)}"' if row.error else ""
    image = f"{row.image}@{row.image_digest}" if row.image_digest and not trunc else row.image
    return (
        row.id[:12] if trunc else row.id,
        row.name if row.newest else f" \\_ {row.name}",
        image,
        row.node,
        row.desired_state.capitalize(),
        f"{_state_word(row)} {ago(row.since, now)}",
        truncate(error, _ERROR_COLUMNS) if trunc else error,
        ", ".join(row.ports),
    )


def _state_word(row: TaskRow) -> str:
    """What is up for a moment, between two restarts by Docker, does not run."""
    return "Restarting" if row.restarting else row.current_state.capitalize()


TASK_FIELDS = ("ID", "Name", "Image", "Node", "DesiredState", "CurrentState", "Error", "Ports",
               "Stack", "Service", "Slot", "Revision", "Health", "ContainerID")  # fmt: skip
"""Those of `docker service ps --format`, and what else there is."""


def task_fields(rows: Iterable[TaskRow], *, now: float, trunc: bool = True) -> list[dict[str, str]]:
    """The table's cells by TASK_FIELDS, for templates."""
    found = []
    for row in rows:
        cells = _cells(row, now=now, trunc=trunc)
        more = (row.stack, row.service, str(row.slot), str(row.revision), row.health)
        container = row.container_id[:12] if trunc else row.container_id
        found.append(dict(zip(TASK_FIELDS, (*cells, *more, container), strict=True)))
    return found


def task_documents(
    rows: Iterable[TaskRow],
    *,
    now: float | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
    next_steps: Mapping[str, Sequence[str]] | None = None,
) -> list[dict[str, object]]:
    """For `--format json`: `since` is RFC 3339.  `words`: task id → its last log lines;
    `next_steps`: the same → what to type."""
    return [
        {
            "id": row.id,
            "name": row.name,
            "stack": row.stack,
            "service": row.service,
            "slot": row.slot,
            "revision": row.revision,
            "image": row.image,
            "image_digest": row.image_digest,
            "desired_state": row.desired_state,
            "current_state": row.current_state,
            "since": timestamp(row.since),
            "error": row.error,
            "exit_code": row.exit_code,
            "health": row.health,
            "container_id": row.container_id,
            "node": row.node,
            "ports": list(row.ports),
            "restarts": row.restarts,
            "restarting": row.restarting,
            "last_exit": row.last_exit,
            "last_ended_at": timestamp(row.last_ended_at),
            "last_probe": row.probe,
            "until": timestamp(row.until),
            "seconds_left": seconds_left(row.until, now),
            "log": list((words or {}).get(row.id, ())),
            "next_steps": list((next_steps or {}).get(row.id, ())),
        }
        for row in rows
    ]
