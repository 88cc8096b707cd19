"""Scenarios in words: a service on the simulated engine, driven by decide, without threads.

    world = World(spec(replicas=3, update=UpdateConfig(delay_s=2)))
    world.deploy()                      # revision 1, brought to rest
    world.update(image="v2")            # what an operator asks for
    world.until_at_rest()
    assert world.state == "completed"
    assert world.trace(...) == ...

The loop is the controller's: observe, decide, act, and on to whatever comes next, an engine's event
or the moment decide asked for.  There is no poll behind it: a moment that decide forgets to ask for
is a scenario that never ends.  Every look is checked by the `Guard`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from rollout.decide.decide import decide
from rollout.decide.world import Attempt, Decision
from rollout.decide.world import World as Input
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.engine import Happened, SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Faults, Rule
from rollout.errors import EngineError, ImpossibleError
from rollout.ledger.ledger import Ledger
from rollout.model.action import Action, Note, Prepare, Push, Stop, target_of
from rollout.model.revision import Revision
from rollout.model.spec import Healthcheck, RestartPolicy, ServiceSpec, TaskSpec, UpdateConfig
from rollout.model.state import Cause, MarkKind
from rollout.model.status import ServiceStatus
from rollout.model.task import Task
from tests.scenarios.guard import Guard

STACK = "st"
LEFT_ALONE_S = 1.0
"""As the controller does with a target about which a call has failed."""
MOST_LOOKS_AT_ONE_MOMENT = 50

HEALTHCHECK = Healthcheck(test=("CMD", "true"))


def spec(replicas: int = 3, image: str = "v1", **fields: Any) -> ServiceSpec:
    """A service `web`; what belongs to its task may be said here too."""
    task = {name: fields.pop(name) for name in tuple(fields) if name in TaskSpec.__struct_fields__}
    given: dict[str, Any] = {"stop_grace_s": 10.0, "restart": RestartPolicy(delay_s=1.0), **task}
    return ServiceSpec(name="web", replicas=replicas, task=TaskSpec(image=image, **given), **fields)


class World:
    def __init__(
        self,
        service: ServiceSpec,
        *,
        usual: Behaviour | None = None,
        guard: bool = True,
        crash_at: frozenset[int] = frozenset(),
        deadline_s: float | None = None,
        supervised: bool = False,
    ) -> None:
        self.spec = service
        self.clock = VirtualClock(1000.0)
        self.faults = Faults(usual)
        self.happened: list[tuple[float, str]] = []
        self.engine = SimulatedEngine(self.clock, self.faults, self._witness)
        self.ledger = Ledger(self.engine.store, self.clock.now, "ann@host")
        self.looks = 0
        self.fewest = 0
        """The fewest slots in which something ran well, since the trace began."""
        self.crash_at = crash_at
        self.deadline_s = deadline_s
        self.stopping = False
        self.supervised = supervised
        self.tends = True
        self.decision: Decision | None = None
        self._guard = Guard() if guard else None
        self._busy: dict[tuple[str, object], float] = {}
        self._leaving: set[str] = set()
        self._left_alone: dict[tuple[str, object], float] = {}
        self._attempts: dict[int, Attempt] = {}
        self._lives = 0
        self._done_at_once = False
        self._since = self.clock.now()
        self._looks_now = (0.0, 0)

    # -- given

    def behave(self, behaviour: Behaviour, **which: Any) -> None:
        """From now on, tasks that fit behave so (see `Rule`)."""
        self.faults.add(Rule(behaviour=behaviour, **which))

    def deploy(self) -> World:
        """The first revision, brought to rest; the trace begins after it."""
        self.record(Cause.DEPLOY)
        self.until_at_rest()
        return self.afresh()

    def afresh(self) -> World:
        """Forget the trace so far, and count seconds from here."""
        self._since = self.clock.now()
        self.happened.clear()
        self.fewest = len(self.images)
        return self

    # -- when

    def record(self, cause: Cause = Cause.UPDATE, restores: int = 0) -> Revision | None:
        return self.ledger.record(STACK, self.spec, cause, restores=restores)

    def ask_for(self, service: ServiceSpec) -> None:
        self.spec = service
        self.record()

    def update(self, **fields: Any) -> None:
        """Ask for another definition; fields are a service's or a task's."""
        task = {name: fields.pop(name) for name in tuple(fields) if name in _TASK_FIELDS}
        self.ask_for(replace(self.spec, task=replace(self.spec.task, **task), **fields))

    def cadence(self, **fields: Any) -> None:
        self.update(update=replace(self.spec.update, **fields))

    def scale(self, replicas: int) -> None:
        self.spec = replace(self.spec, replicas=replicas)
        self.record(Cause.SCALE)

    def rollback(self, to: int | None = None) -> None:
        history = self.revisions
        source = history[-2] if to is None else history[to - 1]
        self.spec = source.spec
        self.record(Cause.ROLLBACK, restores=source.number)

    def pause(self) -> None:
        self.ledger.note(self.revision, MarkKind.PAUSED, "paused by ann@host", "request")

    def resume(self) -> None:
        self.ledger.note(self.revision, MarkKind.RESUMED, "resumed by ann@host", "request")

    def crash(self, slot: int, code: int = 137) -> None:
        """The process of whatever runs in a slot dies."""
        for task in self.up(slot):
            self.engine.crash(task, code)

    def recover(self) -> None:
        """Whatever was wrong is over: from its next start on every task does well."""
        self.faults.clear()
        self.engine.behave(self.faults.usual)

    def sicken(self, slot: int) -> None:
        for task in self.up(slot):
            self.engine.sicken(task)

    def remove_by_hand(self, slot: int) -> None:
        for task in self.tasks:
            if task.slot == slot:
                self.engine.remove_by_hand(task)

    def controller_dies(self) -> None:
        """What it remembers is lost; what it asked the engine for is carried out all the same."""
        self._lives += 1
        self._busy.clear()
        self._leaving.clear()
        self._left_alone.clear()
        self._attempts.clear()

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        """Have something happen that long after the trace began."""
        self.clock.call_at(self._since + seconds, happens)

    def until_at_rest(self, within_s: float = 3600.0) -> World:
        limit = self.clock.now() + within_s
        while not self.look().status.at_rest:
            assert self.clock.now() < limit, f"not at rest after {within_s} s:\n{self.story()}"
            self._go_on(limit + 1.0)
        return self

    def until(self, true: Callable[[], bool], within_s: float = 3600.0) -> World:
        limit = self.clock.now() + within_s
        while not true():
            self.look()
            assert self.clock.now() <= limit, f"never came to be:\n{self.story()}"
            self._go_on(limit + 1.0)
        return self

    def run_for(self, seconds: float) -> World:
        limit = self.clock.now() + seconds
        while self.clock.now() < limit:
            self.look()
            self._go_on(limit)
        self.look()
        return self

    # -- then

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return self.ledger.read(STACK)["web"]

    @property
    def revision(self) -> Revision:
        return self.revisions[-1]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.engine.observe(STACK)

    def up(self, slot: int | None = None) -> tuple[Task, ...]:
        return tuple(each for each in self.tasks if each.alive and slot in (None, each.slot))

    @property
    def status(self) -> ServiceStatus:
        """As anybody sees it who looks now, remembering nothing."""
        return decide(self._input(fresh=True)).status

    @property
    def state(self) -> str | None:
        return self.status.state

    @property
    def message(self) -> str:
        return self.status.message

    @property
    def images(self) -> dict[int, str]:
        """What runs well in each slot, `+` between two."""
        found: dict[int, str] = {}
        for task in self.tasks:
            if task.running:
                found[task.slot] = "+".join(filter(None, (found.get(task.slot), task.image)))
        return found

    @property
    def now(self) -> float:
        """Seconds since the trace began."""
        return round(self.clock.now() - self._since, 3)

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and the last look has begun nothing."""
        assert self.decision is not None
        return not self._busy and not self.decision.actions and not self.decision.status.in_flux

    def trace(self, *words: str) -> list[str]:
        """What the engine's event stream showed, without times; only these words where given."""
        return [what for _, what in self.happened if not words or what.split()[0] in words]

    def timed(self, *words: str) -> list[str]:
        return [
            f"{at - self._since:.1f} {what}"
            for at, what in self.happened
            if not words or what.split()[0] in words
        ]

    def story(self) -> str:
        """All of it, for whoever must find out why a test failed."""
        assert self.decision is not None
        status = self.decision.status
        lines = [*self.timed()[-40:], "", f"at {self.now}:", *(_shown(task) for task in self.tasks)]
        for each in self.revisions:
            marks = [(mark.kind.value, mark.message) for mark in each.marks]
            lines.append(f"revision {each.number} {each.cause} {marks}")
        lines += [f"busy {sorted(map(str, self._busy))}", f"wake at {self.decision.wake_at}"]
        lines += [f"slots {[(each.slot, each.state.value, each.note) for each in status.slots]}"]
        lines += [f"{status.state} {status.message} {status.waiting_for} in flux {status.in_flux}"]
        return "\n".join([*lines, "actions:", str(self.decision)])

    # -- the loop

    def look(self) -> Decision:
        """Observe, decide, act once."""
        self.fewest = min(self.fewest, len(self.images))
        self._left_alone = {
            key: until for key, until in self._left_alone.items() if until > self.clock.now()
        }
        found = self._input()
        decision = self.decision = decide(found)
        self.looks += 1
        self._count_looks()
        if self._guard is not None:
            try:
                self._guard.check(found, decision)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.story()}") from None
        self._done_at_once = False
        for done, action in enumerate(decision.actions):
            if self.looks in self.crash_at and done >= self.looks % 3:
                break
            self._begin(action)
            self._done_at_once |= target_of(action) not in self._busy
        if self.looks in self.crash_at:
            self.controller_dies()
        return decision

    def _go_on(self, limit: float) -> None:
        assert self.decision is not None
        if self.looks in self.crash_at or self._done_at_once:
            return
        times = [self.clock.next_at, self.decision.wake_at, *self._left_alone.values(), limit]
        self.clock.advance_to(min(at for at in times if at is not None))

    def _input(self, *, fresh: bool = False) -> Input:
        busy = {} if fresh else {**self._busy, **dict.fromkeys(self._left_alone, 0.0)}
        return Input(
            revisions=self.revisions,
            tasks=self.tasks,
            now=self.clock.now(),
            busy=busy,
            leaving=frozenset() if fresh else frozenset(self._leaving),
            attempts=() if fresh else tuple(self._attempts.values()),
            deadline_s=self.deadline_s,
            stopping=self.stopping,
            supervised=self.supervised,
            tends=self.tends,
        )

    def _begin(self, action: Action) -> None:
        match action:
            case Note():
                self.ledger.note(action.revision, action.kind, action.message, action.reason)
                return
            case Push():
                self.ledger.record(
                    STACK,
                    action.source.spec,
                    action.cause,
                    restores=action.source.number,
                    message=action.message,
                    number=action.number,
                )
                self.spec = action.source.spec
                return
        key, life = target_of(action), self._lives

        def done(error: EngineError | None) -> None:
            if life == self._lives:
                self._busy.pop(key, None)
                self._leaving.discard(str(key[1]))
                self._take(action, error)

        self._busy[key] = self.clock.now()
        if isinstance(action, Stop):
            self._leaving.add(action.task.container_id)
        self.engine.begin(action, done)

    def _take(self, action: Action, error: EngineError | None) -> None:
        now = self.clock.now()
        if error is not None:
            self._left_alone[target_of(action)] = now + LEFT_ALONE_S
        if not isinstance(action, Prepare):
            return
        before = self._attempts.pop(action.slot, None)
        if error is None:
            return
        if before is not None and before.digest != action.revision.digest:
            before = None
        self._attempts[action.slot] = Attempt(
            slot=action.slot,
            digest=action.revision.digest,
            count=before.count + 1 if before else 1,
            first_at=before.first_at if before else now,
            last_at=now,
            error=str(error),
            final=isinstance(error, ImpossibleError),
        )

    def _count_looks(self) -> None:
        at, count = self._looks_now
        count = count + 1 if at == self.clock.now() else 1
        self._looks_now = (self.clock.now(), count)
        assert count < MOST_LOOKS_AT_ONE_MOMENT, f"going in circles:\n{self.story()}"

    def _witness(self, event: Happened) -> None:
        task = event.task
        what = f"{event.what} web.{task.slot} {task.image}"
        if event.what == "die" and task.exit_code is not None:
            what += f" ({task.exit_code})"
        self.happened.append((event.at, what))


def _shown(task: Task) -> str:
    fields = ("status", "health", "created_at", "started_at", "running_since", "finished_at")
    more = ("exit_code", "restarts", "armed", "error")
    told = [f"{name}={getattr(task, name)}" for name in (*fields, *more) if getattr(task, name)]
    return f"web.{task.slot}.{task.id[:12]} {task.image} r{task.revision} {' '.join(told)}"


_TASK_FIELDS = frozenset(TaskSpec.__struct_fields__)

__all__ = ["HEALTHCHECK", "Behaviour", "UpdateConfig", "World", "spec"]
