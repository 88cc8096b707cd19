"""What happened, as data: the only thing that leaves the controller while it works."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from rollout.model.status import ServiceStatus


class EventKind(StrEnum):
    REVISION = "revision"
    """A revision was recorded, or taken up."""
    BATCH = "batch"
    STOP = "stop"
    """Tasks are asked to end, and may take their grace for it."""
    TASK = "task"
    """A task changed its state."""
    FAILURE = "failure"
    WAIT = "wait"
    UPDATE = "update"
    """The update's state changed."""
    LEASE = "lease"
    RETRY = "retry"
    """An engine call failed and is tried again."""
    ENGINE = "engine"
    """It does not answer, or answers again."""
    NOTE = "note"


ANNOUNCED_WAITS = ("delay", "monitor")
"""What a service may wait for by design; when that begins is an event."""


class Event(Struct, frozen=True, kw_only=True):
    at: float
    """Epoch seconds on the engine's clock."""
    kind: EventKind
    stack: str
    service: str = ""
    revision: int = 0
    slot: int = 0
    task: str = ""
    state: str = ""
    text: str = ""
    """A line for a person, without service or time."""


class Progress(Struct, frozen=True, kw_only=True):
    """One look at a stack: every service's status, and what happened since the look before."""

    at: float
    stack: str
    services: tuple[ServiceStatus, ...]
    events: tuple[Event, ...] = ()
    holder: str = ""
    """Who holds the lease, where it is not us."""
    held_since: float | None = None
    finish_s: float = 0.0
    """How long who drives would go on with what is in flight now, if he were interrupted."""
    away: str = ""
    """Why the engine does not answer; the services are then as they were last seen."""
