"""Where a service is, as one value: what decide says, what views show."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rollout.model.revision import Revision
from rollout.model.state import Cause, MarkKind, TaskState, UpdateState
from rollout.model.task import Task

GIVES_UP = "fails"
"""What becomes of a wait that is over at its deadline."""


class Failure(Struct, frozen=True, kw_only=True):
    """One slot's failure in this update: the task, what happened, and how long after what."""

    slot: int
    task_id: str
    reason: str
    """`exited 3 1.2s after start`, `unhealthy: …`, `not running after 10m0s`"""
    at: float
    deadline: bool = False


class SlotStatus(Struct, frozen=True, kw_only=True):
    slot: int
    state: TaskState
    """Of the task that matters: the new one once it is live, the old one until then."""
    updated: bool
    """Its task has the definition asked for and runs, or as a job's has ended well."""
    revision: int
    """Of the task that matters; 0 where there is none."""
    task: Task | None = None
    note: str = ""
    """`waiting for web.1`, `health: starting`, `exited 3`"""
    adrift: str = ""
    """Why the task is out of date though its definition is not: `vpn.1 was started again after
    it`."""
    since: float = 0.0
    until: float | None = None
    """When what it waits for is over at the latest."""
    fresh: bool = True
    """The task that matters was made from the definition asked for."""
    stopping: Task | None = None
    """The task of it that is being stopped."""


class ServiceStatus(Struct, frozen=True, kw_only=True):
    stack: str
    service: str
    revision: Revision
    state: UpdateState | None
    """None for a service that was never updated, as Swarm shows it."""
    message: str
    started_at: float | None
    completed_at: float | None
    slots: tuple[SlotStatus, ...]
    batch: tuple[int, ...]
    """The slots being replaced now, those that are through already too."""
    in_flux: tuple[int, ...]
    """The slots of the batch that are not through."""
    updated: int
    total: int
    running: int
    desired: int
    completed: int = 0
    """Slots whose task has ended well, and has nothing more to do: a job's."""
    waiting_for: str = ""
    """One sentence: `delay`, `web.3 to become healthy`, `monitor`."""
    until: float | None = None
    because: str = ""
    """What is known of why it is not there yet: `last probe: connection refused`."""
    then: str = ""
    """What happens when `until` has come: GIVES_UP, or `killed`."""
    restarting: tuple[int, ...] = ()
    """Slots whose task Docker brings back, or has brought back lately."""
    failures: tuple[Failure, ...] = ()
    outcome: MarkKind | None = None
    """Set when there is nothing left to do until somebody asks for something."""
    left_alone: bool = False
    """What is wanted of it cannot be read, so that nothing is done about it."""
    as_asked: bool = False
    """Whoever is told has asked for just this definition, whatever brought it about."""
    proven_at: float = 0.0
    """When all tasks that run now will have run for `monitor` since their last start."""

    @property
    def rolled_back(self) -> bool:
        """By itself, away from what was asked for."""
        return self.revision.cause is Cause.AUTO_ROLLBACK and not self.as_asked

    @property
    def all_completed(self) -> bool:
        """A job that is through."""
        return 0 < self.desired == self.completed

    @property
    def down(self) -> tuple[SlotStatus, ...]:
        """Slots in which nothing runs well: gone, ended, unhealthy, held, between two restarts, or
        bound to what is gone; but for a job's task that has done what it is for."""
        return tuple(slot for slot in self.slots if not _is_up(slot))

    @property
    def has_fallen(self) -> bool:
        """What was asked for was reached once, and not all of it runs now."""
        return self.revision.last_mark is MarkKind.COMPLETED and bool(self.down)

    @property
    def steady(self) -> int:
        """How many slots run, those not counted that Docker has brought back lately."""
        unsteady = [
            slot
            for slot in self.slots
            if slot.slot in self.restarting and slot.state is TaskState.RUNNING
        ]
        return max(self.running - len(unsteady), 0)

    @property
    def at_rest(self) -> bool:
        return self.outcome is not None


def _is_up(slot: SlotStatus) -> bool:
    through = slot.state is TaskState.COMPLETE and slot.updated
    return (slot.state is TaskState.RUNNING or through) and not slot.adrift


def name_slots(service: str, slots: Sequence[int]) -> str:
    """`web.1, web.2, web.3 and 2 more`: one who waits wants to know where to look."""
    more = f" and {len(slots) - 3} more" if len(slots) > 3 else ""
    return ", ".join(f"{service}.{slot}" for slot in slots[:3]) + more
