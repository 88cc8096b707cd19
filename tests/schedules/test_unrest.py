"""After anything, one deploy of a good file brings everything up, and one removal leaves nothing.

Two to five commands that may contradict each other, tasks treated by hand, processes killed or
interrupted anywhere, none to two controllers that stay.  ROLLOUT_THOROUGH=1 runs thousands of
rounds.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollout.engine.simulated.faults import Behaviour, Rule
from tests.decide import strategies as some
from tests.schedules.test_schedules import moments, schedules, seeds
from tests.schedules.unrest import STACK, Event, File, Unrest

pytestmark = pytest.mark.timeout(1800)

picks = st.integers(0, 11)
commands = st.one_of(
    st.builds(Event, moments, st.just("deploy"), picks, st.integers(1, 4)),
    st.builds(Event, moments, st.just("update"), picks, st.integers(1, 4)),
    st.builds(Event, moments, st.just("scale"), picks, st.integers(0, 5)),
    st.builds(
        Event,
        moments,
        st.sampled_from(["rollback", "pause", "resume", "rm", "unlock", "status --wait"]),
        picks,
    ),
)
hands = st.builds(
    Event,
    moments,
    st.sampled_from(
        [
            "docker kill",
            "docker rm",
            "docker stop",
            "docker restart",
            "docker pause",
            "turns unhealthy",
            "kill",
            "interrupt",
        ]
    ),
    picks,
)


@st.composite
def files(draw: st.DrawFn) -> File:
    """`web` needs `db`, in one of the ways in which it can."""
    db, web = (
        replace(draw(some.services()), name=name, progress_deadline_s=600.0)
        for name in ("db", "web")
    )
    condition = draw(st.sampled_from(["service_started", "service_healthy"]))
    return {"db": db, "web": replace(web, depends_on={"db": condition})}


@schedules
@given(
    seeds,
    files(),
    some.good,
    st.lists(some.rules, max_size=2),
    st.lists(commands, min_size=1, max_size=4),
    st.lists(hands, max_size=4),
    st.integers(0, 2),
    st.sampled_from([1, 4, 9]),
)
def test_one_deploy_brings_everything_up_and_one_removal_leaves_nothing(
    seed: int,
    file: File,
    usual: Behaviour,
    rules: list[Rule],
    asked: list[Event],
    done: list[Event],
    controllers: int,
    image: int,
) -> None:
    unrest = Unrest(file, seed=seed, usual=usual, rules=tuple(rules))

    unrest.run((*asked, *done), controllers)
    code = unrest.deploy(f"v{image}")

    assert code == 0, f"exit code {code}\n{unrest.story()}"
    for name, spec in file.items():
        up = unrest.up(name)
        assert len({task.slot for task in up}) == len(up) == spec.slots, unrest.story()
        assert all(task.running for task in up), unrest.story()
        assert {task.image for task in up} <= {f"v{image}"}, unrest.story()
    unrest.remove()
    assert not unrest.tasks, unrest.story()
    unrest.controllers_end()
    assert not unrest.tasks, unrest.story()
    assert not unrest.engine.store.list(STACK), unrest.story()
