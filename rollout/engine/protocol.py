"""What the rest of the house asks of an engine: look, act, remember.

Three kinds fit: `docker` and `simulated` run single tasks and are told each step; an engine that
schedules and rolls by itself (Swarm) has `schedules = True`, is handed whole revisions by the
controller, and is only watched.  An engine reports by returning values and raising
`rollout.errors.EngineError`; it prints and logs nothing for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from rollout.model.action import TaskAction
from rollout.model.spec import ServiceSpec
from rollout.model.task import Task


class Record(Struct, frozen=True, kw_only=True):
    """One labelled entry of the store, never changed once written."""

    name: str
    labels: dict[str, str]
    created_at: float
    """Epoch seconds on the engine's clock; the engine may round down to a whole second."""


class Unreadable(Struct, frozen=True, kw_only=True):
    """Something that bears our labels and is not what it says: skipped, and told of once.

    Whoever may make containers and volumes may write labels: all of this is somebody else's text.
    """

    kind: str
    """`container` or `volume`."""
    name: str
    stack: str
    why: str


class Remain(Struct, frozen=True, kw_only=True):
    """Something on the engine that was made for a stack."""

    kind: str
    """`network` or `container`."""
    name: str
    stack: str


OnUnreadable = Callable[[Unreadable], None]


class Store(Protocol):
    """A put-once map of names to labels, kept by the engine, readable by whoever reaches it."""

    def put(self, name: str, labels: dict[str, str]) -> Record:
        """Write once.  Where the name is taken, what stands there is returned unchanged: compare
        the labels to see who won.
        """
        ...

    def list(self, stack: str | None = None) -> tuple[Record, ...]:
        """All entries of a stack (label `rollout.stack`), or of all stacks; sorted by name."""
        ...

    def drop(self, name: str) -> None:
        """Remove an entry; one that is not there is fine."""
        ...


class Image(Struct, frozen=True, kw_only=True):
    """An image made definite: a reference with a digest where a registry knows it, else a local
    id."""

    reference: str
    image_id: str = ""
    """Set where only this host has it."""
    instead: str = ""
    """Why its registry could not say, and what of this host was taken in its stead."""


class Foreign(Struct, frozen=True, kw_only=True):
    """A service that something else runs here (Compose), as far as its tasks tell."""

    spec: ServiceSpec
    contents: dict[str, bytes] = {}
    """Of its configs and secrets, by digest."""


class StackVolume(Struct, frozen=True, kw_only=True):
    """A volume that holds data of a stack."""

    name: str
    """The engine's, where nobody has given it one."""
    service: str = ""
    """Of one without a name: whose tasks use it."""
    target: str = ""
    """Of one without a name: where they mount it."""

    @property
    def anonymous(self) -> bool:
        return bool(self.target)

    def __str__(self) -> str:
        return f"{self.name} ({self.service}: {self.target})" if self.anonymous else self.name


class LogLine(Struct, frozen=True, kw_only=True):
    task: Task
    text: str
    stream: str = "stdout"
    at: str = ""
    """RFC 3339 with nanoseconds, as the engine stamps it."""


class Calls(Struct, frozen=True, kw_only=True):
    """How many calls there were to an engine, since it was connected to."""

    made: int = 0
    failed: int = 0
    """Refused, faulty or lost, those that were tried again too."""
    retried: int = 0


class Watch(Protocol):
    """An open event stream."""

    def close(self) -> None: ...


Contents = Callable[[str], bytes]
"""Digest → content of a config or secret.  Raises NotFoundError."""


class Engine(Protocol):
    @property
    def name(self) -> str:
        """`docker`, `swarm` or `simulated`."""
        ...

    @property
    def host(self) -> str:
        """The engine's host, for the column NODE."""
        ...

    @property
    def schedules(self) -> bool:
        """It rolls by itself: hand it revisions, not steps."""
        ...

    @property
    def store(self) -> Store: ...

    def now(self) -> float:
        """Epoch seconds on the engine's own clock; never this machine's, which may differ."""
        ...

    def came_up(self, *, anew: bool = False) -> float:
        """When the engine last began with nothing running, epoch seconds; 0 where it cannot be
        told.  What ended before that may have ended with the engine.

        `anew`: ask now, and raise EngineUnavailableError where it takes nobody in any more: one
        that is going down answers those it knows while its tasks end.
        """
        ...

    def stacks(self) -> tuple[str, ...]:
        """Names of all stacks with tasks or records here, sorted; without what is no name."""
        ...

    def projects(self) -> tuple[str, ...]:
        """Names of what something else (Compose) runs here, which are no stacks yet; sorted."""
        ...

    def foreign(self, stack: str, services: Iterable[str]) -> tuple[Foreign, ...]:
        """What services were made from that have tasks here which nobody has recorded."""
        ...

    def observe(self, stack: str) -> tuple[Task, ...]:
        """Every task of a stack, dead ones too, sorted by service, slot and creation.  What says
        that it is one and cannot be is left out, and told of."""
        ...

    def unreadable(self, stack: str | None) -> tuple[Unreadable, ...]:
        """What is left out of `observe` and, with None, of `stacks`."""
        ...

    def remains(self) -> tuple[Remain, ...]:
        """What of all stacks is here beside tasks and records: networks that were made for them,
        containers that somebody has only half made."""
        ...

    def discard(self, what: Unreadable) -> None:
        """Remove a container that cannot be read; its volumes stay."""
        ...

    def act(self, action: TaskAction, contents: Contents) -> tuple[str, ...]:
        """One step; the result is what a person is to know of it, one line each.  Safe to repeat:
        what is done already is no error.  Raises EngineError."""
        ...

    def ensure(self, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
        """Create the networks and volumes that a service needs and that are not there yet; the
        result is those that are there with other settings, one line each."""
        ...

    def missing_volumes(self, specs: Iterable[ServiceSpec], stack: str) -> tuple[str, ...]:
        """Names of the volumes that services need and that `ensure` would create; sorted."""
        ...

    def resolve(self, image: str, *, platform: str = "", query: bool = True) -> Image:
        """Make an image definite.  `query`: ask the registry first.  Raises NotFoundError where
        neither a registry nor the host has it.
        """
        ...

    def holds(self, image: str) -> bool:
        """Whether an image, by reference or id, is on the engine's host now."""
        ...

    def check(
        self, spec: ServiceSpec, stack: str, beside: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        """Why a service cannot run here as it is asked for; empty where nothing speaks against.

        What tasks of the services `beside` it in the stack hold now is no reason: whoever asks
        knows what they are asked to be, or that they go.
        """
        ...

    def left_out(self, spec: ServiceSpec) -> tuple[str, ...]:
        """What of a definition is done without here, since no task becomes another by it; one
        line each.
        """
        ...

    def watch(self, stack: str | None, wake: Callable[[], None]) -> Watch:
        """Call `wake`, from any thread, whenever tasks or records of a stack have changed, and at
        once when the stream was lost and is open again.
        """
        ...

    def logs(
        self,
        tasks: tuple[Task, ...],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
    ) -> Iterator[LogLine]: ...

    def last_words(self, task: Task, lines: int = 5) -> tuple[str, ...]:
        """The last log lines of a task; empty where there are none or it is gone."""
        ...

    def volumes(self, stack: str) -> tuple[StackVolume, ...]:
        """The volumes with a stack's data, but for external ones."""
        ...

    def holders(self, volume: str, stack: str) -> tuple[str, ...]:
        """Names of the containers outside of a stack that have a volume."""
        ...

    def remove_volume(self, volume: str) -> None:
        """For good, with what is in it; one that is in use stays."""
        ...

    def sweep(self, stack: str) -> None:
        """Remove what a controller that died had only half made; for who holds the stack."""
        ...

    def calls(self) -> Calls: ...

    def clear(self, stack: str) -> tuple[str, ...]:
        """Remove the networks that were made for a stack, once its tasks are gone, and containers
        that say they are its tasks and cannot be read; the result is the networks that had to stay,
        and who holds them, one line each."""
        ...

    def close(self) -> None: ...
