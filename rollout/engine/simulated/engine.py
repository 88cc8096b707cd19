"""The engine in memory: same protocol, virtual clock, faults on demand.

The same calls in the same order give the same world, ids and times included.  `begin` is for one
thread that moves the clock itself; `act` blocks its thread as a real engine's call does, while
another thread moves the clock (see `VirtualFlag`).
"""
# ruff: noqa: ARG002  the arguments are the protocol's, whether they matter here or not

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2s
from threading import Event

from msgspec import Struct

from rollout.engine.protocol import (
    Calls,
    Contents,
    Foreign,
    Image,
    LogLine,
    Remain,
    StackVolume,
    Unreadable,
)
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.container import NOTHING, Bound, Container
from rollout.engine.simulated.faults import FOR_EVER, Behaviour, Faults
from rollout.engine.simulated.store import MemoryStore, stack_of
from rollout.errors import ConflictError, EngineError, ImpossibleError, NotFoundError
from rollout.model.action import Arm, Prepare, Remove, Start, Stop, TaskAction
from rollout.model.bindings import namespace_owners, siblings_of, volume_owners
from rollout.model.canonical import canonical
from rollout.model.labels import is_stack_name
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import ContainerStatus
from rollout.model.task import Task

Done = Callable[[EngineError | None], None]
"""Called when an action has ended: with what went wrong, or None."""

_Place = tuple[str, str, int]
"""Stack, service and slot."""


class Happened(Struct, frozen=True, kw_only=True):
    """One entry of the engine's event stream."""

    at: float
    what: str
    """In Docker's words: create, start, kill, die, destroy, update, pause; healthy and
    unhealthy."""
    task: Task


class SimulatedEngine:
    """Safe to use from many threads.  `witness` is told everything that happens, as it does."""

    name = "simulated"
    host = "simulated"
    schedules = False

    def __init__(
        self,
        clock: VirtualClock | None = None,
        faults: Faults | None = None,
        witness: Callable[[Happened], None] | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.faults = faults or Faults()
        self.store = MemoryStore(self.clock.now, self.clock.lock)
        self.store.on_change(self._wake)
        self._witness = witness
        self._containers: dict[str, Container] = {}
        self._places: dict[_Place, dict[str, Container]] = defaultdict(dict)
        self._generations: dict[tuple[_Place, str], int] = defaultdict(int)
        self._refused: dict[tuple[_Place, str], int] = defaultdict(int)
        self._labels: dict[tuple[str, str, int, float], str] = {}
        self._seen: dict[str, tuple[Task, ...]] = {}
        self._watches: list[SimulatedWatch] = []

    # -- looking

    def now(self) -> float:
        return self.clock.now()

    def came_up(self, *, anew: bool = False) -> float:
        """It never restarts."""
        return 0.0

    def stacks(self) -> tuple[str, ...]:
        with self.clock.lock:
            found = {each.revision.stack for each in self._containers.values()}
            found |= {stack_of(record) for record in self.store.list()}
            return tuple(sorted(filter(is_stack_name, found)))

    def unreadable(self, stack: str | None) -> tuple[Unreadable, ...]:
        """Only records: nobody else makes containers here."""
        return tuple(
            Unreadable(kind="volume", name=each.name, stack="", why="it names no stack")
            for each in self.store.list()
            if stack is None and not is_stack_name(stack_of(each))
        )

    def remains(self) -> tuple[Remain, ...]:
        return ()

    def discard(self, what: Unreadable) -> None:
        """There is never one."""

    def projects(self) -> tuple[str, ...]:
        """Nothing but stacks runs here."""
        return ()

    def foreign(self, stack: str, services: Iterable[str]) -> tuple[Foreign, ...]:
        return ()

    def observe(self, stack: str) -> tuple[Task, ...]:
        with self.clock.lock:
            if stack not in self._seen:
                tasks = [
                    each.task()
                    for each in self._containers.values()
                    if each.revision.stack == stack
                ]
                tasks.sort(key=lambda task: (task.service, task.slot, task.created_at, task.id))
                self._seen[stack] = tuple(tasks)
            return self._seen[stack]

    def watch(self, stack: str | None, wake: Callable[[], None]) -> SimulatedWatch:
        watch = SimulatedWatch(stack, wake, self._watches)
        self._watches.append(watch)
        return watch

    # -- acting

    def act(self, action: TaskAction, contents: Contents) -> tuple[str, ...]:
        """Blocks until it is done on the virtual clock.  Raises EngineError."""
        if isinstance(action, Prepare):
            for file in action.revision.spec.task.files:
                contents(file.digest)
        ended = Event()
        outcome: list[EngineError | None] = []

        def done(error: EngineError | None) -> None:
            outcome.append(error)
            ended.set()

        self.begin(action, done)
        ended.wait()
        if outcome[0] is not None:
            raise outcome[0]
        return ()

    def begin(self, action: TaskAction, done: Done) -> None:
        """Set an action going; `done` is called when it has ended, at once for one that takes no
        time."""
        with self.clock.lock:
            match action:
                case Prepare():
                    self._prepare(action, done)
                case Start():
                    self._start(self._containers.get(action.task.container_id), done)
                case Stop():
                    self._stop(action, done)
                case Remove():
                    self._remove(action, done)
                case Arm():
                    self._arm(action, done)

    def _prepare(self, action: Prepare, done: Done) -> None:
        revision = action.revision
        place = (revision.stack, revision.service, action.slot)
        behaviour = self.faults.behaviour(
            revision, action.slot, self._generations[place, revision.digest] + 1
        )

        def finish() -> None:
            if self._refuses((place, revision.digest), behaviour):
                done(_refusal(behaviour))
                return
            container = self._made_for(action, place)
            if action.start and not container.alive:
                self._start(container, done)
            else:
                done(None)

        self.clock.call_at(self.now() + behaviour.prepare_s, finish)

    def _refuses(self, key: tuple[_Place, str], behaviour: Behaviour) -> bool:
        limit = behaviour.prepare_failures
        if limit == FOR_EVER:
            return True
        self._refused[key] += 1
        return self._refused[key] <= limit

    def _made_for(self, action: Prepare, place: _Place) -> Container:
        """The container with the name that this action leads to, made where nobody has it yet."""
        revision, after = action.revision, action.after
        while True:
            name = f"{revision.stack}/{revision.service}/{revision.number}/{action.slot}/{after}"
            after = blake2s(name.encode()).hexdigest()[:25]
            taken = self._places[place].get(after)
            if taken is None:
                break
            if taken.prepared or taken.alive:
                return taken
        self._generations[place, revision.digest] += 1
        generation = self._generations[place, revision.digest]
        behaviour = self.faults.behaviour(revision, action.slot, generation)
        made = Container(
            revision=revision,
            slot=action.slot,
            task_id=after,
            label=self._label_of(revision),
            behaviour=behaviour,
            clock=self.clock,
            tell=self._tell,
            bound_to=self._bound(action),
        )
        self._containers[made.container_id] = self._places[place][after] = made
        self._tell(made, "create")
        return made

    def _bound(self, action: Prepare) -> Bound:
        task = action.revision.spec.task
        if not siblings_of(task):
            return NOTHING
        owners = {name: action.siblings[name] for name in siblings_of(task)}
        return Bound(
            namespaces_of=tuple(owners[name] for name in sorted(namespace_owners(task))),
            volumes_of=tuple(owners[name] for name in sorted(volume_owners(task))),
            dies_with=owners.get(task.pid.removeprefix("service:"), ""),
            is_up=lambda owner: (
                owner in self._containers
                and self._containers[owner].status is ContainerStatus.RUNNING
            ),
        )

    def _label_of(self, revision: Revision) -> str:
        """A definition as containers carry it, written out once for all of them."""
        key = (revision.stack, revision.service, revision.number, revision.created_at)
        if key not in self._labels:
            self._labels[key] = canonical(revision.spec)
        return self._labels[key]

    def _start(self, container: Container | None, done: Done) -> None:
        if container is None:
            done(NotFoundError("no such container", status=404))
            return

        def finish() -> None:
            if container.container_id not in self._containers:
                done(NotFoundError("no such container", status=404))
            elif container.alive:
                done(None)
            else:
                container.start()
                done(EngineError(container.error, status=500) if container.error else None)

        self.clock.call_at(self.now() + container.behaviour.start_s, finish)

    def _stop(self, action: Stop, done: Done) -> None:
        container = self._containers.get(action.task.container_id)
        if container is None:
            done(None)
        else:
            container.stop(action.task.stop_grace_s, lambda: done(None))

    def _remove(self, action: Remove, done: Done) -> None:
        container = self._containers.get(action.task.container_id)
        if container is not None and container.alive:
            done(ConflictError(f"cannot remove {action.task.name}: it is running", status=409))
            return
        if container is not None:
            self._forget(container)
        done(None)

    def _arm(self, action: Arm, done: Done) -> None:
        container = self._containers.get(action.task.container_id)
        if container is None:
            done(NotFoundError("no such container", status=404))
            return
        container.arm(action.policy)
        done(None)

    # -- what happens to tasks from outside

    def crash(self, task: Task, code: int = 137, *, oom_killed: bool = False) -> None:
        """A task's process dies."""
        with self.clock.lock:
            if (container := self._containers.get(task.container_id)) is not None:
                container.crash(code, oom_killed=oom_killed)

    def restart_by_hand(self, task: Task) -> None:
        """`docker restart`."""
        with self.clock.lock:
            if (container := self._containers.get(task.container_id)) is not None:
                container.restart_by_hand()

    def behave(self, behaviour: Behaviour) -> None:
        """What was made already behaves so, too, from its next start on."""
        with self.clock.lock:
            for container in self._containers.values():
                container.behaviour = behaviour

    def sicken(self, task: Task) -> None:
        """A task's healthcheck begins to fail."""
        with self.clock.lock:
            if (container := self._containers.get(task.container_id)) is not None:
                container.sicken()

    def remove_by_hand(self, task: Task) -> None:
        """`docker rm -f`."""
        with self.clock.lock:
            if (container := self._containers.get(task.container_id)) is not None:
                self._forget(container)

    def stop_by_hand(self, task: Task) -> None:
        """`docker stop`."""
        with self.clock.lock:
            if (container := self._containers.get(task.container_id)) is not None:
                container.stop_by_hand()

    def pause_by_hand(self, task: Task) -> None:
        """`docker pause`."""
        with self.clock.lock:
            if (container := self._containers.get(task.container_id)) is not None:
                container.pause_by_hand()

    # -- the rest of the protocol

    def ensure(self, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
        return ()

    def resolve(self, image: str, *, platform: str = "", query: bool = True) -> Image:
        return Image(reference=image)

    def holds(self, image: str) -> bool:
        return True

    def check(
        self, spec: ServiceSpec, stack: str, beside: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        return ()

    def left_out(self, spec: ServiceSpec) -> tuple[str, ...]:
        return ()

    def logs(
        self,
        tasks: tuple[Task, ...],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
    ) -> Iterator[LogLine]:
        return iter(())

    def last_words(self, task: Task, lines: int = 5) -> tuple[str, ...]:
        return ()

    def volumes(self, stack: str) -> tuple[StackVolume, ...]:
        """None is simulated."""
        return ()

    def holders(self, volume: str, stack: str) -> tuple[str, ...]:
        return ()

    def remove_volume(self, volume: str) -> None: ...

    def sweep(self, stack: str) -> None: ...

    def calls(self) -> Calls:
        """Nothing lies between it and who calls it."""
        return Calls()

    def missing_volumes(self, specs: Iterable[ServiceSpec], stack: str) -> tuple[str, ...]:
        return ()

    def clear(self, stack: str) -> tuple[str, ...]:
        return ()

    def close(self) -> None: ...

    def _forget(self, container: Container) -> None:
        revision = container.revision
        place = (revision.stack, revision.service, container.slot)
        del self._containers[container.container_id]
        del self._places[place][container.task_id]
        container.discard()

    def _tell(self, container: Container, what: str) -> None:
        if what in ("die", "destroy"):
            for other in tuple(self._containers.values()):
                if other.bound_to.dies_with == container.container_id:
                    other.crash()
        self._seen.pop(container.revision.stack, None)
        if self._witness is not None:
            self._witness(Happened(at=self.now(), what=what, task=container.task()))
        self._wake(container.revision.stack)

    def _wake(self, stack: str) -> None:
        for watch in tuple(self._watches):
            watch.tell(stack)


def _refusal(behaviour: Behaviour) -> EngineError:
    if behaviour.prepare_is_final:
        return ImpossibleError(behaviour.prepare_error, status=400)
    return NotFoundError(behaviour.prepare_error, status=404)


class SimulatedWatch:
    """An open event stream."""

    def __init__(
        self, stack: str | None, wake: Callable[[], None], among: list[SimulatedWatch]
    ) -> None:
        self._stack = stack
        self._wake = wake
        self._among = among

    def tell(self, stack: str) -> None:
        if self._stack in (None, stack):
            self._wake()

    def close(self) -> None:
        if self in self._among:
            self._among.remove(self)
