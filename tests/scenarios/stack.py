"""Several services on the simulated engine, driven by the real controller, which moves the clock.

stack = Stack()
stack.deploy(service("vpn"), service("app", network_mode="service:vpn"))
stack.deploy(service("vpn", image="v2"))
assert stack.trace("start") == ["start vpn.1 v2", "start app.1 v1"]
"""

from __future__ import annotations

import threading
from typing import Any

from rollout.controller.drive import drive
from rollout.controller.look import look
from rollout.controller.session import Session
from rollout.engine.simulated.clock import VirtualFlag
from rollout.engine.simulated.engine import Happened, SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Rule
from rollout.ledger.ledger import Ledger
from rollout.model.bindings import namespace_owners, volume_owners
from rollout.model.event import Progress
from rollout.model.spec import RestartPolicy, ServiceSpec, TaskSpec, UpdateConfig
from rollout.model.state import Cause, ContainerStatus
from rollout.model.status import ServiceStatus
from rollout.model.task import Task

NAME = "st"


def service(name: str, image: str = "v1", **fields: Any) -> ServiceSpec:
    """What belongs to its task may be said here too; it waits for what it shares something with,
    as a file's would."""
    task = {key: fields.pop(key) for key in tuple(fields) if key in TaskSpec.__struct_fields__}
    given: dict[str, Any] = {"restart": RestartPolicy(delay_s=1.0), **task}
    made = TaskSpec(image=image, **given)
    owners = namespace_owners(made) | volume_owners(made) | {*fields.get("restarts_with", ())}
    return ServiceSpec(
        name=name,
        task=made,
        **{
            "update": UpdateConfig(monitor_s=2.0),
            "depends_on": dict.fromkeys(sorted(owners), "service_started"),
            **fields,
        },
    )


class Stack:
    def __init__(self) -> None:
        self.happened: list[tuple[float, str]] = []
        self.engine = SimulatedEngine(witness=self._witness)
        self.clock = self.engine.clock
        self.session = Session(self.engine, Ledger(self.engine.store, self.engine.now, "ann@host"))
        self._since = self.clock.now()

    # -- when

    def deploy(self, *services: ServiceSpec, within_s: float = 900.0) -> Stack:
        """Record what differs, and drive the stack to rest; the trace begins before that."""
        self.afresh()
        for each in services:
            self.session.ledger.record(NAME, each, Cause.DEPLOY)
        return self.drive(within_s)

    def drive(self, within_s: float = 900.0) -> Stack:
        limit = self.clock.now() + within_s

        def report(_: Progress) -> None:
            assert self.clock.now() < limit, f"not at rest after {within_s} s:\n{self.story()}"

        wake = VirtualFlag(self.clock)
        drive(self.session, NAME, report=report, stop=threading.Event(), wake=wake)
        return self

    def afresh(self) -> Stack:
        self.happened.clear()
        self._since = self.clock.now()
        return self

    def behave(self, behaviour: Behaviour, **which: Any) -> None:
        self.engine.faults.add(Rule(behaviour=behaviour, **which))

    # -- then

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.engine.observe(NAME)

    def up(self, name: str, slot: int = 1) -> Task:
        (found,) = (
            task
            for task in self.tasks
            if (task.service, task.slot) == (name, slot) and task.status is ContainerStatus.RUNNING
        )
        return found

    def status(self, name: str) -> ServiceStatus:
        """As whoever only looks sees it."""
        (found,) = (each for each in look(self.session, NAME).services if each.service == name)
        return found

    def trace(self, *words: str) -> list[str]:
        return [what for _, what in self.happened if not words or what.split()[0] in words]

    def story(self) -> str:
        lines = [f"{at - self._since:.1f} {what}" for at, what in self.happened[-60:]]
        for each in look(self.session, NAME).services:
            slots = [(s.slot, s.state.value, s.note, s.adrift) for s in each.slots]
            lines.append(f"{each.service} {each.state} {each.message} {each.outcome} {slots}")
        return "\n".join(lines)

    def _witness(self, event: Happened) -> None:
        task = event.task
        self.happened.append((event.at, f"{event.what} {task.service}.{task.slot} {task.image}"))
