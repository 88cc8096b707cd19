"""One of three commands is killed or stopped at every step of its life, one after the other.

Without ROLLOUT_THOROUGH=1 only some of the steps.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from rollout.engine.simulated.faults import Behaviour
from rollout.model.spec import Order, RestartCondition, RestartPolicy, UpdateConfig
from tests.scenarios.world import HEALTHCHECK, spec
from tests.schedules.house import Blow, Command, House

EVERY = 1 if os.environ.get("ROLLOUT_THOROUGH") else 9
pytestmark = pytest.mark.timeout(900)

NEVER = RestartPolicy(condition=RestartCondition.NONE)
ASKED = (
    Command(0.0, "update", 2),
    Command(0.8, "update", 3),
    Command(2.0, "scale", 3),
)


def house() -> House:
    return House(
        spec(2, restart=NEVER, update=UpdateConfig(monitor_s=1)),
        seed=7,
        usual=Behaviour(stop_s=0.5),
    )


def schedules(blow: Blow, asked: tuple[Command, ...] = ASKED) -> Iterator[House]:
    """Struck at its first step, at its second, and so on, until it ends by itself."""
    undisturbed = house()
    undisturbed.run(asked)
    for step in range(0, undisturbed.scheduler.steps, EVERY):
        struck = house()
        struck.run(asked, (replace(blow, steps=step),))
        yield struck


def is_as_asked(house: House) -> None:
    assert sorted((task.slot, task.image) for task in house.up) == [
        (1, "v3"),
        (2, "v3"),
        (3, "v3"),
    ], house.story()
    assert [revision.number for revision in house.revisions] == [1, 2, 3, 4], house.story()
    assert house.newest.last_mark == "completed", house.story()


@pytest.mark.parametrize("what", ["kill", "kill, known to be dead"])
def test_killed_at_every_step(what: str) -> None:
    """Before it has recorded its revision there is nothing of it; from then on nothing is lost."""
    for each in schedules(Blow(0, 0, what, 0.5)):
        each.one_more()
        images = {task.image for task in each.up}
        assert images == {"v3"}, each.story()
        assert sorted(task.slot for task in each.up) == [1, 2, 3], each.story()
        assert each.newest.last_mark == "completed", each.story()


def test_stopped_at_every_step_for_a_minute() -> None:
    """Another takes over after ten seconds; what the late one had decided on is not done."""
    for each in schedules(Blow(0, 0, "stop", 60.0)):
        if each.recorded[-1].spec.task.image == "v3":
            is_as_asked(each)
        else:  # It had not recorded anything yet: so it is the last that was asked for.
            assert {task.image for task in each.up} == {"v2"}, each.story()
        assert not each.twice, each.story()
        assert not each.came_back, each.story()


def test_what_was_decided_on_is_not_done_a_minute_later() -> None:
    """Another has done it, and then something else was asked for: v2 does not come back."""
    asked = (Command(0.0, "update", 2), Command(0.4, "follow"), Command(30.0, "update", 3))
    for each in schedules(Blow(0, 0, "stop", 60.0, about_to_act=True), asked):
        assert not each.twice, each.story()
        assert not each.came_back, each.story()


def test_interrupted_at_every_step() -> None:
    """The others go on, and see the same end."""
    for each in schedules(Blow(0, 0, "interrupt")):
        is_as_asked(each)


def test_a_rollback_to_what_is_being_stopped_starts_it_again() -> None:
    """v1 was being stopped for v2 when v1 was asked for again; its restart policy says never."""
    caught = House(spec(1, restart=NEVER), seed=1, usual=Behaviour(stop_s=5.0))

    caught.run((Command(0.0, "update", 2), Command(2.0, "rollback")))

    assert [task.image for task in caught.up] == ["v1"], caught.story()
    assert caught.newest.last_mark == "completed", caught.story()


@pytest.mark.parametrize("seed", range(3, 9))
def test_scaled_away_and_back_at_once(seed: int) -> None:
    """Both tasks of a start-first slot are being stopped by then: the update waits for that, and
    fills the slot, rather than be paused."""
    cadence = UpdateConfig(order=Order.START_FIRST)
    service = spec(1, healthcheck=HEALTHCHECK, progress_deadline_s=600.0, update=cadence)
    slow = Behaviour(start_s=1.0, ignores_term=True)
    caught = House(service, seed=seed, usual=slow)

    caught.run((Command(0.0, "update", 2), Command(2.0, "scale", 0), Command(2.0, "scale", 1)))

    # Asked for in the same moment, one or the other is recorded last.
    wanted = [(1, "v2")] * caught.newest.spec.slots
    assert [(task.slot, task.image) for task in caught.up] == wanted, caught.story()
    assert caught.newest.last_mark == "completed", caught.story()
