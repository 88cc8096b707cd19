"""What a run is: which revisions, since when, under which cadence."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.decide.run import last_completed, run_of
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction, Order, UpdateConfig
from rollout.model.state import Cause, MarkKind
from tests.decide.given import NOW, first, mark, revision


def test_a_change_of_cadence_goes_on_with_the_run() -> None:
    """The same task, nothing noted yet: one run, since the first of them."""
    revisions = (first(), revision(2, "v2", ago=50), revision(3, "v2", ago=10))

    run = run_of(revisions)

    assert (run.first, run.target.number, run.began_at) == (2, 3, NOW - 50)


@pytest.mark.parametrize(
    "before",
    [
        revision(2, "v2", ended=MarkKind.COMPLETED),
        revision(2, "v2", ended=MarkKind.PAUSED),
        revision(2, "other"),
        revision(2, "v2", cause=Cause.ROLLBACK),
    ],
    ids=["completed", "paused", "another task", "a rollback"],
)
def test_anything_else_begins_one(before: object) -> None:
    """A run ends with a mark, another definition, or where a rollback begins or ends."""
    assert run_of((first(), before, revision(3, "v2"))).first == 3  # type: ignore[arg-type]


def test_the_first_revision_had_no_slots_before() -> None:
    """All its slots are new."""
    assert run_of((first(),)).slots_before == 0
    assert run_of((first(replicas=4), revision(2, replicas=2))).slots_before == 4


def test_a_rollback_runs_under_its_own_cadence() -> None:
    """`rollback_config` for manual and automatic ones."""
    cadences: dict[str, Any] = {
        "update": UpdateConfig(parallelism=1),
        "rollback": UpdateConfig(parallelism=0, order=Order.START_FIRST),
    }
    for cause in (Cause.ROLLBACK, Cause.AUTO_ROLLBACK):
        run = run_of((first(), revision(2, cause=cause, **cadences)))
        assert (run.parallelism, run.order) == (0, Order.START_FIRST)
    assert run_of((first(), revision(2, **cadences))).parallelism == 1


@pytest.mark.parametrize(
    ("delay", "monitor", "watched", "at_last"),
    [(0.0, 0.0, 5.0, 5.0), (2.0, 1.0, 1.0, 3.0), (4.0, 4.0, 4.0, 5.0), (2.0, 5.0, 5.0, 5.0)],
    ids=["0 is 5 s", "delay longer", "the same", "monitor longer"],
)
def test_how_long_is_watched(delay: float, monitor: float, watched: float, at_last: float) -> None:
    """A delay that is not shorter than the monitor makes the last window delay + 1 s."""
    run = run_of((revision(1, update=UpdateConfig(delay_s=delay, monitor_s=monitor)),))

    assert (run.monitor_s, run.final_monitor_s) == (watched, at_last)


def test_the_deadline_is_the_services_or_the_commands() -> None:
    """`--timeout 0` is for ever."""
    revisions = (revision(1, progress_deadline_s=60.0),)

    assert run_of(revisions).deadline_s == 60.0
    assert run_of(revisions, 5.0).deadline_s == 5.0
    assert run_of(revisions, 0.0).deadline_s == 0.0


def test_defaults_are_swarms() -> None:
    """Parallelism 1, no delay, 5 s, pause, ratio 0, stop-first."""
    run = run_of((revision(1),))

    assert (run.parallelism, run.delay_s, run.monitor_s) == (1, 0.0, 5.0)
    assert (run.action, run.ratio, run.order) == (FailureAction.PAUSE, 0.0, Order.STOP_FIRST)


def test_a_mark_of_an_older_version_is_no_proof_where_nothing_was_watched() -> None:
    """It called complete, at once, what it had found under Docker's policy after a pause."""
    paused = mark(MarkKind.PAUSED, 1, ago=60.0)
    at_once = (paused, mark(MarkKind.RESUMED, 2, ago=50.0), mark(MarkKind.COMPLETED, 3, ago=49.5))
    watched = (paused, mark(MarkKind.RESUMED, 2, ago=50.0), mark(MarkKind.COMPLETED, 3, ago=44.5))
    v3 = revision(3)

    def target(*revisions: Revision) -> int:
        found = last_completed((first(), *revisions, v3))
        return found.number if found else 0

    assert target(revision(2, marks=at_once)) == 1
    assert target(revision(2, marks=watched)) == 2
    pace = revision(2, marks=(paused,)), revision(2, marks=(mark(MarkKind.COMPLETED, ago=99.9),))
    assert target(*pace) == 1
    said = mark(MarkKind.COMPLETED, ago=99.9, reason="proved")
    assert target(revision(2, marks=(said,))) == 2
    unsaid = mark(MarkKind.COMPLETED, ago=10.0, reason="unproved")
    assert target(revision(2, marks=(unsaid,))) == 1


def test_another_label_is_as_good_as_what_it_was_put_on() -> None:
    """Complete at once, since all its tasks had been watched before."""
    v2 = revision(2, "v1", marks=(mark(MarkKind.COMPLETED, ago=100.0),))

    assert (last_completed((first(), v2, revision(3))) or v2).number == 2


def test_where_a_run_stands() -> None:
    """The last mark says it."""
    paused = run_of((revision(1, ended=MarkKind.PAUSED),))
    assert (paused.paused, paused.finished) == (True, False)
    for kind in (MarkKind.COMPLETED, MarkKind.FAILED):
        assert run_of((revision(1, ended=kind),)).finished
    resumed = revision(1, marks=(mark(MarkKind.PAUSED, ago=9), mark(MarkKind.RESUMED, 2, ago=4)))
    run = run_of((resumed,))
    assert (run.paused, run.finished, run.since) == (False, False, NOW - 4)


def test_what_to_roll_back_to() -> None:
    """The newest one that once was complete and asks for something else."""
    good = first()
    never_good = revision(2, ended=MarkKind.PAUSED)
    same = revision(3, "v4", ended=MarkKind.COMPLETED)

    assert last_completed((good, never_good, same, revision(4))) == good
    assert last_completed((never_good, revision(4))) is None
    assert last_completed((good,)) is None
