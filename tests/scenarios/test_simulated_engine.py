"""The simulated engine keeps the protocol, and the real controller runs on it."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from msgspec.structs import replace

from rollout.controller.drive import drive
from rollout.controller.session import Session
from rollout.engine.protocol import Engine, Image
from rollout.engine.simulated.clock import VirtualClock, VirtualFlag
from rollout.engine.simulated.engine import Happened, SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Rule
from rollout.errors import ConflictError, EngineError, NotFoundError
from rollout.ledger.ledger import Ledger
from rollout.model.action import Arm, Prepare, Remove, Start, Stop
from rollout.model.revision import Revision
from rollout.model.spec import FileMount, RestartCondition, RestartPolicy
from rollout.model.state import Cause, ContainerStatus, Health
from rollout.model.task import Task
from tests.decide import given
from tests.scenarios.world import HEALTHCHECK, World, spec


class Bench:
    """An engine and what has become of the actions asked of it."""

    def __init__(self, **usual: object) -> None:
        self.happened: list[Happened] = []
        self.engine = SimulatedEngine(VirtualClock(1000.0), witness=self.happened.append)
        self.engine.faults.usual = Behaviour(**usual)  # type: ignore[arg-type]
        self.errors: list[str] = []

    def do(self, action: Prepare | Start | Stop | Remove | Arm, within_s: float = 60.0) -> None:
        ended: list[EngineError | None] = []
        self.engine.begin(action, ended.append)
        limit = self.engine.now() + within_s
        while not ended:
            due = self.engine.clock.next_at
            assert due is not None
            assert due <= limit
            self.engine.clock.advance_to(due)
        if ended[0] is not None:
            raise ended[0]

    def task(self, made_for: Revision, *, start: bool = True) -> Task:
        self.do(Prepare(revision=made_for, slot=1, cause="test", start=start))
        return self.tasks[-1]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.engine.observe("st")

    def arm(self, condition: RestartCondition, **fields: int) -> None:
        policy = RestartPolicy(condition=condition, **fields)
        self.do(Arm(task=self.tasks[0], policy=policy, cause="test"))


def test_it_keeps_the_protocol() -> None:
    """Also for the type checker; and what it has no use for is harmless."""
    engine: Engine = SimulatedEngine()

    assert engine.resolve("v1") == Image(reference="v1")
    assert engine.check(spec(1), "st") == ()
    assert list(engine.logs(())) == []
    assert engine.holds("v1")
    engine.ensure(spec(1), "st")
    engine.clear("st")
    engine.close()


def test_one_life() -> None:
    """Ready, running, stopped, gone; and safe to repeat at each step."""
    bench = Bench()
    task = bench.task(given.revision(1), start=False)
    assert (task.status, task.prepared) == (ContainerStatus.CREATED, True)

    bench.do(Start(task=task, cause="test"))
    bench.do(Start(task=task, cause="again"))
    assert bench.tasks[0].running
    with pytest.raises(ConflictError):
        bench.do(Remove(task=task, cause="too early"))

    bench.do(Stop(task=task, cause="test"))
    bench.do(Stop(task=task, cause="again"))
    assert (bench.tasks[0].status, bench.tasks[0].exit_code) == (ContainerStatus.EXITED, 143)

    bench.do(Remove(task=task, cause="test"))
    bench.do(Remove(task=task, cause="again"))
    bench.do(Stop(task=task, cause="gone"))
    assert bench.tasks == ()
    for action in (Start(task=task, cause="gone"), Arm(task=task, policy=ANY, cause="gone")):
        with pytest.raises(NotFoundError):
            bench.do(action)
    assert [each.what for each in bench.happened] == ["create", "start", "kill", "die", "destroy"]


def test_to_prepare_is_safe_to_repeat() -> None:
    """Asked for twice at the same time, as two controllers may: one container."""
    bench = Bench()
    action = Prepare(revision=given.revision(1), slot=1, cause="test")

    bench.engine.begin(action, lambda _: None)
    bench.do(action)

    assert len(bench.tasks) == 1


def test_a_name_that_is_taken_by_a_dead_one_leads_to_another() -> None:
    """The second of two controllers comes when the first one's task has ended already."""
    bench = Bench(exits_after_s=0.5)
    slow = Prepare(revision=given.revision(1), slot=1, cause="test", start=True)
    bench.engine.faults.add(Rule(behaviour=Behaviour(prepare_s=5.0)))
    bench.engine.begin(slow, lambda _: None)
    bench.engine.faults.clear()
    bench.task(given.revision(1))
    bench.engine.clock.advance(10.0)

    assert len(bench.tasks) == 2


def test_faults_are_for_those_they_fit() -> None:
    """Image, environment, slot and generation; the last rule given counts."""
    engine = SimulatedEngine()
    odd, other = Behaviour(exit_code=9), Behaviour(exit_code=8)
    engine.faults.add(Rule(behaviour=odd, image="v1", environment={"A": "b"}, slot=2))
    engine.faults.add(Rule(behaviour=other, image="v1", generation=2))
    with_env = given.revision(1, environment={"A": "b", "C": "d"})

    assert engine.faults.behaviour(with_env, 2, 1) == odd
    assert engine.faults.behaviour(with_env, 2, 2) == other
    assert engine.faults.behaviour(with_env, 1, 1) == engine.faults.usual
    assert engine.faults.behaviour(given.revision(1), 2, 1) == engine.faults.usual
    engine.faults.clear()
    assert engine.faults.behaviour(with_env, 2, 1) == engine.faults.usual


def test_health() -> None:
    """Starting, healthy, unhealthy; and a dead one is not healthy."""
    bench = Bench(healthy_after_s=2.0, unhealthy_after_s=5.0)
    task = bench.task(given.revision(1, healthcheck=HEALTHCHECK))
    assert (task.health, task.running_since) == (Health.STARTING, None)

    bench.engine.clock.advance(2.0)
    assert bench.tasks[0].running
    bench.engine.clock.advance(3.0)
    assert (bench.tasks[0].health, bench.tasks[0].error) == (Health.UNHEALTHY, "probe failed")
    bench.do(Stop(task=task, cause="test"))
    assert bench.tasks[0].health is Health.UNHEALTHY
    assert bench.tasks[0].unhealthy_since == bench.tasks[0].running_since + 3.0  # type: ignore[operator]


def test_a_task_that_ignores_term_is_killed_after_its_grace() -> None:
    bench = Bench(ignores_term=True)
    task = bench.task(given.revision(1, stop_grace_s=7.0))
    asked_at = bench.engine.now()

    bench.do(Stop(task=task, cause="test"))

    assert (bench.engine.now() - asked_at, bench.tasks[0].exit_code) == (7.0, 137)


def test_docker_restarts_what_it_was_handed() -> None:
    """After 0.1, 0.2, 0.4 s …"""
    bench = Bench(exits_after_s=1.0)
    bench.task(given.revision(1))
    bench.arm(RestartCondition.ANY)
    bench.engine.clock.advance(5.0)

    starts = [each.at for each in bench.happened if each.what == "start"]
    assert [round(b - a - 1.0, 3) for a, b in pairwise(starts)] == [0.1, 0.2, 0.4]
    assert (bench.tasks[0].restarts, bench.tasks[0].status) == (4, ContainerStatus.RESTARTING)


def test_a_good_run_is_restarted_at_once() -> None:
    bench = Bench()
    task = bench.task(given.revision(1))
    bench.arm(RestartCondition.ANY)
    for _ in range(3):
        bench.engine.clock.advance(20.0)
        bench.engine.crash(task)
        bench.engine.crash(task)

    bench.engine.clock.advance(0.1)
    assert bench.tasks[0].running


def test_docker_restarts_on_failure_as_often_as_it_may() -> None:
    bench = Bench(exits_after_s=1.0)
    bench.task(given.revision(1))
    bench.arm(RestartCondition.ON_FAILURE, max_attempts=2)
    bench.engine.clock.advance(60.0)
    assert (bench.tasks[0].restarts, bench.tasks[0].status) == (2, ContainerStatus.EXITED)

    well = Bench(exits_after_s=1.0, exit_code=0)
    well.task(given.revision(1))
    well.arm(RestartCondition.ON_FAILURE)
    well.engine.clock.advance(60.0)
    assert (well.tasks[0].restarts, well.tasks[0].exit_code) == (0, 0)


def test_what_was_stopped_is_not_brought_back() -> None:
    """Neither while it runs nor between two restarts; `on-failure` is taken away, too."""
    bench = Bench()
    task = bench.task(given.revision(1))
    bench.arm(RestartCondition.ON_FAILURE)
    bench.do(Stop(task=task, cause="test"))
    bench.engine.clock.advance(60.0)
    assert (bench.tasks[0].alive, bench.tasks[0].armed) == (False, False)

    looping = Bench(exits_after_s=1.0)
    task = looping.task(given.revision(1))
    looping.arm(RestartCondition.ANY)
    looping.engine.clock.advance(1.0)
    assert str(looping.tasks[0].status) == "restarting"
    looping.do(Stop(task=task, cause="test"))
    assert str(looping.tasks[0].status) == "exited"
    looping.engine.clock.advance(60.0)
    assert not looping.tasks[0].alive


def test_a_task_that_died_while_it_was_being_stopped() -> None:
    """The stop has nothing left to do."""
    bench = Bench(stop_s=5.0)
    task = bench.task(given.revision(1))
    bench.engine.begin(Stop(task=task, cause="test"), lambda _: None)
    bench.engine.crash(task, 9, oom_killed=True)
    bench.engine.clock.advance(10.0)

    assert (bench.tasks[0].exit_code, bench.tasks[0].oom_killed) == (9, True)


def test_what_cannot_be_started_says_why() -> None:
    """It stays created, with an error, and the call fails."""
    bench = Bench(start_error="port is already allocated")

    with pytest.raises(EngineError, match="port is already allocated"):
        bench.task(given.revision(1))

    assert (bench.tasks[0].status, bench.tasks[0].ended) == (ContainerStatus.CREATED, True)


def test_removed_by_hand_while_it_was_being_started() -> None:
    bench = Bench(start_s=5.0)
    task = bench.task(given.revision(1), start=False)
    bench.engine.clock.call_at(bench.engine.now() + 1, lambda: bench.engine.remove_by_hand(task))

    with pytest.raises(NotFoundError):
        bench.do(Start(task=task, cause="test"))
    for outside in (bench.engine.remove_by_hand, bench.engine.crash, bench.engine.sicken):
        outside(task)


def test_watches_hear_of_their_stack_only() -> None:
    """Tasks and records; not after they were closed."""
    bench, heard = Bench(), []
    watch = bench.engine.watch("st", lambda: heard.append("st"))
    bench.engine.watch("other", lambda: heard.append("other"))
    every = bench.engine.watch(None, lambda: heard.append("any"))

    bench.task(given.revision(1), start=False)
    bench.engine.store.put("x", {"rollout.stack": "other"})
    assert heard == ["st", "any", "other", "any"]

    watch.close()
    watch.close()
    every.close()
    bench.engine.store.drop("x")
    bench.engine.store.drop("x")
    assert heard == ["st", "any", "other", "any", "other"]
    assert bench.engine.stacks() == ("st",)


def test_a_record_is_written_once() -> None:
    """Whoever comes second is told what stands there."""
    store = SimulatedEngine().store

    store.put("b", {"rollout.stack": "st", "by": "ann"})
    store.put("a", {"rollout.stack": "other"})

    assert store.put("b", {"rollout.stack": "st", "by": "bob"}).labels["by"] == "ann"
    assert [record.name for record in store.list()] == ["a", "b"]
    assert [record.name for record in store.list("st")] == ["b"]


def test_the_same_calls_give_the_same_world() -> None:
    """Ids and times included."""
    ends = []
    for _ in range(2):
        world = World(spec(3)).deploy()
        world.update(image="v2")
        ends.append((world.until_at_rest().tasks, world.timed()))

    assert ends[0] == ends[1]


def test_the_controller_runs_on_it() -> None:
    """The real loop with its threads: minutes of virtual time, a moment of ours."""
    engine = SimulatedEngine()
    ledger = Ledger(engine.store, engine.now, "ann@host")
    session = Session(engine, ledger)
    service = spec(3, progress_deadline_s=600.0)
    ledger.record("st", service, Cause.DEPLOY)
    stop = threading.Event()

    first = drive(session, "st", report=_quiet, stop=stop, wake=VirtualFlag(engine.clock))
    engine.faults.add(Rule(behaviour=Behaviour(prepare_s=60.0), image="v2"))
    newer = replace(service, task=replace(service.task, image="v2"))
    ledger.record("st", newer, Cause.UPDATE)
    second = drive(session, "st", report=_quiet, stop=stop, wake=VirtualFlag(engine.clock))

    assert (first[0].outcome, second[0].state) == ("completed", "completed")
    assert {task.image for task in engine.observe("st") if task.running} == {"v2"}


def test_a_call_that_fails_raises_in_its_thread() -> None:
    """`act` blocks until another thread has moved the clock on."""
    engine = SimulatedEngine()
    engine.faults.usual = Behaviour(prepare_failures=1)
    raised: list[Exception] = []
    action = Prepare(revision=given.revision(1), slot=1, cause="test")

    def act() -> None:
        try:
            engine.act(action, _no_contents)
        except NotFoundError as error:
            raised.append(error)

    for _ in range(2):
        thread = threading.Thread(target=act)
        thread.start()
        while thread.is_alive():
            VirtualFlag(engine.clock).wait(1.0)

    assert [str(error) for error in raised] == ["no such image"]
    assert len(engine.observe("st")) == 1


def test_files_must_be_there() -> None:
    """A config's content is read before anything is made."""
    engine = SimulatedEngine()
    file = FileMount(kind="config", source="c", target="/c", digest="0")
    made_for = given.revision(1, files=(file,))

    with pytest.raises(NotFoundError):
        engine.act(Prepare(revision=made_for, slot=1, cause="test"), _no_contents)


def test_a_flag_wakes_at_once_when_it_is_set() -> None:
    """Also where nothing at all is to happen, and without an end to the wait."""
    clock = VirtualClock()
    flag = VirtualFlag(clock)
    clock.call_at(clock.now() + 60.0, flag.set)
    clock.call_at(clock.now() + 30.0, lambda: None).cancel()

    assert flag.wait()
    assert flag.wait(5.0)
    flag.clear()
    assert not flag.wait(5.0)


def _quiet(_progress: object) -> None: ...


def _no_contents(digest: str) -> bytes:
    raise NotFoundError(f"no content {digest}")


ANY = RestartPolicy()
