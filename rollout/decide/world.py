"""What decide is given, and what it answers: frozen data both ways."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rollout.model.action import Action
from rollout.model.bindings import siblings_of
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.status import ServiceStatus
from rollout.model.task import Task


class Attempt(Struct, frozen=True, kw_only=True):
    """A slot's replacement that could not be made Ready: how often, since when, why."""

    slot: int
    digest: str
    count: int
    first_at: float
    last_at: float
    error: str
    final: bool = False
    """The engine will never make it as it is defined: it is not tried again."""


class Bindings(Struct, frozen=True, kw_only=True):
    """What the service's tasks are bound to of its siblings (see `decide.bindings`)."""

    homes: Mapping[str, str] = {}
    """Sibling → the container of it that a new task is to be bound to."""
    missing: Mapping[str, str] = {}
    """Sibling → what is waited for, in words: nothing is bound to it until then."""
    in_vain: str = ""
    """That of it which will not come any more."""
    adrift: Mapping[str, str] = {}
    """Container id → why: tasks that are bound to what is gone, or has been replaced."""
    dead: frozenset[str] = frozenset()
    """Those of them that cannot work: their namespace is gone."""
    wake_at: float | None = None
    """When this may change though nothing happens."""


NO_BINDINGS = Bindings()


class World(Struct, frozen=True, kw_only=True):
    """One service as it is asked for and as it is seen, at one moment of the engine's clock."""

    revisions: tuple[Revision, ...]
    """Oldest first, at least one: the newest is what is wanted."""
    tasks: tuple[Task, ...]
    """All of the service's containers, dead ones too, in any order."""
    now: float
    busy: Mapping[tuple[str, object], float] = {}
    """What is being done now (`target_of` the action) → since when."""
    leaving: frozenset[str] = frozenset()
    """Container ids of the tasks that we are stopping now: up still, and yet to be replaced."""
    came_up_at: float = 0.0
    """When the engine last began with nothing running; what ended before may have ended with it."""
    attempts: tuple[Attempt, ...] = ()
    deadline_s: float | None = None
    """Instead of the service's own progress deadline."""
    waits_for: tuple[str, ...] = ()
    """`db to be healthy`: nothing new of the service is started as long as that is not so."""
    in_vain: str = ""
    """That of it which will not come any more."""
    bound: Bindings = NO_BINDINGS
    stopping: bool = False
    """The controller was asked to end: finish what is in flight, begin nothing."""
    tends: bool = True
    """What has come to an end and does not run is brought up again; else it is only looked at."""
    supervised: bool = False
    """Somebody watches for good, not only until the update has ended."""


def may_be_bound(bound: Bindings, spec: ServiceSpec) -> bool:
    """What a task of this definition is bound to is there, and will stay."""
    needed = siblings_of(spec.task).union(spec.restarts_with)
    return bound.missing.keys().isdisjoint(needed | {spec.name})


class Decision(Struct, frozen=True, kw_only=True):
    actions: tuple[Action, ...]
    status: ServiceStatus
    wake_at: float | None
    """When to look again though nothing happened; None: an event will tell."""

    def __str__(self) -> str:
        return "\n".join(str(action) for action in self.actions)
