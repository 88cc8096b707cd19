"""What only one task can have, between the services of a stack: who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from rollout.decide.decide import decide
from rollout.decide.room import goes_after, waits_for_room
from rollout.decide.world import World
from rollout.model.canonical import canonical
from rollout.model.revision import Revision
from rollout.model.spec import NetworkAttachment, Port
from rollout.model.state import MarkKind
from rollout.model.task import Task
from tests.decide import given

PORT = (Port(target=80, published=(8080, 8080)),)
FIXED = (NetworkAttachment(name="n", ipv4_address="10.0.0.2"),)
ANY = (NetworkAttachment(name="n"),)


def _revision(number: int, **fields: Any) -> Revision:
    return given.revision(number, replicas=1, **fields)


def _task(made_for: Revision, **fields: Any) -> Task:
    return given.running(1, made_for, spec=canonical(made_for.spec), **fields)


def _waits(
    histories: Mapping[str, tuple[Revision, ...]],
    tasks: Mapping[str, tuple[Task, ...]],
    decided: Iterable[str] = (),
) -> list[tuple[str, bool]]:
    """Of the service `new`."""
    found = {
        name: decide(World(revisions=histories[name], tasks=tasks[name], now=given.NOW))
        for name in decided
    }
    return list(waits_for_room("new", histories, tasks, found))


def test_a_port_of_a_service_that_is_removed_is_waited_for() -> None:
    """It was renamed in the file, with --prune."""
    new = _revision(1, ports=PORT)
    tasks = {"old": (_task(_revision(1, ports=PORT)),), "new": ()}

    assert _waits({"new": (new,)}, tasks) == [("old.1 to give up port 8080/tcp", False)]
    down = replace(tasks["old"][0], status=given.ended(1, new).status)
    assert _waits({"new": (new,)}, {"old": (down,), "new": ()}) == []


def test_a_port_that_a_sibling_gives_up_is_waited_for() -> None:
    new, before, after = _revision(1, ports=PORT), _revision(1, ports=PORT), _revision(2)
    histories = {"new": (new,), "old": (before, after)}
    tasks = {"new": (), "old": (_task(before),)}

    assert goes_after(histories, tasks) == {"new": {"old"}, "old": frozenset()}
    assert _waits(histories, tasks, ["old"]) == [("old.1 to give up port 8080/tcp", False)]
    # What is decided later waits for this one, so this one does not wait.
    assert _waits(histories, tasks) == []
    assert _waits(histories, {"new": (), "old": (_task(after),)}, ["old"]) == []


def test_a_port_that_a_paused_sibling_keeps_is_waited_for_in_vain() -> None:
    before, after = _revision(1, ports=PORT), _revision(2, ended=MarkKind.PAUSED)
    histories = {"new": (_revision(1, ports=PORT),), "old": (before, after)}
    tasks = {"new": (), "old": (_task(before, armed=True),)}

    assert _waits(histories, tasks, ["old"]) == [("old.1 to give up port 8080/tcp", True)]


def test_fixed_addresses_go_first() -> None:
    """Else a sibling that may have any takes just that one."""
    fixed = _revision(2, networks=FIXED)
    histories = {"new": (_revision(1, networks=ANY),), "fix": (fixed,)}

    assert goes_after(histories, {"new": (), "fix": ()}) == {"new": {"fix"}, "fix": frozenset()}
    waits = [("fix to have its fixed address", False)]
    assert _waits(histories, {"new": (), "fix": ()}, ["fix"]) == waits
    old = given.running(1, _revision(1, networks=FIXED))
    assert _waits(histories, {"new": (), "fix": (old,)}, ["fix"]) == waits
    # It need not be well for that: it has its address once it is started.
    assert _waits(histories, {"new": (), "fix": (given.starting(1, fixed),)}, ["fix"]) == []


def test_a_fixed_address_that_will_not_come_is_not_waited_for() -> None:
    failed = _revision(1, networks=FIXED, ended=MarkKind.FAILED)
    histories = {"new": (_revision(1, networks=ANY),), "fix": (failed,)}
    tasks = {"new": (), "fix": (given.unstartable(1, failed, armed=True),)}

    assert _waits(histories, tasks, ["fix"]) == []


def test_other_networks_do_not_matter() -> None:
    elsewhere = (NetworkAttachment(name="other"),)
    histories = {
        "new": (_revision(1, networks=elsewhere),),
        "fix": (_revision(1, networks=FIXED),),
    }

    assert goes_after(histories, {"new": (), "fix": ()}) == dict.fromkeys(histories, frozenset())
