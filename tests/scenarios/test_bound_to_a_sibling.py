"""`network_mode: service:x` and its like: what is bound to a task goes with it, once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rollout.controller.outcome import exit_code
from rollout.engine.simulated.faults import Behaviour
from rollout.model.spec import FailureAction, Order, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import MarkKind, UpdateState
from tests.scenarios.stack import Stack, service

BY: dict[str, dict[str, Any]] = {
    "network": {"network_mode": "service:vpn"},
    "pid": {"pid": "service:vpn"},
    "ipc": {"ipc": "service:vpn"},
    "volumes": {"volumes_from": ("service:vpn:ro",)},
    "restart": {"restarts_with": ("vpn",)},
}
SHARED = ["network", "pid", "ipc"]
ROLLBACK = UpdateConfig(monitor_s=2.0, failure_action=FailureAction.ROLLBACK)


def _starts(stack: Stack) -> list[str]:
    return [each.removeprefix("start ") for each in stack.trace("start")]


def _assert_bound(stack: Stack, name: str = "app", owner: str = "vpn", slot: int = 1) -> None:
    task, home = stack.up(name, slot), stack.up(owner)
    assert home.container_id in (*task.namespaces_of, *task.volumes_of), stack.story()
    assert task.started_at is not None
    assert home.started_at is not None
    assert task.started_at > home.started_at or task.volumes_of
    assert stack.status(name).running == 1
    assert not stack.status(name).slots[0].adrift


@pytest.mark.parametrize("by", BY)
def test_only_the_owner_is_updated(by: str) -> None:
    """The other follows in the same update, with the definition it has."""
    app = service("app", **BY[by])
    stack = Stack().deploy(service("vpn"), app)

    stack.deploy(service("vpn", "v2"), app)

    assert _starts(stack) == ["vpn.1 v2", "app.1 v1"]
    assert exit_code([stack.status("app"), stack.status("vpn")]) == 0
    if by != "restart":
        _assert_bound(stack)


@pytest.mark.parametrize("by", BY)
def test_both_are_updated(by: str) -> None:
    stack = Stack().deploy(service("vpn"), service("app", **BY[by]))

    stack.deploy(service("vpn", "v2"), service("app", "v2", **BY[by]))

    assert _starts(stack) == ["vpn.1 v2", "app.1 v2"]
    assert {stack.status(name).state for name in ("app", "vpn")} == {UpdateState.COMPLETED}


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("by", ["network", "volumes", "restart"])
def test_start_first(by: str, order: Order) -> None:
    """Two owners for a moment: the new one counts once it has proved itself."""
    cadence = UpdateConfig(monitor_s=2.0, order=order)
    app = service("app", update=cadence, **BY[by])
    stack = Stack().deploy(service("vpn"), app)
    first = UpdateConfig(monitor_s=2.0, order=Order.START_FIRST)

    stack.deploy(service("vpn", "v2", update=first), app)

    assert _starts(stack) == ["vpn.1 v2", "app.1 v1"]
    if by != "restart":
        _assert_bound(stack)


def test_a_start_first_owner_that_fails_costs_its_dependants_nothing() -> None:
    app = service("app", network_mode="service:vpn")
    stack = Stack().deploy(service("vpn"), app)
    stack.behave(Behaviour(exits_after_s=0.1), image="v2")
    first = UpdateConfig(monitor_s=2.0, order=Order.START_FIRST)

    stack.deploy(service("vpn", "v2", update=first), app)

    assert _starts(stack) == ["vpn.1 v2"]
    _assert_bound(stack)


@pytest.mark.parametrize("by", [*SHARED, "volumes"])
def test_the_owner_s_update_fails_and_rolls_back(by: str) -> None:
    """Once per change, not once per failed attempt: it is bound to the restored one."""
    app = service("app", **BY[by])
    stack = Stack().deploy(service("vpn", update=ROLLBACK), app)
    stack.behave(Behaviour(exits_after_s=0.1), image="v2")

    stack.deploy(service("vpn", "v2", update=ROLLBACK), app)

    assert _starts(stack) == ["vpn.1 v2", "vpn.1 v1", "app.1 v1"]
    assert stack.status("vpn").state is UpdateState.ROLLBACK_COMPLETED
    assert stack.status("app").outcome is MarkKind.COMPLETED
    _assert_bound(stack)


def test_both_are_updated_and_the_owner_s_fails_and_rolls_back() -> None:
    """What died with the failed one is no failure of its own service."""
    vpn, app = service("vpn", update=ROLLBACK), service("app", pid="service:vpn")
    stack = Stack().deploy(vpn, app)
    stack.behave(Behaviour(exits_after_s=1.5), image="v2", service="vpn")

    stack.deploy(service("vpn", "v2", update=ROLLBACK), service("app", "v2", pid="service:vpn"))

    assert stack.status("vpn").state is UpdateState.ROLLBACK_COMPLETED
    assert stack.status("app").state is UpdateState.COMPLETED
    assert stack.up("app").image == "v2"
    _assert_bound(stack)


@pytest.mark.parametrize("by", SHARED)
def test_the_owner_is_restarted_by_hand(by: str) -> None:
    """The same container, another namespace: a look says so, and whoever drives mends it."""
    app = service("app", **BY[by])
    stack = Stack().deploy(service("vpn"), app)
    stack.clock.advance(60.0)
    stack.afresh()

    stack.engine.restart_by_hand(stack.up("vpn"))
    stack.clock.advance(5.0)

    if by != "pid":  # that one has died with it, and Docker has started it again
        seen = stack.status("app")
        assert seen.running == 0
        assert "vpn.1 was started again after it" in seen.slots[0].note
        assert exit_code([replace(seen, outcome=MarkKind.COMPLETED)]) == 1
    stack.drive()
    assert exit_code([stack.status("app")]) == 0
    _assert_bound(stack)


def test_volumes_survive_a_restart() -> None:
    stack = Stack().deploy(service("vpn"), service("app", **BY["volumes"]))
    stack.clock.advance(60.0)
    stack.afresh()

    stack.engine.restart_by_hand(stack.up("vpn"))
    stack.clock.advance(5.0)
    stack.drive()

    assert _starts(stack) == ["vpn.1 v1"]


@pytest.mark.parametrize("by", [*SHARED, "volumes"])
def test_the_owner_is_removed_by_hand(by: str) -> None:
    stack = Stack().deploy(service("vpn"), service("app", **BY[by]))
    stack.clock.advance(60.0)

    stack.engine.remove_by_hand(stack.up("vpn"))
    stack.drive()

    _assert_bound(stack)


def test_a_chain() -> None:
    """One in the namespace of another, which is in a third one's."""
    b, c = service("b", network_mode="service:a"), service("c", network_mode="service:b")
    stack = Stack().deploy(service("a"), b, c)

    stack.deploy(service("a", "v2"), b, c)

    assert _starts(stack) == ["a.1 v2", "b.1 v1", "c.1 v1"]
    _assert_bound(stack, "b", "a")
    _assert_bound(stack, "c", "b")


def test_dependants_keep_their_own_cadence() -> None:
    """Three of them, two at a time, with a delay."""
    cadence = UpdateConfig(monitor_s=2.0, parallelism=2, delay_s=10.0)
    app = service("app", replicas=3, update=cadence, **BY["network"])
    stack = Stack().deploy(service("vpn"), app)

    stack.deploy(service("vpn", "v2"), app)

    times = [at for at, what in stack.happened if what.startswith("start app")]
    assert times[1] - times[0] < 2.0
    assert times[2] - times[1] > 10.0
    assert len(times) == 3


def test_of_several_owners_the_first() -> None:
    """And what works is left alone when another slot is replaced."""
    app = service("app", **BY["network"])
    stack = Stack().deploy(service("vpn", replicas=3), app)

    stack.deploy(service("vpn", "v2", replicas=3), app)

    assert _starts(stack) == ["vpn.1 v2", "app.1 v1", "vpn.2 v2", "vpn.3 v2"] or (
        len([each for each in _starts(stack) if each.startswith("app")]) == 1
    )
    assert stack.up("vpn", 1).container_id in stack.up("app").namespaces_of


def test_no_owner_is_left() -> None:
    """Said, and not waited for; it is bound again as soon as there is one."""
    app = service("app", **BY["network"])
    stack = Stack().deploy(service("vpn"), app)

    stack.deploy(service("vpn", replicas=0), app)

    assert stack.status("app").running == 0
    assert "vpn.1 has ended" in stack.status("app").slots[0].note
    assert exit_code([stack.status("app")]) == 1
    stack.deploy(service("vpn"), app)
    assert exit_code([stack.status("app")]) == 0
    _assert_bound(stack)


def test_a_first_deployment_whose_owner_does_not_come() -> None:
    none = RestartPolicy(condition=RestartCondition.NONE)
    stack = Stack()
    stack.behave(Behaviour(exits_after_s=0.1), service="vpn")

    stack.deploy(service("vpn", restart=none), service("app", **BY["network"]))

    assert stack.status("app").message == "waited for vpn to run"
    assert exit_code([stack.status("app")]) == 1


def test_a_paused_update_is_not_continued_by_it() -> None:
    """What the update has not reached gets its own definition again, bound anew."""
    slow = UpdateConfig(monitor_s=2.0, delay_s=5.0)
    stack = Stack().deploy(service("vpn"), service("app", replicas=2, update=slow, **BY["network"]))
    stack.behave(Behaviour(exits_after_s=0.1), image="v2", service="app")
    stack.deploy(service("app", "v2", replicas=2, update=slow, **BY["network"]))
    assert stack.status("app").state is UpdateState.PAUSED
    assert stack.up("app", 2).image == "v1"

    stack.deploy(service("vpn", "v3"))

    assert stack.status("app").state is UpdateState.PAUSED
    assert stack.up("app", 2).image == "v1"
    assert stack.up("vpn").container_id in stack.up("app", 2).namespaces_of
    assert not stack.status("app").slots[1].adrift


def test_a_replacement_that_fails_is_seen() -> None:
    """It is its restart policy's business then, and the exit code says that it does not run."""
    app = service("app", **BY["network"])
    stack = Stack().deploy(service("vpn"), app)
    stack.behave(Behaviour(exits_after_s=0.1), service="app")

    stack.deploy(service("vpn", "v2"), app)

    assert exit_code([stack.status("vpn")]) == 0
    assert exit_code([stack.status("app")]) == 1


def test_no_restart_is_asked_for_by_more_replicas_or_a_task_that_died() -> None:
    """`restart: true` is about updates, as in Compose."""
    app = service("app", **BY["restart"])
    stack = Stack().deploy(service("vpn"), app)
    stack.clock.advance(60.0)

    stack.deploy(service("vpn", replicas=3), app)
    stack.engine.remove_by_hand(stack.up("vpn", 1))
    stack.drive()

    assert [each for each in _starts(stack) if each.startswith("app")] == []
