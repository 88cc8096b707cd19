"""The ledger: what was asked for is written once, numbered, and never lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import RLock

import pytest
from msgspec.structs import replace

from rollout.engine.simulated.store import MemoryStore
from rollout.errors import ConflictError, NotFoundError, UsageError
from rollout.ledger.history import find, outcomes, previous_of
from rollout.ledger.ledger import CONTENT_STAYS_S, KEEP, Ledger
from rollout.model.revision import Revision
from rollout.model.spec import FileMount, ServiceSpec, TaskSpec
from rollout.model.state import Cause, MarkKind

WEB = ServiceSpec(name="web", task=TaskSpec(image="web:1"))


def _ledger() -> Ledger:
    ticks = count(1_000.0)
    store = MemoryStore(lambda: next(ticks), RLock())
    return Ledger(store, lambda: next(ticks), by="ann@laptop")


def _version(number: int) -> ServiceSpec:
    return replace(WEB, task=replace(WEB.task, image=f"web:{number}"))


def _record(ledger: Ledger, *numbers: int) -> tuple[Revision, ...]:
    for number in numbers:
        assert ledger.record("shop", _version(number), Cause.DEPLOY)
    return ledger.read("shop")["web"]


def test_revisions_are_numbered_from_one() -> None:
    """Each with its definition, its cause and who asked for it."""
    first, second = _record(_ledger(), 1, 2)

    assert (first.number, second.number) == (1, 2)
    assert second.spec == _version(2)
    assert second.by == "ann@laptop"
    assert second.previous_outcome == "in progress"


def test_no_change_is_no_revision() -> None:
    """The same definition again records nothing."""
    ledger = _ledger()
    _record(ledger, 1)

    assert ledger.record("shop", _version(1), Cause.UPDATE) is None
    assert len(ledger.read("shop")["web"]) == 1


def test_of_many_writers_each_gets_a_number_of_its_own() -> None:
    """Eight at once: eight revisions, none lost, none twice."""
    ledger = _ledger()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: ledger.record("shop", _version(n), Cause.UPDATE), range(8)))

    assert sorted(each.number for each in made if each) == list(range(1, 9))
    assert len(ledger.read("shop")["web"]) == 8


def test_a_number_that_somebody_was_quicker_with_is_not_taken() -> None:
    """An automatic rollback is for the revision that failed, not for one asked for meanwhile."""
    ledger = _ledger()
    _record(ledger, 1, 2, 3)

    late = ledger.record("shop", _version(1), Cause.AUTO_ROLLBACK, restores=1, number=3)

    assert late is None


def test_marks_say_what_became_of_a_revision() -> None:
    """In order; the last one is where it stands."""
    ledger = _ledger()
    (revision,) = _record(ledger, 1)
    ledger.note(revision, MarkKind.PAUSED, "update paused", "failure")
    (revision,) = ledger.read("shop")["web"]
    ledger.note(revision, MarkKind.RESUMED, "")

    (revision,) = ledger.read("shop")["web"]
    assert [mark.kind for mark in revision.marks] == [MarkKind.PAUSED, MarkKind.RESUMED]
    assert revision.last_mark is MarkKind.RESUMED


def test_of_two_notes_on_the_same_state_one_counts() -> None:
    """Two controllers that see the same end write it once."""
    ledger = _ledger()
    (revision,) = _record(ledger, 1)

    assert ledger.note(revision, MarkKind.COMPLETED, "update completed")
    assert ledger.note(revision, MarkKind.PAUSED, "late") is None
    assert ledger.read("shop")["web"][0].last_mark is MarkKind.COMPLETED


def test_contents_are_kept_under_their_digest() -> None:
    """Whatever bytes they are; what is not there is said."""
    ledger = _ledger()
    ledger.put_contents("shop", {"abc": bytes(range(256)) * 50})

    assert ledger.contents("shop")("abc") == bytes(range(256)) * 50
    with pytest.raises(NotFoundError, match="deploy the file again"):
        ledger.contents("shop")("def")


def test_at_least_ten_revisions_are_kept_and_those_still_needed() -> None:
    """Older ones go, with their marks."""
    ledger = _ledger()
    _record(ledger, *range(1, 15))
    ledger.note(ledger.read("shop")["web"][0], MarkKind.COMPLETED, "")

    ledger.trim("shop", "web", frozenset({2}))

    kept = [each.number for each in ledger.read("shop")["web"]]
    assert kept == [2, *range(5, 15)]
    assert len(kept) == KEEP + 1
    assert not [r for r in ledger.store.list("shop") if r.name.startswith("rollout.shop_web.r1.")]


def test_removing_a_service_leaves_the_others() -> None:
    """And removing the stack leaves nothing."""
    ledger = _ledger()
    _record(ledger, 1)
    ledger.record("shop", replace(WEB, name="db"), Cause.DEPLOY)

    ledger.remove("shop", "web")
    assert list(ledger.read("shop")) == ["db"]

    ledger.remove("shop")
    assert ledger.store.list("shop") == ()


def test_a_removal_that_somebody_else_has_finished_takes_nothing_that_came_after() -> None:
    """A slow controller that comes back finds another stack of the same name."""
    ledger = _ledger()
    _record(ledger, 1)
    ledger.begin_removal("shop", None)

    ledger.finish_removal("shop")
    assert ledger.store.list("shop") == ()

    _record(ledger, 1)
    ledger.finish_removal("shop")
    ledger.finish_removal("shop", "web")
    assert list(ledger.read("shop")) == ["web"]


def test_stacks_whose_names_run_together_do_not_share_revisions() -> None:
    """`a` with service `b_c` and `a_b` with service `c` have the same full name: refused."""
    ledger = _ledger()
    ledger.record("a", replace(WEB, name="b_c"), Cause.DEPLOY)

    with pytest.raises(ConflictError, match="taken by another"):
        ledger.record("a_b", replace(WEB, name="c"), Cause.DEPLOY)


def _complete(ledger: Ledger, *numbers: int) -> tuple[Revision, ...]:
    """Recorded one after the other, each complete before the next one."""
    for number in numbers:
        ledger.note(_record(ledger, number)[-1], MarkKind.COMPLETED, "update completed")
    return ledger.read("shop")["web"]


def _roll_back(ledger: Ledger) -> Revision:
    """By hand, without saying where to; it has not begun yet."""
    source = previous_of(ledger.read("shop")["web"])
    made = ledger.record("shop", source.spec, Cause.ROLLBACK, restores=source.number)
    assert made is not None
    return source


def test_a_rollback_restores_the_definition_before() -> None:
    """Of a rollback it is the one that was rolled back from: twice is back and forth, also before
    the first one is complete."""
    ledger = _ledger()
    _complete(ledger, 1, 2)

    assert _roll_back(ledger).number == 1
    assert _roll_back(ledger).number == 2
    assert _roll_back(ledger).spec == _version(1)


def test_a_rollback_passes_over_what_never_was_complete() -> None:
    """Two bad releases in a row: back to the last good one, not to the first bad one."""
    ledger = _ledger()
    _complete(ledger, 1)
    ledger.note(_record(ledger, 2)[-1], MarkKind.PAUSED, "update paused")
    _record(ledger, 3)

    assert _roll_back(ledger).number == 1


@pytest.mark.parametrize("end", [MarkKind.PAUSED, MarkKind.FAILED, None])
def test_forward_to_what_never_was_complete_is_refused_with_the_choices(
    end: MarkKind | None,
) -> None:
    """Rolled back from a release that failed, or before it was through: not unasked to that."""
    ledger = _ledger()
    _complete(ledger, 1, 2)
    bad = _record(ledger, 3)[-1]
    if end is not None:
        ledger.note(bad, end, "")

    assert _roll_back(ledger).number == 2
    with pytest.raises(UsageError, match=r"revision 3, never was complete") as refused:
        previous_of(ledger.read("shop")["web"])
    ended = str(end) if end else "superseded"
    assert f"`rollout rollback shop_web --to N`: --to 1 (completed), --to 3 ({ended})" in str(
        refused.value
    )


def test_what_was_complete_under_another_number_counts() -> None:
    """Revision 3 repeats 1, which was complete; so the way back from 4 leads there."""
    ledger = _ledger()
    _complete(ledger, 1, 2)
    _record(ledger, 1, 4)

    assert _roll_back(ledger).number == 3


def test_a_rollback_of_a_rollback_that_failed_is_refused_where_nothing_was_complete() -> None:
    """A first deployment that failed, and a second try."""
    ledger = _ledger()
    ledger.note(_record(ledger, 1)[-1], MarkKind.FAILED, "web.1 exited 1")
    _record(ledger, 2)

    with pytest.raises(UsageError, match=r"revision 1, never was complete \(choose one"):
        previous_of(ledger.read("shop")["web"])


def test_a_rollback_is_refused_where_there_is_nothing_to_go_back_to() -> None:
    """With one revision only, and after an automatic rollback."""
    ledger = _ledger()
    history = _record(ledger, 1)
    with pytest.raises(UsageError, match="does not have a previous spec"):
        previous_of(history)

    history = _record(ledger, 2)
    ledger.record("shop", history[0].spec, Cause.AUTO_ROLLBACK, restores=1)
    with pytest.raises(UsageError, match="rolled back automatically to revision 1"):
        previous_of(ledger.read("shop")["web"])


def test_an_unknown_revision_is_refused_with_those_there_are() -> None:
    """`--to 9` of 1 and 2."""
    with pytest.raises(UsageError, match=r"no revision 9 \(recorded: 1, 2\)"):
        find(_record(_ledger(), 1, 2), 9)


def test_outcomes_tell_completed_superseded_and_rolled_back() -> None:
    """The newest without a mark is in progress."""
    ledger = _ledger()
    history = _record(ledger, 1)
    ledger.note(history[0], MarkKind.COMPLETED, "")
    _record(ledger, 2, 3)
    ledger.record("shop", _version(1), Cause.AUTO_ROLLBACK, restores=1)

    assert outcomes(ledger.read("shop")["web"]) == {
        1: "completed",
        2: "superseded",
        3: "rolled back",
        4: "in progress",
    }


def test_contents_that_no_revision_mounts_are_dropped_in_time() -> None:
    """Those of kept revisions stay, and those put lately: their revision may be on its way."""
    now = [0.0]
    store = MemoryStore(lambda: now[0], RLock())
    ledger = Ledger(store, lambda: now[0], by="ann@laptop")
    used, unused, fresh = "a" * 64, "b" * 64, "c" * 64
    file = FileMount(kind="config", source="settings", target="/settings", digest=used)
    ledger.put_contents("shop", {used: b"1", unused: b"2"})
    ledger.record("shop", replace(WEB, task=replace(WEB.task, files=(file,))), Cause.DEPLOY)

    ledger.trim_contents("shop")
    assert ledger.contents("shop")(unused) == b"2"
    now[0] += CONTENT_STAYS_S + 1
    ledger.put_contents("shop", {fresh: b"3"})
    ledger.trim_contents("shop")

    assert ledger.contents("shop")(used) == b"1"
    assert ledger.contents("shop")(fresh) == b"3"
    with pytest.raises(NotFoundError, match="no longer in the ledger"):
        ledger.contents("shop")(unused)
