"""A stack of two services in unrest: commands that contradict each other, hands that interfere,
processes that are killed, with and without controllers that stay.

`web` depends on `db`.  When the unrest is over, one plain deploy of a good file must bring
everything up, and one removal must leave nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from rollout.cli.again import ask_again
from rollout.controller.drive import Driver, drive
from rollout.controller.outcome import exit_code
from rollout.controller.recover import recover
from rollout.controller.remove import remove
from rollout.controller.session import Session
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.engine import Happened, SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Faults, Rule
from rollout.errors import InterruptedRolloutError, RolloutError
from rollout.ledger.lease import unlock
from rollout.ledger.ledger import Ledger
from rollout.model.canonical import task_digest
from rollout.model.dependencies import dependencies_first
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind
from rollout.model.task import Task
from tests.schedules.fibers import Scheduler
from tests.schedules.processes import Process, Statuses

STACK = "st"
_LONG_S = 14_400.0

File = dict[str, ServiceSpec]


class Event(Struct, frozen=True):
    """What somebody types or does by hand, that many seconds after the stack was deployed.

    `pick` chooses among what there is: a service, a task, a process.
    """

    at: float
    what: str
    pick: int = 0
    argument: int = 0


class Unrest:
    def __init__(self, file: File, *, seed: int, usual: Behaviour, rules: tuple[Rule, ...]) -> None:
        self.file = file
        self.clock = VirtualClock(1000.0)
        self.faults = Faults(usual)
        self.engine = SimulatedEngine(self.clock, self.faults, self._witness)
        self.scheduler = Scheduler(self.clock, seed)
        self.ledger = Ledger(self.engine.store, self.clock.now, "eve@host")
        self.commands: list[Process] = []
        self.controllers: list[Process] = []
        self.trace: list[str] = []
        self.deploy()
        for rule in rules:
            self.faults.add(rule)

    # -- what happens

    def run(self, events: tuple[Event, ...], controllers: int) -> None:
        """All events, until no command is left; then nothing fails any more."""
        self.controllers = [self._process(self._control) for _ in range(controllers)]
        began = self.clock.now()
        left = [len(events)]

        def happen(event: Event) -> None:
            left[0] -= 1
            self._happen(event)

        for event in events:
            self.clock.call_at(began + event.at, partial(happen, event))
        done = self.scheduler.run_until(
            lambda: not left[0] and all(each.main.ended for each in self.commands), _LONG_S
        )
        assert done, f"a command never came to an end\n{self.story()}"
        self.faults.clear()

    def deploy(self, image: str = "v1") -> int:
        """The file, with that image, by a command that nothing befalls: its exit code."""
        statuses = self._to_the_end(partial(self._deploy, image))
        asked = {
            name: task_digest(_with_image(each, image).task) for name, each in self.file.items()
        }
        return exit_code(
            replace(each, as_asked=asked[each.service] == each.revision.digest) for each in statuses
        )

    def remove(self) -> None:
        """`rollout rm`, by a command that nothing befalls."""
        self._to_the_end(self._remove)

    def controllers_end(self) -> None:
        for each in self.controllers:
            each.interrupt.set()
            each.wake.set()
        ended = self.scheduler.run_until(
            lambda: all(each.main.ended for each in self.controllers), _LONG_S
        )
        assert ended, f"a controller never came to an end\n{self.story()}"

    # -- what is

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.engine.observe(STACK)

    def up(self, service: str) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.service == service and task.alive)

    def story(self) -> str:
        lines = [*self.trace[-150:], ""]
        lines += [
            f"{task.service}.{task.slot} r{task.revision} {task.image} {task.status} {task.health}"
            f"{' armed' if task.armed else ''}"
            for task in self.tasks
        ]
        for history in self.ledger.read(STACK).values():
            for each in history:
                marks = [f"{mark.kind.value} ({mark.message})" for mark in each.marks]
                asked = f"{each.service} {each.number} {each.cause} {each.spec.task.image}"
                lines.append(f"revision {asked} x{each.spec.slots} {marks}")
        return "\n".join(lines)

    # -- commands

    def _process(self, work: Callable[[Session, Process], Statuses]) -> Process:
        def try_to(session: Session, process: Process) -> Statuses:
            try:
                return work(session, process)
            except InterruptedRolloutError:
                raise
            except RolloutError as error:
                # Two commands that contradict each other: one of them may be told so.
                self._tell(f"a command ends with: {error}")
                return ()

        return Process(self.scheduler, self.engine, STACK, work=try_to)

    def _to_the_end(self, work: Callable[[Session, Process], Statuses]) -> Statuses:
        process = Process(self.scheduler, self.engine, STACK, work=work)
        ended = self.scheduler.run_until(lambda: process.main.ended, _LONG_S)
        assert ended, f"the last command never came to an end\n{self.story()}"
        assert process.result is not None, f"the last command was refused\n{self.story()}"
        return process.result

    def _deploy(self, image: str, session: Session, process: Process) -> Statuses:
        """As `rollout deploy` does: what was left undone first, then dependencies before others."""
        look = recover(session, STACK, self._tell, process.wake)
        depends_on = {name: spec.depends_on for name, spec in self.file.items()}
        for name in dependencies_first(depends_on):
            spec = _with_image(self.file[name], image)
            revision = session.ledger.record(STACK, spec, Cause.DEPLOY)
            if revision is None:
                ask_again(session, look.book[name][-1], look)
        return self._drive(session, process)

    def _drive(self, session: Session, process: Process) -> Statuses:
        return drive(
            session, STACK, report=lambda _: None, stop=process.interrupt, wake=process.wake
        )

    def _remove(self, session: Session, process: Process) -> Statuses:
        remove(
            session,
            STACK,
            tell=self._tell,
            report=lambda _: None,
            stop=process.interrupt,
            wake=process.wake,
        )
        return ()

    def _control(self, session: Session, process: Process) -> Statuses:
        driver = Driver(session, STACK, lambda _: None, process.wake, supervised=True)
        try:
            return driver.run(process.interrupt, None, follow=True)
        finally:
            driver.close()

    def _change(self, event: Event, session: Session, process: Process) -> Statuses:
        """As the commands about one service do: read, change, write, drive."""
        look = recover(session, STACK, self._tell, process.wake)
        if not look.book:
            return ()
        name = sorted(look.book)[event.pick % len(look.book)]
        history = look.book[name]
        newest = history[-1]
        match event.what:
            case "update":
                spec = _with_image(newest.spec, f"v{event.argument}")
                session.ledger.record(STACK, spec, Cause.UPDATE, number=newest.number + 1)
            case "scale":
                spec = replace(newest.spec, replicas=event.argument)
                session.ledger.record(STACK, spec, Cause.SCALE, number=newest.number + 1)
            case "rollback" if (back := _once_complete(history)) is not None:
                session.ledger.record(STACK, back.spec, Cause.ROLLBACK, restores=back.number)
            case "pause" if newest.last_mark in (None, MarkKind.RESUMED):
                session.ledger.note(newest, MarkKind.PAUSED, "paused", "request")
                return ()
            case "resume" if newest.last_mark is MarkKind.PAUSED:
                session.ledger.note(newest, MarkKind.RESUMED, "resumed", "request")
            case "unlock":
                unlock(session.engine.store, STACK, session.engine.now)
                return ()
        return self._drive(session, process)

    # -- events

    def _happen(self, event: Event) -> None:
        self._tell(f"{event.what} {event.pick} {event.argument}")
        match event.what:
            case "deploy":
                self._begin(partial(self._deploy, f"v{event.argument}"))
            case "rm":
                self._begin(self._remove)
            case "kill" | "interrupt":
                self._strike(event)
            case "docker kill" | "docker rm" | "docker stop" | "docker restart" | "docker pause":
                self._interfere(event)
            case "turns unhealthy":
                self._interfere(event)
            case _:
                self._begin(partial(self._change, event))

    def _begin(self, work: Callable[[Session, Process], Statuses]) -> None:
        self.commands.append(self._process(work))

    def _strike(self, event: Event) -> None:
        living = [each for each in self.commands if each.alive and not each.main.ended]
        if not living:
            return
        process = living[event.pick % len(living)]
        if event.what == "kill":
            process.kill()
        else:
            process.interrupt.set()
            process.wake.set()

    def _interfere(self, event: Event) -> None:
        if not self.tasks:
            return
        task = self.tasks[event.pick % len(self.tasks)]
        match event.what:
            case "docker kill":
                self.engine.crash(task)
            case "docker rm":
                self.engine.remove_by_hand(task)
            case "docker stop":
                self.engine.stop_by_hand(task)
            case "docker restart":
                self.engine.restart_by_hand(task)
            case "docker pause":
                self.engine.pause_by_hand(task)
            case "turns unhealthy":
                self.engine.sicken(task)

    def _witness(self, event: Happened) -> None:
        task = event.task
        self._tell(f"{event.what} {task.service}.{task.slot} r{task.revision} {task.image}")

    def _tell(self, what: str) -> None:
        self.trace.append(f"{self.clock.now() - 1000.0:8.3f} {what}")


def _with_image(spec: ServiceSpec, image: str) -> ServiceSpec:
    return replace(spec, task=replace(spec.task, image=image))


def _once_complete(history: tuple[Revision, ...]) -> Revision | None:
    digest = history[-1].digest
    return next(
        (
            each
            for each in reversed(history[:-1])
            if each.digest != digest and any(m.kind is MarkKind.COMPLETED for m in each.marks)
        ),
        None,
    )
