"""A rolling update on a real engine, as its own events tell it."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from rollout.engine.docker.observe import parse_time
from tests.support.command import compose_file, rollout
from tests.support.witness import Seen, Witness, witness

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        deploy:
          replicas: {replicas}
          update_config:
            {{parallelism: {parallelism}, delay: {delay}, monitor: 100ms, order: {order}}}
"""


def _deploy(folder: Path, stack: str, image: str, **values: object) -> None:
    defaults = {"version": 1, "replicas": 4, "parallelism": 2, "delay": "0s", "order": "stop-first"}
    text = FILE.format(image=image, **{**defaults, **values})
    rollout("deploy", "-c", compose_file(folder, text), stack)


def _first(seen: Witness, what: str, slot: int, revision: int) -> Seen:
    return next(e for e in seen.of(what, revision=revision) if e.slot == slot)


def _started_at(client: docker.APIClient, seen: Seen) -> float:
    at = parse_time(client.inspect_container(seen.container)["State"]["StartedAt"])
    assert at is not None
    return at


def test_no_old_task_is_stopped_before_its_replacement_is_ready(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Stop-first: create, then die of the old one, then start, in every slot."""
    _deploy(tmp_path, stack, image)

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image, version=2)

    for slot in (1, 2, 3, 4):
        created = _first(seen, "create", slot, 2).at
        died = _first(seen, "die", slot, 1).at
        started = _first(seen, "start", slot, 2).at
        assert created < died < started


def test_a_batch_is_ready_as_a_whole_before_any_of_it_is_stopped(
    tmp_path: Path, stack: str, image: str
) -> None:
    """With parallelism 2 both replacements exist before the first old task is stopped."""
    _deploy(tmp_path, stack, image)

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image, version=2)

    for batch in ((1, 2), (3, 4)):
        ready = max(_first(seen, "create", slot, 2).at for slot in batch)
        assert ready < min(_first(seen, "die", slot, 1).at for slot in batch)


def test_batches_follow_each_other_with_the_delay_between(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """The next batch begins when the delay after the last start of this one is over, not before."""
    _deploy(tmp_path, stack, image)

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image, version=2, delay="1500ms")

    # What the engine says itself: its events may be late.
    first_done = max(_started_at(client, _first(seen, "start", slot, 2)) for slot in (1, 2))
    second_begun = min(_first(seen, "kill", slot, 1).at for slot in (3, 4))
    assert 1.5 <= second_begun - first_done < 2.0


def test_never_more_slots_are_down_than_parallelism_allows(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Between an old task's end and its successor's start, at most two slots are down at once."""
    _deploy(tmp_path, stack, image, replicas=6)

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image, version=2, replicas=6)

    down, most = 0, 0
    for event in seen.of("die", "start"):
        down += 1 if event.what == "die" else -1
        most = max(most, down)
    assert most == 2
    assert down == 0


def test_start_first_runs_the_new_before_it_stops_the_old(
    tmp_path: Path, stack: str, image: str
) -> None:
    """At no time does a slot have no task."""
    _deploy(tmp_path, stack, image, order="start-first")

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image, version=2, order="start-first")

    for slot in (1, 2, 3, 4):
        assert _first(seen, "start", slot, 2).at < _first(seen, "die", slot, 1).at


def test_nothing_changed_is_nothing_done(tmp_path: Path, stack: str, image: str) -> None:
    """The same file again touches no container and records no revision."""
    _deploy(tmp_path, stack, image)

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image)

    assert not seen.of("create", "start", "die", "destroy")
    assert len(rollout("history", f"{stack}_web", "--format", "json").json) == 1


def test_a_change_of_cadence_touches_no_task(tmp_path: Path, stack: str, image: str) -> None:
    """update_config is no part of a task, yet a revision."""
    _deploy(tmp_path, stack, image)

    with witness(stack) as seen:
        rollout("update", f"{stack}_web", "--update-delay", "7s")

    assert not seen.of("create", "start", "die")
    inspected = rollout("inspect", f"{stack}_web").json
    assert inspected["revision"] == 2
    assert inspected["update_status"] is None


def test_scaling_adds_the_lowest_and_removes_the_highest_slots(
    tmp_path: Path, stack: str, image: str
) -> None:
    """2 → 4 → 1 → 2: slots 3 and 4 come, then 2, 3 and 4 go, and 2 comes back.  What they leave is
    shown as stopped, not as failed, and counts for nothing."""
    _deploy(tmp_path, stack, image, replicas=2)

    rollout("scale", f"{stack}_web=4")
    assert _slots(stack) == [1, 2, 3, 4]

    rollout("scale", f"{stack}_web=1")
    assert _slots(stack) == [1]
    assert _slots(stack, "shutdown") == [2, 3, 4]

    rollout("scale", f"{stack}_web=2")
    assert _slots(stack) == [1, 2]
    assert _slots(stack, "shutdown") == [2, 3, 4]
    assert rollout("services", stack, "--format", "json").json[0]["replicas"] == {
        "running": 2,
        "desired": 2,
    }


def _slots(stack: str, state: str = "running") -> list[int]:
    tasks = rollout("ps", stack, "--format", "json").json
    return sorted(task["slot"] for task in tasks if task["current_state"] == state)


def test_history_keeps_five_tasks_per_slot(tmp_path: Path, stack: str, image: str) -> None:
    """The live one and the four before it, as Swarm keeps them."""
    for version in range(1, 8):
        _deploy(tmp_path, stack, image, version=version, replicas=1)

    tasks = rollout("ps", f"{stack}_web", "--format", "json").json
    assert [task["revision"] for task in tasks] == [7, 6, 5, 4, 3]
    assert [task["current_state"] for task in tasks] == ["running", *["shutdown"] * 4]


def test_at_least_ten_revisions_are_kept(tmp_path: Path, stack: str, image: str) -> None:
    """Of fourteen the newest ten, and whatever still runs."""
    _deploy(tmp_path, stack, image, replicas=1)
    for delay in range(1, 14):
        rollout("update", f"{stack}_web", "--update-delay", f"{delay}s")

    history = rollout("history", f"{stack}_web", "--format", "json").json
    assert [each["revision"] for each in history] == [1, *range(5, 15)]


def test_what_compose_made_is_taken_over(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Its container, which bears no revision, is an old task: replaced, not joined by another."""
    project = {
        "com.docker.compose.project": stack,
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
    }
    config = {"Image": image, "Labels": project}
    made = client.create_container_from_config(config, f"{stack}-web-1")["Id"]
    client.start(made)

    with witness(stack) as seen:
        _deploy(tmp_path, stack, image, replicas=2)

    (died,) = seen.of("die")
    assert died.container == made
    assert _first(seen, "create", 1, 2).at < died.at < _first(seen, "start", 1, 2).at
    assert [t["revision"] for t in rollout("ps", stack, "--format", "json").json] == [2, 0, 2]


@pytest.mark.parametrize(("before", "after"), [("1s", "4s"), ("4s", "1s")])
def test_an_old_task_has_the_longer_grace_and_its_own_signal(
    tmp_path: Path, stack: str, image: str, before: str, after: str
) -> None:
    """One that ignores its signal is killed after the grace that it was started with, or the one
    that is asked for now; what is scaled away at the same time too."""
    file = """
        services:
          web:
            image: {image}
            environment: {{STUBBORN: "1", VERSION: "{version}"}}
            stop_signal: SIGUSR1
            stop_grace_period: {grace}
            deploy: {{replicas: {replicas}, update_config: {{monitor: 100ms}}}}
    """
    first = file.format(image=image, version=1, grace=before, replicas=2)
    rollout("deploy", "-c", compose_file(tmp_path, first), stack)

    with witness(stack) as seen:
        second = file.format(image=image, version=2, grace=after, replicas=1)
        ran = rollout("deploy", "-c", compose_file(tmp_path, second), "--progress", "plain", stack)

    for slot in (1, 2):
        asked = next(e for e in seen.of("kill", revision=1) if e.slot == slot)
        died = next(e for e in seen.of("die", revision=1) if e.slot == slot)
        assert died.at - asked.at > 3.9
    assert "stopping web.1 (grace 4s)" in ran.out


def test_the_healthcheck_is_the_gate(tmp_path: Path, stack: str, image: str) -> None:
    """The second slot is not touched before the first is healthy."""
    file = """
        services:
          web:
            image: {image}
            environment: {{READY_AFTER: "1.5", VERSION: "{version}"}}
            healthcheck:
              {{test: ["CMD", "test", "-e", "/ready"], interval: 300ms, retries: 50}}
            deploy: {{replicas: 2, update_config: {{monitor: 100ms}}}}
    """
    rollout("deploy", "-c", compose_file(tmp_path, file.format(image=image, version=1)), stack)

    with witness(stack) as seen:
        rollout("deploy", "-c", compose_file(tmp_path, file.format(image=image, version=2)), stack)

    started = _first(seen, "start", 1, 2).at
    healthy = seen.of("health_status: healthy", revision=2)
    assert healthy[0].slot == 1
    assert healthy[0].at - started > 1.4
    assert _first(seen, "kill", 2, 1).at > healthy[0].at
