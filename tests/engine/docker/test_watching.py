"""Events wake, the store puts once, the clock is the engine's: on a real engine."""

from __future__ import annotations

import functools
import threading
import time

import docker
import pytest

from rollout.engine.docker.clock import EngineClock
from rollout.engine.docker.engine import DockerEngine, connect
from rollout.engine.protocol import Engine
from rollout.model.action import Arm, Remove, Start, Stop
from rollout.model.spec import RestartPolicy
from rollout.model.state import ContainerStatus, Health
from rollout.model.task import Task
from tests.support.engine import (
    READY,
    again,
    eventually,
    newest,
    no_contents,
    prepared,
    revision,
    service,
    started,
)

pytestmark = pytest.mark.docker


def test_it_is_an_engine(engine: DockerEngine) -> None:
    """Checked by mypy: what the rest of the house asks for."""
    as_protocol: Engine = engine

    assert (as_protocol.name, as_protocol.schedules) == ("docker", False)


def test_every_change_wakes_and_is_seen(engine: DockerEngine, stack: str, image: str) -> None:
    """Create, start, health, stop, remove: each is waited for by its event alone."""
    woken = threading.Event()
    watch = engine.watch(stack, woken.set)

    def wait() -> None:
        assert woken.wait(5)
        woken.clear()

    spec = service(image, healthcheck=READY, environment={"READY_AFTER": "0.5"})
    task = prepared(engine, revision(stack, spec))
    wait()
    engine.act(Start(task=task, cause="test"), no_contents)
    while not again(engine, task).running:
        wait()
    healthy = again(engine, task)
    assert healthy.running_since is not None
    assert healthy.running_since - (healthy.started_at or 0) >= 0.5
    engine.act(Stop(task=healthy, cause="test"), no_contents)
    while not again(engine, task).ended:
        wait()
    woken.clear()
    engine.act(Remove(task=task, cause="test"), no_contents)
    wait()

    assert engine.observe(stack) == ()
    watch.close()


def test_running_since_never_moves(engine: DockerEngine, stack: str, image: str) -> None:
    """Probes roll out of the engine's log; what was seen stays."""
    watch = engine.watch(stack, lambda: None)
    spec = service(image, healthcheck=READY, environment={"READY_AFTER": "0"})
    task = started(engine, revision(stack, spec))
    first = eventually(lambda: again(engine, task).running_since)
    raw = docker.APIClient()

    def oldest_probe() -> str:
        return str(raw.inspect_container(task.container_id)["State"]["Health"]["Log"][0]["Start"])

    was = oldest_probe()
    eventually(lambda: oldest_probe() != was)
    raw.pause(task.container_id)  # an event that makes it looked at anew
    raw.unpause(task.container_id)

    assert eventually(lambda: again(engine, task)).running_since == first
    watch.close()


def test_a_task_that_turns_unhealthy(engine: DockerEngine, stack: str, image: str) -> None:
    environment = {"READY_AFTER": "0", "SICK_AFTER": "1"}
    task = started(
        engine, revision(stack, service(image, healthcheck=READY, environment=environment))
    )

    def sick() -> bool:
        return again(engine, task).unhealthy

    eventually(sick)
    found = again(engine, task)
    assert found.health is Health.UNHEALTHY
    assert found.unhealthy_since is not None
    assert found.running_since is not None
    assert found.unhealthy_since > found.running_since


def test_records_wake_and_others_do_not(engine: DockerEngine, stack: str) -> None:
    woken = threading.Event()
    everything = threading.Event()
    watches = [engine.watch(stack, woken.set), engine.watch(None, everything.set)]

    engine.store.put(
        f"rollout.{stack}x.r1", {"rollout.record": "revision", "rollout.stack": f"{stack}"}
    )
    assert everything.wait(5)
    woken.clear()
    engine.store.put(
        f"rollout.{stack}_web.r1", {"rollout.record": "revision", "rollout.stack": stack}
    )
    assert woken.wait(5)
    for watch in watches:
        watch.close()


def test_who_was_asked_to_end_is_known(engine: DockerEngine, stack: str, image: str) -> None:
    """By a stop that was asked for before anybody watched; not by a signal that means another
    thing, nor once it is down."""
    spec = service(image, stop_grace_s=3.0, environment={"STUBBORN": "1"})
    task = started(engine, revision(stack, spec))
    raw = docker.APIClient()
    raw.kill(task.container_id, "SIGHUP")
    engine.watch(stack, lambda: None).close()
    assert again(engine, task).stop_ends_at is None
    stopping = threading.Thread(target=raw.stop, args=[task.container_id, 3])
    stopping.start()
    kills = raw.events(since=1, decode=True, filters={"container": task.container_id})
    asked = next(
        e for e in kills if e["Action"] == "kill" and e["Actor"]["Attributes"]["signal"] == "15"
    )

    watch = engine.watch(stack, lambda: None)
    ends_at = eventually(lambda: again(engine, task).stop_ends_at)

    assert 3.0 <= ends_at - asked["timeNano"] / 1e9 <= 10.0
    stopping.join()
    assert eventually(lambda: again(engine, task)).stop_ends_at is None
    watch.close()


def test_how_the_run_before_ended_is_known(engine: DockerEngine, stack: str, image: str) -> None:
    """While the container is up again the engine says 0: only the event of the end has the code,
    for who watches and for who comes later."""
    crashing = service(image, environment={"EXIT_AFTER": "2", "EXIT_CODE": "3"})
    task = started(engine, revision(stack, crashing))
    engine.act(Arm(task=task, policy=RestartPolicy(), cause="test"), no_contents)
    watch = engine.watch(stack, lambda: None)
    later = connect()

    def up_again(looking: DockerEngine) -> Task | None:
        seen = again(looking, task)
        return seen if seen.restarts and seen.status is ContainerStatus.RUNNING else None

    try:
        for looking in (engine, later):
            seen = eventually(functools.partial(up_again, looking))
            assert seen is not None
            assert seen.last_exit == 3
            assert seen.restarting(looking.now())
    finally:
        later.close()
        watch.close()


def test_closing_a_watch_is_prompt(engine: DockerEngine) -> None:
    before = threading.active_count()
    watch = engine.watch(None, lambda: None)
    at = time.monotonic()

    watch.close()
    watch.close()

    assert time.monotonic() - at < 1
    assert threading.active_count() == before


def test_the_first_to_put_wins(engine: DockerEngine, stack: str) -> None:
    """Of many at once one wins, and all see the same."""
    name = f"rollout.{stack}_web.r1"
    base = {"rollout.record": "revision", "rollout.stack": stack}
    seen: list[str] = []

    def put(number: int) -> None:
        record = engine.store.put(name, {**base, "by": str(number)})
        seen.append(record.labels["by"])

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(seen)) == 1
    (record,) = engine.store.list(stack)
    assert (record.name, record.labels["by"]) == (name, seen[0])
    assert abs(record.created_at - engine.now()) < 30
    engine.store.drop(name)
    engine.store.drop(name)
    assert engine.store.list(stack) == ()


def test_only_records_are_listed(engine: DockerEngine, stack: str) -> None:
    """A stack's data volume carries the stack's label too, and is none."""
    docker.APIClient().create_volume(f"{stack}_data", labels={"rollout.stack": stack})
    engine.store.put(f"rollout.{stack}.r1", {"rollout.record": "lease", "rollout.stack": stack})

    assert [each.name for each in engine.store.list(stack)] == [f"rollout.{stack}.r1"]
    assert f"rollout.{stack}.r1" in [each.name for each in engine.store.list()]
    assert stack in engine.stacks()


def test_a_large_record(engine: DockerEngine, stack: str) -> None:
    content = "x" * 200_000
    engine.store.put(
        f"rollout.{stack}.file.a",
        {"rollout.record": "file", "rollout.stack": stack, "content": content},
    )

    assert engine.store.list(stack)[0].labels["content"] == content


def test_stacks_are_those_of_ours(engine: DockerEngine, stack: str, image: str) -> None:
    assert stack not in engine.stacks()
    prepared(engine, revision(stack, service(image)))
    assert stack in engine.stacks()
    assert newest(engine, stack).prepared


def test_now_is_the_engines_time(engine: DockerEngine, stack: str, image: str) -> None:
    before = engine.now()
    task = started(engine, revision(stack, service(image)))
    after = engine.now()

    assert task.started_at is not None
    assert before - 0.2 < task.started_at < after + 0.2
    assert engine.host == docker.APIClient().info()["Name"]


def test_the_clock_is_asked_now_and_then() -> None:
    """Once a minute; in between it goes on by itself, and the way there and back is halved."""
    ours = [100.0]
    asked: list[float] = []

    def info() -> dict[str, str]:
        asked.append(ours[0])
        ours[0] += 0.02
        return {"SystemTime": "1970-01-01T00:08:20.01Z"}

    clock = EngineClock(info, lambda: ours[0])

    assert clock.now() == pytest.approx(500.02)
    ours[0] += 59
    assert clock.now() == pytest.approx(559.02)
    assert len(asked) == 1
    ours[0] += 2
    clock.now()
    assert len(asked) == 2
