"""How long what runs is given to end."""

from __future__ import annotations

from msgspec import structs

from rollout.decide.grace import with_grace
from rollout.model.action import Stop
from tests.decide.given import NOW, decided, doing, first, ready, revision, running

V1 = first(replicas=1, stop_grace_s=10.0)


def test_the_longer_one() -> None:
    for wanted_s, given_s in ((30.0, 30.0), (10.0, 10.0), (2.0, 10.0)):
        v2 = revision(2, replicas=1, stop_grace_s=wanted_s)
        old = running(1, V1, stop_grace_s=10.0)

        (stop,) = decided([V1, v2], [old, ready(1, v2)]).actions

        assert isinstance(stop, Stop)
        assert stop.task.stop_grace_s == given_s


def test_the_end_of_what_is_being_stopped_is_told_by_it() -> None:
    v2 = revision(2, replicas=1, stop_grace_s=30.0)
    old = running(1, V1, stop_grace_s=10.0, stop_ends_at=NOW + 9.0)
    leaving = frozenset({old.container_id})

    status = decided(
        [V1, v2], [old, ready(1, v2)], busy=doing(old, since=3), leaving=leaving
    ).status

    assert (status.waiting_for, status.until) == ("web.1 to stop", NOW - 3 + 30.0)
    (stopping,) = [each.stopping for each in status.slots if each.stopping is not None]
    assert (stopping.stop_grace_s, stopping.stop_ends_at) == (30.0, NOW + 29.0)


def test_nothing_else_of_a_task_changes() -> None:
    old = running(1, V1, stop_grace_s=10.0)

    (seen,) = with_grace([old], revision(2, stop_grace_s=30.0))

    assert structs.replace(seen, stop_grace_s=10.0) == old
