"""A stack, the commands given to it at their times, and what befalls the processes that run them.

What must never be is looked for at every event of the engine; what must have come about, at the
end, when one more command has driven the stack to rest.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.engine import Happened, SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Faults, Rule
from rollout.ledger.ledger import Ledger
from rollout.model import labels
from rollout.model.action import Note, Push
from rollout.model.revision import Revision
from rollout.model.spec import Order, ServiceSpec
from rollout.model.state import Cause, MarkKind
from rollout.model.task import Task
from tests.schedules.fibers import Scheduler
from tests.schedules.processes import Process

STACK = "st"


class Command(Struct, frozen=True):
    """What somebody types, that many seconds after the stack was deployed."""

    at: float
    what: str
    argument: int = 0


class Blow(Struct, frozen=True):
    """What befalls the process of a command, so many steps of any process after its start."""

    command: int
    steps: int
    what: str
    argument: float = 0.0
    about_to_act: bool = False
    """Not before it has decided on something and not yet begun it."""


class House:
    def __init__(
        self,
        service: ServiceSpec,
        *,
        seed: int,
        usual: Behaviour | None = None,
        rules: tuple[Rule, ...] = (),
    ) -> None:
        self.clock = VirtualClock(1000.0)
        self.faults = Faults(usual)
        self.engine = SimulatedEngine(self.clock, self.faults, self._witness)
        self.scheduler = Scheduler(self.clock, seed)
        self.ledger = Ledger(self.engine.store, self.clock.now, "eve@host")
        self.processes: list[Process] = []
        self.recorded: list[Revision] = []
        self.trace: list[str] = []
        self.twice: list[str] = []
        """Events after which a stop-first slot had two live tasks."""
        self.came_back: list[str] = []
        """Starts of an older definition in a slot that had begun a newer one."""
        self.fewest = 0
        """The fewest slots in which something ran well."""
        self._begun_at: list[int] = []
        self._watching = False
        self._highest: dict[int, int] = {}
        self.ledger.record(STACK, service, Cause.DEPLOY)
        self._one_more()
        self.fewest = service.slots
        self._watching = True
        for rule in rules:
            self.faults.add(rule)

    # -- what happens

    def run(self, commands: tuple[Command, ...], blows: tuple[Blow, ...] = ()) -> None:
        """All commands, and all that befalls them, until no process is left."""
        left = list(blows)

        def strike() -> None:
            for blow in tuple(left):
                if blow.command >= len(self._begun_at):
                    continue
                process = self.processes[blow.command]
                late_enough = self.scheduler.steps - self._begun_at[blow.command] >= blow.steps
                if late_enough and (process.unsent or not blow.about_to_act):
                    left.remove(blow)
                    self._strike(process, blow)

        began = self.clock.now()
        for command in sorted(commands, key=lambda each: each.at):
            self.clock.call_at(began + command.at, partial(self._begin, command))
        self.scheduler.before_step = strike
        done = self.scheduler.run_until(
            lambda: len(self.processes) == len(commands) and not self.scheduler.fibers, 7200.0
        )
        assert done, f"somebody never came to an end\n{self.story()}"
        self.scheduler.before_step = lambda: None

    def one_more(self) -> None:
        """A last command that finds what was left, and drives it to rest; then a quiet hour."""
        self._one_more()
        up = {task.id for task in self.up}
        self.clock.advance(3600.0)
        # What a killed one had asked for may have been made Ready since; nothing has been started.
        assert {task.id for task in self.up} <= up, self.story()

    # -- what is

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return self.ledger.read(STACK)["web"]

    @property
    def newest(self) -> Revision:
        return self.revisions[-1]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.engine.observe(STACK)

    @property
    def up(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.alive)

    def story(self) -> str:
        lines = [*self.trace[-120:], ""]
        lines += [
            f"web.{task.slot} r{task.revision} {task.image} {task.status} {task.health}"
            for task in self.tasks
        ]
        for each in self.revisions:
            marks = [mark.kind.value for mark in each.marks]
            lines.append(f"revision {each.number} {each.cause} {each.spec.task.image} {marks}")
        return "\n".join(lines)

    # -- inside

    def _begin(self, command: Command) -> None:
        self._tell(f"{command.what} {command.argument}")
        self._begun_at.append(self.scheduler.steps)
        self.processes.append(
            Process(
                self.scheduler, self.engine, STACK, lambda ledger: self._record(ledger, command)
            )
        )

    def _record(self, ledger: Ledger, command: Command) -> None:
        """As the commands do: read, change, write."""
        history = ledger.read(STACK)["web"]
        newest = history[-1]
        spec = newest.spec
        match command.what:
            case "update":
                spec = replace(spec, task=replace(spec.task, image=f"v{command.argument}"))
            case "scale":
                spec = replace(spec, replicas=command.argument)
            case "faster":
                cadence = replace(spec.update, delay_s=0.0, parallelism=command.argument)
                spec = replace(spec, update=cadence)
            case "rollback" if len(history) > 1:
                spec = history[-2].spec
            case "pause" if newest.last_mark in (None, MarkKind.RESUMED):
                ledger.note(newest, MarkKind.PAUSED, "paused", "request")
            case "resume" if newest.last_mark is MarkKind.PAUSED:
                ledger.note(newest, MarkKind.RESUMED, "resumed", "request")
        cause = Cause.ROLLBACK if command.what == "rollback" else Cause.UPDATE
        restores = history[-2].number if spec is not newest.spec and cause == "rollback" else 0
        revision = ledger.record(STACK, spec, cause, restores=restores)
        if revision is not None:
            self.recorded.append(revision)

    def _strike(self, process: Process, blow: Blow) -> None:
        if not process.alive or process.main.ended:
            return
        self._tell(f"command {blow.command}: {blow.what} {blow.argument}")
        match blow.what:
            case "kill":
                self._send(process, blow.argument)
                process.kill()
            case "kill, known to be dead":
                self._send(process, blow.argument)
                process.kill()
                self._let_it_be_known()
            case "stop":
                process.stop_for(blow.argument)
            case "interrupt":
                process.interrupt.set()
                process.wake.set()

    def _send(self, process: Process, share: float) -> None:
        """Some of what it was about to ask for is on its way already, and comes late."""
        for action in process.unsent:
            if not isinstance(action, Note | Push) and self.scheduler.random.random() < share:
                late = self.clock.now() + self.scheduler.random.choice((0.0, 0.1, 1.0))
                self.clock.call_at(late, partial(self.engine.begin, action, lambda _: None))

    def _let_it_be_known(self) -> None:
        """Whoever holds the lease is seen to be dead, as on the same host."""
        held = [
            record
            for record in self.engine.store.list(STACK)
            if record.labels.get(labels.RECORD) == "lease"
        ]
        for record in held:
            kernel = record.labels["rollout.process"].split(" ")[0]
            self.engine.store.drop(record.name)
            self.engine.store.put(
                record.name, {**record.labels, "rollout.process": f"{kernel} 4194305 1"}
            )

    def _one_more(self) -> None:
        last = Process(self.scheduler, self.engine, STACK)
        self.scheduler.run_until(lambda: last.main.ended, 7200.0)
        assert last.result is not None, f"it does not come to rest\n{self.story()}"

    def _witness(self, event: Happened) -> None:
        task = event.task
        line = self._tell(f"{event.what} web.{task.slot} r{task.revision} {task.image}")
        if not self._watching:
            return
        up = self.up
        self.fewest = min(self.fewest, len({each.slot for each in up if each.running}))
        if event.what != "start":
            return
        in_slot = [each for each in up if each.slot == task.slot]
        if len(in_slot) > 1 and all(_is_stop_first(each.spec) for each in self.revisions):
            self.twice.append(line)
        if task.revision < self._highest.get(task.slot, 0):
            made_for = {each.number: each.digest for each in self.revisions}
            if made_for[self._highest[task.slot]] != task.digest:
                self.came_back.append(line)
        self._highest[task.slot] = max(task.revision, self._highest.get(task.slot, 0))

    def _tell(self, what: str) -> str:
        line = f"{self.clock.now() - 1000.0:8.3f} {what}"
        self.trace.append(line)
        return line


def _is_stop_first(spec: ServiceSpec) -> bool:
    return spec.update.order is spec.rollback.order is Order.STOP_FIRST
