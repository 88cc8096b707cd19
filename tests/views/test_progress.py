"""Progress off a terminal is one line a change; in one, a picture of every slot."""

from __future__ import annotations

import io
import json

from rollout.model.event import Event, EventKind, Progress
from rollout.model.state import TaskState, UpdateState
from rollout.model.status import Failure, ServiceStatus
from rollout.views.progress.lines import Lines
from rollout.views.progress.plain import Plain
from rollout.views.progress.slots import MOST_SLOTS, panel
from rollout.views.progress.terminal import Terminal, ranges, screen
from rollout.views.waiting import sentence_of, wait_of
from tests.support.shown import NOW, revision, slot, status, task


def _event(text: str, kind: EventKind = EventKind.TASK, *, at: float = NOW, slot: int = 0) -> Event:
    return Event(at=at, kind=kind, stack="st", service="web", revision=2, slot=slot, text=text)


def _updating(**fields: object) -> ServiceStatus:
    return status(
        **{
            "revision": revision(2),
            "state": UpdateState.UPDATING,
            "message": "update in progress",
            "outcome": None,
            **fields,
        }
    )


def _progress(
    *events: Event, at: float = NOW, services: tuple[ServiceStatus, ...] = ()
) -> Progress:
    return Progress(at=at, stack="st", services=services or (_updating(),), events=events)


def test_plain_progress_has_one_line_a_change_with_its_time() -> None:
    out = io.StringIO()
    plain = Plain(out)

    plain(_progress(_event("revision 2: update, bb:v2", EventKind.REVISION)))
    plain(_progress(_event("web.1 starting (revision 2)", at=NOW + 1.25, slot=1)))
    plain(_progress(at=NOW + 2))
    plain(_progress(_event("next batch in 10.0s", EventKind.WAIT, at=NOW + 3)))

    assert out.getvalue().splitlines() == [
        "[   0.0s] st_web: revision 2: update, bb:v2",
        "[   1.2s] st_web.1 starting (revision 2)",
        "[   3.0s] st_web: next batch in 10.0s",
    ]


def test_plain_progress_does_not_repeat_what_is_tried_again() -> None:
    """A pull that fails ten times for the same reason is said once."""
    out = io.StringIO()
    plain = Plain(out)

    for second in range(10):
        plain(_progress(_event("prepare web.1: no such image", EventKind.RETRY, at=NOW + second)))

    assert len(out.getvalue().splitlines()) == 1


def test_plain_progress_leaves_out_what_was_at_rest_before() -> None:
    out = io.StringIO()

    Plain(out)(_progress(_event("update completed", EventKind.UPDATE), services=(status(),)))

    assert out.getvalue() == ""


def test_plain_progress_is_safe_to_print() -> None:
    out = io.StringIO()

    Plain(out)(_progress(_event("web.1 failed: \x1b]0;x\x07", slot=1)))

    assert "\x1b" not in out.getvalue()


def test_plain_progress_says_what_it_waits_for_where_nothing_changes() -> None:
    """After ten seconds for the first time, then once a minute: nobody takes it for hung."""
    out = io.StringIO()
    plain = Plain(out)
    stuck = _updating(batch=(1,), waiting_for="web.1 to stop", until=NOW + 90)

    plain(_progress(_event("batch: slots 1", EventKind.BATCH), services=(stuck,)))
    for second in range(5, 90, 5):
        plain(_progress(at=NOW + second, services=(stuck,)))

    assert out.getvalue().splitlines() == [
        "[   0.0s] st_web: batch: slots 1",
        "[  10.0s] st_web: batch 1: waiting for web.1 to stop, 1m20s left",
        "[  70.0s] st_web: batch 1: waiting for web.1 to stop, 20s left",
    ]


def test_plain_progress_says_a_delay_again_only_after_a_minute() -> None:
    """Its begin was said."""
    out = io.StringIO()
    plain = Plain(out)
    waiting = _updating(batch=(), waiting_for="delay", until=NOW + 100)

    plain(_progress(_event("next batch in 100.0s", EventKind.WAIT), services=(waiting,)))
    for second in range(5, 100, 5):
        plain(_progress(at=NOW + second, services=(waiting,)))

    assert out.getvalue().splitlines() == [
        "[   0.0s] st_web: next batch in 100.0s",
        "[  60.0s] st_web: done, next batch after the delay, 40s left",
    ]


def test_json_progress_is_one_object_a_line() -> None:
    out = io.StringIO()

    Lines(out)(
        _progress(
            _event("web.1 running (revision 2)", slot=1), _event("batch: slots 2", EventKind.BATCH)
        )
    )

    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert {"ts", "stack", "service", "revision", "event"} <= first.keys()
    assert (first["event"], first["slot"]) == ("task", 1)
    assert (second["event"], second["message"]) == ("batch", "batch: slots 2")


class _Gone(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_went_away_does_not_end_an_update() -> None:
    """`rollout deploy | head` goes on to the end."""
    plain, lines = Plain(_Gone()), Lines(_Gone())

    plain(_progress(_event("one"), _event("two")))
    lines(_progress(_event("one"), _event("two")))


def test_a_slot_has_a_bar_as_far_as_it_is_and_what_it_waits_for() -> None:
    shown = panel(
        _updating(
            slots=(
                slot(1, revision=2),
                slot(
                    2,
                    state=TaskState.STARTING,
                    updated=False,
                    revision=2,
                    note="health: starting",
                    until=NOW + 42,
                ),
            ),
            batch=(2,),
            waiting_for="web.2 to become healthy",
            until=NOW + 42,
        ),
        NOW,
    )

    done, starting = shown.slots
    assert (done.label, done.state, done.done, done.mood) == ("1/2", "running", 1.0, "good")
    assert starting.mood == "busy"
    assert 0 < starting.done < 1
    assert starting.note == "health: starting, 42s left"
    assert shown.waiting == "batch 2: waiting for web.2 to become healthy, 42s left"
    assert shown.overall.state == "1 out of 2 tasks"


def test_many_slots_collapse_to_those_that_matter() -> None:
    """The batch and the failed ones have lines, the others are counted."""
    slots = tuple(slot(number, updated=number < 50) for number in range(1, 101))
    failed = Failure(slot=90, task_id="x", reason="exited 1", at=NOW)

    shown = panel(_updating(slots=slots, batch=(50, 51), failures=(failed,)), NOW)

    assert [bar.label for bar in shown.slots] == ["50/100", "51/100", "90/100"]
    assert shown.rest == "97 more: 48 running, 49 running (updated)"
    assert len(shown.slots) <= MOST_SLOTS


def test_a_bar_is_about_the_new_task() -> None:
    """An old one that still serves is not nearly done."""
    old = slot(1, updated=False, fresh=False, revision=1)
    leaving = slot(2, updated=False, fresh=False, revision=1, stopping=task(2, stop_grace_s=10.0))

    first, second = panel(_updating(slots=(old, leaving), batch=(2,)), NOW).slots

    assert (first.state, first.done, first.note) == ("running", 0.0, "revision 1")
    assert (second.done, second.note) == (0.0, "revision 1, stopping (grace 10s)")


def test_what_docker_brings_back_is_not_shown_as_running() -> None:
    crashing = slot(1, note="restarted 12 times by Docker, last exit 3")
    shown = panel(status(slots=(crashing, slot(2)), restarting=(1,)), NOW)

    bad, good = shown.slots
    assert (bad.state, bad.mood, bad.note) == ("restarting", "bad", crashing.note)
    assert bad.done < 1.0
    assert good.mood == "good"
    assert shown.overall.state == "1 out of 2 tasks, 1 restarting"
    assert shown.mood == "bad"


def test_what_is_waited_for_is_a_sentence() -> None:
    stuck = _updating(
        batch=(1,),
        waiting_for="web.1 to become healthy",
        because="last probe: connection refused",
        until=NOW + 250,
        then="fails",
    )

    sentence = (
        "waiting for web.1 to become healthy (last probe: connection refused), fails in 4m10s"
    )
    assert sentence_of(stuck, NOW) == sentence
    assert wait_of(stuck, NOW) == f"batch 1: {sentence}"
    assert sentence_of(stuck, None) == sentence.removesuffix(", fails in 4m10s")
    assert sentence_of(status(), NOW) == ""


def _painted(updating: ServiceStatus, columns: int, rows: int) -> list[str]:
    lines = screen(_progress(services=(updating,)), NOW, columns, rows)
    assert all(line.cell_len <= columns for line in lines)
    assert len(lines) <= rows
    return [line.plain for line in lines]


def test_fifty_slots_use_the_screen() -> None:
    """Those in flight have a bar, every other one a place of its own."""
    slots = tuple(
        slot(number, updated=number < 10, fresh=number < 12, revision=1) for number in range(1, 51)
    )
    lines = _painted(_updating(slots=slots, batch=(10, 11), in_flux=(10, 11)), 80, 24)

    assert [line.partition(":")[0] for line in lines[2:4]] == ["10/50", "11/50"]
    places = " ".join(lines[4:]).split()
    assert places == [
        word
        for number in (*range(1, 10), *range(12, 51))
        for word in (str(number), "running" if number < 12 else "old")
    ]


def test_hundreds_of_slots_are_told_by_number() -> None:
    slots = tuple(
        slot(number, updated=number < 100, fresh=number < 100, revision=1)
        for number in range(1, 201)
    )
    shown = _updating(slots=slots, batch=(100,), in_flux=(100,), restarting=(7,))

    lines = _painted(shown, 80, 24)

    assert [line.partition(":")[0].strip() for line in lines[2:4]] == ["7/200", "100/200"]
    assert lines[4:] == ["98 running: 1-6, 8-99", "100 old: 101-200"]
    assert _painted(shown, 80, 6)[-1].startswith("1")


def test_all_slots_in_one_batch_fit_too() -> None:
    slots = tuple(
        slot(number, state=TaskState.STARTING, updated=False, revision=2) for number in range(1, 51)
    )
    every = tuple(range(1, 51))

    lines = _painted(_updating(slots=slots, batch=every, in_flux=every), 80, 24)

    assert " ".join(lines).count("starting") == 50


def test_ranges() -> None:
    assert ranges([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9"
    assert ranges([]) == ""


def test_the_end_of_a_long_sentence_is_on_a_line_of_its_own() -> None:
    """How long still is what one wants to know."""
    stuck = _updating(
        waiting_for="web.1 to become healthy", because="x " * 200, until=NOW + 250, then="fails"
    )

    assert _painted(stuck, 80, 24)[-1].endswith("fails in 4m10s")


def test_a_notice_is_part_of_the_picture() -> None:
    """What is written beside it would be painted over."""
    out = io.StringIO()
    terminal = Terminal(out)
    assert not terminal.notice("nobody looks yet")
    terminal(_progress(at=NOW))

    assert terminal.notice("finishing, for 20s at most; once more leaves at once")
    terminal.close()

    assert "for 20s at most\nonce more leaves at once" in out.getvalue()


def test_the_picture_fits_any_terminal() -> None:
    """Narrow, and lower than there are slots: cut, never wrapped."""
    slots = tuple(slot(number) for number in range(1, 16))
    progress = _progress(services=(_updating(slots=slots), status()))

    for columns, rows in ((20, 10), (40, 24), (200, 50)):
        lines = screen(progress, NOW, columns, rows)
        assert all(line.cell_len <= columns for line in lines)
        assert len(lines) <= rows


def test_a_terminal_shows_slots_and_leaves_the_last_picture() -> None:
    out = io.StringIO()
    terminal = Terminal(out)

    terminal(_progress(at=NOW))
    terminal.close()
    terminal.close()

    assert "1/2: running" in out.getvalue()
    assert "revision 2" in out.getvalue()
