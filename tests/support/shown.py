"""Model values for tests of views and edits: everything has a default that makes sense."""

from __future__ import annotations

from typing import Any

from rollout.model.canonical import task_digest
from rollout.model.revision import Mark, Revision
from rollout.model.spec import ServiceSpec, TaskSpec
from rollout.model.state import Cause, ContainerStatus, MarkKind, TaskState
from rollout.model.status import ServiceStatus, SlotStatus
from rollout.model.task import Task

NOW = 1_000_000.0
PINNED = "bb:v1@sha256:" + "a" * 64


def spec(name: str = "web", *, task: TaskSpec | None = None, **fields: Any) -> ServiceSpec:
    return ServiceSpec(name=name, task=task or TaskSpec(image=PINNED), image="bb:v1", **fields)


def task(slot: int = 1, **fields: Any) -> Task:
    number = fields.pop("number", 1)
    given: dict[str, Any] = {
        "id": f"{number:02}{slot:02}" + "x" * 21,
        "container_id": f"{number:02}{slot:02}" + "c" * 60,
        "name": f"st_web.{slot}.{number}",
        "stack": "st",
        "service": "web",
        "slot": slot,
        "revision": 1,
        "digest": "d",
        "image": PINNED,
        "status": ContainerStatus.RUNNING,
        "created_at": NOW - 20,
        "started_at": NOW - 19,
        "running_since": NOW - 19,
    }
    return Task(**{**given, **fields})


def revision(number: int = 1, **fields: Any) -> Revision:
    shown = fields.pop("spec", None) or spec()
    mark = fields.pop("mark", None)
    marks = (Mark(number=1, kind=mark, at=NOW),) if mark else ()
    return Revision(
        stack="st",
        service=shown.name,
        number=number,
        cause=fields.pop("cause", Cause.DEPLOY),
        spec=shown,
        digest=task_digest(shown.task),
        created_at=fields.pop("created_at", NOW - 60),
        by=fields.pop("by", "ann@host"),
        marks=marks,
        **fields,
    )


def slot(number: int, **fields: Any) -> SlotStatus:
    given: dict[str, Any] = {"state": TaskState.RUNNING, "updated": True, "revision": 1}
    return SlotStatus(slot=number, **{**given, **fields})


def status(**fields: Any) -> ServiceStatus:
    shown = fields.pop("revision", None) or revision(mark=MarkKind.COMPLETED)
    slots = fields.pop("slots", (slot(1), slot(2)))
    given: dict[str, Any] = {
        "stack": "st",
        "service": shown.service,
        "revision": shown,
        "state": None,
        "message": "",
        "started_at": None,
        "completed_at": None,
        "slots": slots,
        "batch": (),
        "in_flux": (),
        "updated": sum(1 for each in slots if each.updated),
        "total": len(slots),
        "running": sum(1 for each in slots if each.state is TaskState.RUNNING),
        "desired": len(slots),
        "outcome": MarkKind.COMPLETED,
    }
    return ServiceStatus(**{**given, **fields})
