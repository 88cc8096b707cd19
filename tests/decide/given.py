"""A service in words, for tests that ask decide one question: revisions, tasks, the answer as text.

Time is `NOW`, and things are told by how long ago they were.
"""

from __future__ import annotations

from typing import Any

from rollout.decide.decide import decide
from rollout.decide.view import View, view_of
from rollout.decide.world import Attempt, Decision, World
from rollout.model.canonical import task_digest
from rollout.model.revision import Mark, Revision
from rollout.model.spec import Healthcheck, ServiceSpec, TaskSpec
from rollout.model.state import Cause, ContainerStatus, Health, MarkKind
from rollout.model.task import Task

NOW = 10_000.0
LONG_AGO = 1000.0
"""Older than any window."""
_TASK = frozenset(TaskSpec.__struct_fields__)


def revision(
    number: int,
    image: str = "",
    *,
    replicas: int = 3,
    cause: Cause = Cause.UPDATE,
    ended: MarkKind | None = None,
    ago: float = 100.0,
    restores: int = 0,
    message: str = "",
    marks: tuple[Mark, ...] = (),
    **fields: Any,
) -> Revision:
    """Revision N asks for image vN, unless told otherwise; fields are a task's or a service's."""
    task = {name: fields.pop(name) for name in tuple(fields) if name in _TASK}
    spec = ServiceSpec(
        name="web",
        replicas=replicas,
        task=TaskSpec(image=image or f"v{number}", **task),
        **fields,
    )
    if ended is not None:
        said = "" if number == 1 and ended is MarkKind.COMPLETED else f"update {ended}"
        marks = (Mark(number=1, kind=ended, message=said, at=NOW - ago + 50.0),)
    return Revision(
        stack="st",
        service="web",
        number=number,
        cause=cause,
        spec=spec,
        digest=task_digest(spec.task),
        created_at=NOW - ago,
        restores=restores,
        message=message,
        marks=marks,
    )


def first(**fields: Any) -> Revision:
    """The first revision, complete long ago."""
    given = {"cause": Cause.DEPLOY, "ended": MarkKind.COMPLETED, "ago": LONG_AGO, **fields}
    return revision(1, **given)


def mark(kind: MarkKind, number: int = 1, *, ago: float = 0.0, **fields: Any) -> Mark:
    return Mark(number=number, kind=kind, at=NOW - ago, **fields)


def running(slot: int, made_for: Revision, *, ago: float = LONG_AGO, **fields: Any) -> Task:
    """It runs, since `ago` seconds; created a second before."""
    checked = isinstance(made_for.spec.task.healthcheck, Healthcheck)
    given: dict[str, Any] = {
        "id": f"{slot}{'_abcdefghij'[made_for.number]}",
        "stack": "st",
        "service": "web",
        "slot": slot,
        "revision": made_for.number,
        "digest": made_for.digest,
        "image": made_for.spec.task.image,
        "status": ContainerStatus.RUNNING,
        "created_at": NOW - ago - 1.0,
        "started_at": NOW - ago,
        "running_since": NOW - ago,
        "has_healthcheck": checked,
        "health": Health.HEALTHY if checked else Health.NONE,
        "armed": ago >= LONG_AGO,
        **fields,
    }
    return Task(
        **{"container_id": f"container of {given['id']}", "name": f"st_web.{given['id']}", **given}
    )


def starting(slot: int, made_for: Revision, *, ago: float = 1.0, **fields: Any) -> Task:
    """Up, its healthcheck not passed yet."""
    given = {
        "running_since": None,
        "has_healthcheck": True,
        "health": Health.STARTING,
        "armed": False,
        **fields,
    }
    return running(slot, made_for, ago=ago, **given)


def unhealthy(slot: int, made_for: Revision, *, ago: float = 1.0, **fields: Any) -> Task:
    given = {
        "health": Health.UNHEALTHY,
        "unhealthy_since": NOW - ago,
        "error": "refused",
        "running_since": None,
        **fields,
    }
    return starting(slot, made_for, ago=ago + 5.0, **given)


def ready(slot: int, made_for: Revision, *, ago: float = 0.5, **fields: Any) -> Task:
    """Created, not started."""
    given = {
        "status": ContainerStatus.CREATED,
        "created_at": NOW - ago,
        "started_at": None,
        "running_since": None,
        "health": Health.NONE,
        "armed": False,
        **fields,
    }
    return running(slot, made_for, **given)


def ended(
    slot: int, made_for: Revision, *, ago: float = 1.0, after: float = 2.0, **fields: Any
) -> Task:
    """Exited `ago` seconds ago, `after` seconds after its start."""
    given = {
        "status": ContainerStatus.EXITED,
        "finished_at": NOW - ago,
        "exit_code": 1,
        "health": Health.NONE,
        "has_healthcheck": False,
        **fields,
    }
    return running(slot, made_for, ago=ago + after, **given)


def unstartable(slot: int, made_for: Revision, *, ago: float = 1.0, **fields: Any) -> Task:
    given = {
        "error": "port is already allocated",
        "exit_code": 128,
        "finished_at": NOW - ago,
        **fields,
    }
    return ready(slot, made_for, ago=ago, **given)


def attempt(
    slot: int, made_for: Revision, *, count: int = 1, ago: float = 0.0, since: float = 0.0
) -> Attempt:
    return Attempt(
        slot=slot,
        digest=made_for.digest,
        count=count,
        first_at=NOW - since,
        last_at=NOW - ago,
        error="no such image",
    )


def world(revisions: list[Revision], tasks: list[Task], **fields: Any) -> World:
    return World(revisions=tuple(revisions), tasks=tuple(tasks), **{"now": NOW, **fields})


def seen(revisions: list[Revision], tasks: list[Task], **fields: Any) -> View:
    return view_of(world(revisions, tasks, **fields))


def decided(revisions: list[Revision], tasks: list[Task], **fields: Any) -> Decision:
    return decide(world(revisions, tasks, **fields))


def actions(revisions: list[Revision], tasks: list[Task], **fields: Any) -> list[str]:
    """The decision's text, a line an action."""
    return str(decided(revisions, tasks, **fields)).splitlines()


def doing(*tasks: Task, since: float = 1.0) -> dict[tuple[str, object], float]:
    """`busy` with an action on each of these."""
    return {("task", task.container_id): NOW - since for task in tasks}
