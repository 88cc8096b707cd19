"""What can be done to an engine, as data: each one names a target and says why.

`str(action)` is stable text, for plans, logs and tests: `stop web.3.ab12, replaced by revision 4`.
"""

from __future__ import annotations

from msgspec import Struct

from rollout.model.revision import Revision
from rollout.model.spec import RestartPolicy
from rollout.model.state import Cause, MarkKind
from rollout.model.task import Task


class Prepare(Struct, frozen=True, kw_only=True):
    """Make a task Ready: image there, container created with all it needs, not started."""

    revision: Revision
    slot: int
    cause: str
    after: str = ""
    """The id of the slot's newest task as it was when this was decided, empty where there was none.
    The new task's id follows from it, so that who decides on the same sight makes the same task."""
    siblings: dict[str, str] = {}
    """Service → the container of it that the new one is bound to: `network_mode: service:NAME`."""
    start: bool = False
    """Start it as soon as it is Ready: for slots that have nothing to wait for."""
    existed: bool = False
    """The slot had tasks before, whether any is left or not."""

    def __str__(self) -> str:
        then = " and start" if self.start else ""
        return f"prepare{then} {self.revision.service}.{self.slot}, {self.cause}"


class Start(Struct, frozen=True, kw_only=True):
    task: Task
    cause: str

    def __str__(self) -> str:
        return f"start {_label(self.task)}, {self.cause}"


class Stop(Struct, frozen=True, kw_only=True):
    """Stop with the container's own signal and the grace that the task has here, so that the engine
    never brings it back."""

    task: Task
    cause: str

    def __str__(self) -> str:
        return f"stop {_label(self.task)}, {self.cause}"


class Remove(Struct, frozen=True, kw_only=True):
    task: Task
    cause: str

    def __str__(self) -> str:
        return f"remove {_label(self.task)}, {self.cause}"


class Arm(Struct, frozen=True, kw_only=True):
    """Hand the task to Docker's own restart policy; with the condition `none`, take it back."""

    task: Task
    policy: RestartPolicy
    cause: str

    def __str__(self) -> str:
        return f"arm {_label(self.task)}, {self.cause}"


class Note(Struct, frozen=True, kw_only=True):
    """Write a mark about a revision into the ledger."""

    revision: Revision
    kind: MarkKind
    message: str
    reason: str = ""

    def __str__(self) -> str:
        return f"mark revision {self.revision.number} {self.kind}, {self.message}"


class Push(Struct, frozen=True, kw_only=True):
    """Record a copy of `source` as the newest revision."""

    source: Revision
    number: int
    cause: Cause
    message: str

    def __str__(self) -> str:
        return f"record revision {self.number} as a copy of {self.source.number}, {self.message}"


TaskAction = Prepare | Start | Stop | Remove | Arm
"""Done by the engine."""
LedgerAction = Note | Push
"""Done by the ledger."""
Action = TaskAction | LedgerAction


def target_of(action: Action) -> tuple[str, object]:
    """What an action is about: two actions with the same target are never under way together."""
    match action:
        case Prepare():
            return ("slot", action.slot)
        case Start() | Stop() | Remove() | Arm():
            return ("task", action.task.container_id)
        case Note() | Push():
            return ("ledger", 0)


def _label(task: Task) -> str:
    return f"{task.service}.{task.slot}.{task.id[:12]}"
