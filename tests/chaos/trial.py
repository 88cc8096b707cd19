"""Faults tried: a stack of its own, the command with the faults, one more command, the check."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterator
from threading import Event

import docker
from msgspec import Struct

from rollout.cli.files import load_stack
from rollout.controller.drive import drive
from rollout.controller.session import Session
from rollout.engine.docker.engine import connect
from rollout.ledger.ledger import Ledger
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind
from tests.chaos.faults import Fault, FaultProxy, Moment
from tests.chaos.invariants import Found, added, find, losses
from tests.chaos.process import Commands, Stuck
from tests.chaos.scenarios import Scenario
from tests.support.command import Ran
from tests.support.engine import sweep

_KILLED = -9
_TOLD = ("Traceback", "this is a bug")


class Tried(Struct, frozen=True, kw_only=True):
    hits: tuple[Moment, ...]
    """Where there was a fault: nowhere if the command did not make such a call."""
    came_through: bool
    """The command itself did what it was asked to, in spite of the fault."""
    losses: tuple[str, ...]
    evidence: str
    calls: Counter[str]


class Bench:
    """What trials share: a client, a session, and a process that runs commands."""

    def __init__(self) -> None:
        self._client = docker.APIClient(version="1.41")
        self._engine = connect()
        self._session = Session(
            self._engine, Ledger(self._engine.store, self._engine.now, by="chaos")
        )
        self._commands = Commands()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._commands.close()
        self._engine.close()
        self._client.close()

    def tried(self, scenario: Scenario, fault: Fault | None, *, again: bool) -> Tried:
        """`again`: the next command after a kill is the same once more, else `status --wait`."""
        stack = f"chaos{secrets.token_hex(4)}"
        try:
            self._deploy(stack, scenario)
            return self._trial(stack, scenario, fault, again=again)
        finally:
            sweep(stack)

    def _deploy(self, stack: str, scenario: Scenario) -> None:
        for version in scenario.before[:-1]:
            revision = self._session.ledger.record(
                stack, self._spec(stack, scenario, version), Cause.DEPLOY
            )
            assert revision is not None
            self._session.ledger.note(revision, MarkKind.COMPLETED, "")
        for version in scenario.before[-1:]:
            self._session.ledger.record(stack, self._spec(stack, scenario, version), Cause.DEPLOY)
            drive(self._session, stack, report=lambda _: None, stop=Event())

    def _spec(self, stack: str, scenario: Scenario, version: int) -> ServiceSpec:
        path = self._commands.folder / "before.yml"
        path.write_text(scenario.text(version))
        wanted = load_stack([str(path)], name=stack)
        self._session.ledger.put_contents(stack, wanted.contents)
        return wanted.services[0]

    def _trial(self, stack: str, scenario: Scenario, fault: Fault | None, *, again: bool) -> Tried:
        file = self._commands.folder / "wanted.yml"
        file.write_text(scenario.text(2))
        names = {"stack": stack, "service": f"{stack}_web", "file": str(file)}
        command = [word.format(**names) for word in scenario.command]
        once_more = [word.format(**names) for word in scenario.again or scenario.command]
        proxy = FaultProxy(
            self._commands.folder / f"{next(self._numbers)}.sock", fault, self._commands.kill
        )
        ran = [Ran(0, "", "")]
        wrong: list[str] = []
        try:
            ran[0] = self._commands.run("-H", proxy.host, *command)
            at_fault = find(self._client, stack)
            killed = fault is not None and fault.kind.kills and bool(proxy.hits)
            came_through = ran[0].code == scenario.code
            wrong += _words(ran[0], scenario, killed=killed)
            given_again = False
            if not came_through:
                given_again = again or not killed
                second = once_more if given_again else ["status", stack, "--wait"]
                ran.append(self._commands.run(*second))
            found = find(self._client, stack)
            for each in ran[1:]:
                wrong += _second(each, scenario, at_fault, found)
            if again and not scenario.removes and not added(scenario, found):
                wrong.append("asked for once more, it was not recorded")
            wrong += losses(scenario, at_fault, found, once_more=given_again)
        except Stuck as stuck:
            came_through, found = False, find(self._client, stack)
            wrong.append(f"a command did not end: {stuck}")
        finally:
            proxy.close()
        return Tried(
            hits=tuple(proxy.hits),
            came_through=came_through,
            losses=tuple(wrong),
            evidence="\n".join([*map(str, ran), *found.lines()]) if wrong else "",
            calls=proxy.calls,
        )


def _words(ran: Ran, scenario: Scenario, *, killed: bool) -> Iterator[str]:
    """A command that was not killed comes through, or says in one line what is wrong."""
    if any(words in ran.err for words in _TOLD):
        yield "the command had no words of its own for it"
    if killed:
        if ran.code not in (_KILLED, scenario.code):
            yield f"the killed command ended with {ran.code}"
    elif ran.code != scenario.code and (
        ran.code != 1 or not (ran.err.splitlines() or [""])[-1].startswith("rollout: ")
    ):
        yield f"the command ended with {ran.code}, without a clear error"


def _second(ran: Ran, scenario: Scenario, at_fault: Found, found: Found) -> Iterator[str]:
    if any(words in ran.err for words in _TOLD):
        yield "the next command had no words of its own for it"
    if "driven by" in ran.out:
        yield "the next command had to wait for a lease whose holder is dead"
    if ran.code not in _codes(scenario, at_fault, found):
        yield f"the next command ended with {ran.code}"


def _codes(scenario: Scenario, at_fault: Found, found: Found) -> tuple[int, ...]:
    if scenario.removes:
        # Of what is gone there is no status.
        return (0, 1) if at_fault.is_being_removed() else (0,)
    if added(scenario, found):
        return (scenario.code,)
    return (0,) if scenario.before else (1,)
