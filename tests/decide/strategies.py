"""Random fleets, cadences, faults and interleavings, as data that a failing example can be read
from."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import Struct

from rollout.engine.simulated.faults import FOR_EVER, Behaviour, Rule
from rollout.model.spec import (
    FailureAction,
    Order,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    UpdateConfig,
)
from tests.scenarios.world import HEALTHCHECK, World, spec

tenths = st.integers(0, 60).map(lambda n: n / 10)
moments = st.integers(0, 400).map(lambda n: n / 10)


class Interruption(Struct, frozen=True):
    """Something that happens that many seconds after the update was asked for."""

    at: float
    what: str
    argument: int = 0

    def happen(self, world: World) -> None:
        match self.what:
            case "update":
                world.update(image=f"v{self.argument}")
            case "scale":
                world.scale(self.argument)
            case "faster":
                world.cadence(delay_s=0.0, parallelism=self.argument)
            case "rollback" if len(world.revisions) > 1:
                world.rollback()
            case "pause" if not world.revision.marks:
                world.pause()
            case "resume" if world.revision.last_mark == "paused":
                world.resume()
            case "crash":
                world.crash(self.argument)
            case "sicken":
                world.sicken(self.argument)
            case "remove":
                world.remove_by_hand(self.argument)
            case "controller dies":
                world.controller_dies()


def cadences(**fixed: st.SearchStrategy[object]) -> st.SearchStrategy[UpdateConfig]:
    given = {
        "parallelism": st.integers(0, 4),
        "delay_s": st.sampled_from([0.0, 0.5, 2.0, 10.0]),
        "failure_action": st.sampled_from(FailureAction),
        "monitor_s": st.sampled_from([0.0, 1.0, 3.0]),
        "max_failure_ratio": st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        "order": st.sampled_from(Order),
    }
    return st.builds(UpdateConfig, **{**given, **fixed})


rollbacks = cadences(failure_action=st.sampled_from([FailureAction.PAUSE, FailureAction.CONTINUE]))

restarts = st.builds(
    RestartPolicy,
    condition=st.sampled_from(RestartCondition),
    delay_s=st.sampled_from([0.0, 1.0, 5.0]),
    max_attempts=st.integers(0, 3),
    window_s=st.sampled_from([0.0, 20.0]),
)

endless = st.builds(RestartPolicy, delay_s=st.sampled_from([0.0, 1.0, 5.0]))

good = st.builds(
    Behaviour,
    prepare_s=st.sampled_from([0.0, 0.1, 3.0]),
    start_s=st.sampled_from([0.0, 0.2, 1.0]),
    healthy_after_s=st.sampled_from([0.0, 1.0, 7.0]),
    stop_s=st.sampled_from([0.0, 0.1, 4.0]),
    ignores_term=st.booleans(),
)

bad = st.one_of(
    st.builds(
        Behaviour,
        exits_after_s=st.sampled_from([0.0, 0.5, 2.0, 4.0, 20.0]),
        exit_code=st.integers(0, 3),
        oom_killed=st.booleans(),
    ),
    st.builds(Behaviour, unhealthy_after_s=st.sampled_from([0.5, 2.0, 20.0])),
    st.just(Behaviour(healthy_after_s=None)),
    st.builds(Behaviour, prepare_failures=st.sampled_from([1, 3, FOR_EVER])),
    st.just(Behaviour(prepare_failures=FOR_EVER, prepare_is_final=True)),
    st.just(Behaviour(start_error="port is already allocated")),
)


@st.composite
def services(
    draw: st.DrawFn, *, restart: st.SearchStrategy[RestartPolicy] = restarts
) -> ServiceSpec:
    return spec(
        replicas=draw(st.integers(1, 6)),
        healthcheck=draw(st.sampled_from([None, HEALTHCHECK])),
        restart=draw(restart),
        update=draw(cadences()),
        rollback=draw(rollbacks),
        progress_deadline_s=draw(st.sampled_from([5.0, 30.0])),
    )


rules = st.builds(
    Rule,
    behaviour=st.one_of(good, bad),
    image=st.sampled_from(["v2", "v2", "v3"]),
    slot=st.integers(0, 6),
    generation=st.integers(0, 2),
)

disturbances = st.one_of(
    st.builds(Interruption, moments, st.just("crash"), st.integers(1, 6)),
    st.builds(Interruption, moments, st.just("sicken"), st.integers(1, 6)),
    st.builds(Interruption, moments, st.just("remove"), st.integers(1, 6)),
    st.builds(Interruption, moments, st.just("controller dies")),
)

requests = st.one_of(
    st.builds(Interruption, moments, st.just("update"), st.integers(1, 4)),
    st.builds(Interruption, moments, st.just("scale"), st.integers(0, 7)),
    st.builds(Interruption, moments, st.just("faster"), st.integers(0, 4)),
    st.builds(Interruption, moments, st.just("rollback")),
    st.builds(Interruption, moments, st.just("pause")),
    st.builds(Interruption, moments, st.just("resume")),
)
