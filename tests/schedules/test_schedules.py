"""Several controllers at once on one stack, killed, stopped and interrupted anywhere.

The controllers are the real loop with all its threads; only the engine, the clock and the order in
which threads run are simulated (`fibers.py`).  ROLLOUT_THOROUGH=1 runs thousands of schedules.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rollout.engine.simulated.faults import Behaviour, Rule
from rollout.model.spec import ServiceSpec
from tests.decide import strategies as some
from tests.schedules.house import Blow, Command, House

pytestmark = pytest.mark.timeout(1800)

schedules = settings(
    max_examples=int(os.environ["N"])
    if os.environ.get("N")
    else 2000
    if os.environ.get("ROLLOUT_THOROUGH")
    else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=False,
)


seeds = st.integers(0, 2**32)
moments = st.sampled_from([0.0, 0.0, 0.05, 0.3, 0.5, 1.0, 2.0, 5.0, 12.0, 30.0])
changes = st.one_of(
    st.builds(Command, moments, st.just("update"), st.integers(1, 4)),
    st.builds(Command, moments, st.just("scale"), st.integers(0, 7)),
    st.builds(Command, moments, st.just("faster"), st.integers(1, 4)),
    st.builds(Command, moments, st.just("rollback")),
    st.builds(Command, moments, st.just("follow")),
)
pauses = st.one_of(
    st.builds(Command, moments, st.just("pause")), st.builds(Command, moments, st.just("resume"))
)
kills = st.builds(
    Blow,
    st.integers(0, 2),
    st.integers(0, 200),
    st.sampled_from(["kill", "kill, known to be dead"]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)
stops = st.builds(
    Blow,
    st.integers(0, 2),
    st.integers(0, 200),
    st.just("stop"),
    st.sampled_from([1.0, 9.5, 11.0, 60.0]),
    st.booleans(),
)
interrupts = st.builds(Blow, st.integers(0, 2), st.integers(0, 200), st.just("interrupt"))


@st.composite
def commands(draw: st.DrawFn, more: st.SearchStrategy[Command] = changes) -> tuple[Command, ...]:
    """An update, and one or two commands more."""
    first = Command(0.0, "update", 2)
    return (first, *draw(st.lists(more, min_size=1, max_size=2)))


def _patient(service: ServiceSpec) -> ServiceSpec:
    return replace(service, progress_deadline_s=600.0)


def _nothing_is_lost(house: House) -> None:
    numbers = [revision.number for revision in house.revisions]
    assert numbers == list(range(1, len(numbers) + 1)), house.story()
    kept = {revision.number: revision for revision in house.revisions}
    for revision in house.recorded:
        assert replace(kept[revision.number], marks=()) == revision, house.story()
    for revision in house.revisions:
        marks = [mark.number for mark in revision.marks]
        assert marks == list(range(1, len(marks) + 1)), house.story()


def _all_is_as_asked(house: House) -> None:
    slots = [task.slot for task in house.up]
    assert len(slots) == len(set(slots)) == house.newest.spec.slots, house.story()
    assert all(task.running for task in house.up), house.story()
    assert {task.digest for task in house.up} <= {house.newest.digest}, house.story()
    assert not [task for task in house.tasks if task.prepared], house.story()
    assert house.newest.last_mark == "completed", house.story()


def _enough_was_running(house: House) -> None:
    specs = [revision.spec for revision in house.revisions]
    allowed = max(
        cadence.parallelism or spec.slots
        for spec in specs
        for cadence in (spec.update, spec.rollback)
    )
    assert house.fewest >= min(spec.slots for spec in specs) - allowed, house.story()


@schedules
@given(seeds, some.services(), some.good, commands())
def test_several_commands_at_once(
    seed: int, service: ServiceSpec, behaviour: Behaviour, asked: tuple[Command, ...]
) -> None:
    """One drives, the others follow or take over; all end, and what was asked for last is there."""
    house = House(_patient(service), seed=seed, usual=behaviour)

    house.run(asked)

    assert all(process.result is not None for process in house.processes), house.story()
    _nothing_is_lost(house)
    _all_is_as_asked(house)
    assert not house.twice, house.story()
    assert not house.came_back, house.story()
    _enough_was_running(house)
    house.one_more()


@schedules
@given(seeds, some.services(), some.good, commands(), st.lists(kills, min_size=1, max_size=3))
def test_killed_anywhere(
    seed: int,
    service: ServiceSpec,
    behaviour: Behaviour,
    asked: tuple[Command, ...],
    blows: list[Blow],
) -> None:
    """What was on its way to the engine arrives, or not; whoever is left, or comes, goes on."""
    house = House(_patient(service), seed=seed, usual=behaviour)

    house.run(asked, tuple(blows))
    house.one_more()
    house.one_more()

    _nothing_is_lost(house)
    _all_is_as_asked(house)


@schedules
@given(seeds, some.services(), some.good, commands(), st.lists(stops, min_size=1, max_size=3))
def test_stopped_anywhere_and_late(
    seed: int,
    service: ServiceSpec,
    behaviour: Behaviour,
    asked: tuple[Command, ...],
    blows: list[Blow],
) -> None:
    """SIGSTOP or a laptop's lid: another takes over after ten seconds, the late one does no
    harm."""
    house = House(_patient(service), seed=seed, usual=behaviour)

    house.run(asked, tuple(blows))

    _nothing_is_lost(house)
    _all_is_as_asked(house)
    assert not house.twice, house.story()
    assert not house.came_back, house.story()
    house.one_more()


@schedules
@given(
    seeds,
    some.services(),
    st.lists(some.rules, max_size=3),
    commands(st.one_of(changes, pauses)),
    st.lists(st.one_of(kills, stops, interrupts), max_size=3),
)
def test_whatever_goes_wrong_ends_in_a_definite_state(
    seed: int,
    service: ServiceSpec,
    rules: list[Rule],
    asked: tuple[Command, ...],
    blows: list[Blow],
) -> None:
    """Tasks that fail, controllers that die, pause and resume."""
    house = House(service, seed=seed, rules=tuple(rules))

    house.run(asked, tuple(blows))
    house.one_more()

    _nothing_is_lost(house)
    assert house.newest.last_mark in ("completed", "paused", "failed"), house.story()
    slots = [task.slot for task in house.up]
    assert len(slots) == len(set(slots)), house.story()
    known = {revision.digest for revision in house.revisions}
    assert {task.digest for task in house.up} <= known, house.story()
