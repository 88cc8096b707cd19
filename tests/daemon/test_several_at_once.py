"""Several commands on one stack at the same time, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.controller.drive import POLL_S
from rollout.engine.docker.engine import connect
from rollout.ledger.lease import EXPIRES_AFTER_S, RENEW_EVERY_S, newest_entry
from tests.support.command import compose_file, finish, rollout, start
from tests.support.witness import Witness, eventually, witness

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "1"}}
        deploy:
          replicas: 3
          update_config: {{delay: {delay}, monitor: 100ms}}
"""
LONG = "60s"


def _deploy(folder: Path, stack: str, image: str, delay: str = "0s") -> None:
    rollout("deploy", "-c", compose_file(folder, FILE.format(image=image, delay=delay)), stack)


def _change(stack: str, number: int, *more: str) -> subprocess.Popen[str]:
    return start("update", f"{stack}_web", "--env-add", f"VERSION={number}", *more)


def _live(client: docker.APIClient, stack: str) -> list[tuple[int, str]]:
    """Slot and version of every container of the stack that runs."""
    found = []
    for row in client.containers(filters={"label": f"rollout.stack={stack}"}):
        environment = client.inspect_container(row["Id"])["Config"]["Env"]
        version = next(each for each in environment if each.startswith("VERSION="))
        found.append((int(row["Labels"]["rollout.slot"]), version.removeprefix("VERSION=")))
    return sorted(found)


def _history(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rollout("history", f"{stack}_web", "--format", "json").json
    return found


def _assert_never_two_in_a_slot(seen: Witness) -> None:
    up: dict[int, set[str]] = {}
    for event in seen.events:
        if event.what == "start":
            up.setdefault(event.slot, set()).add(event.container)
        elif event.what == "die":
            up.setdefault(event.slot, set()).discard(event.container)
        assert all(len(each) <= 1 for each in up.values()), event


def test_three_updates_at_the_same_moment(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Each is recorded, the last one is what runs, and the other two are superseded."""
    _deploy(tmp_path, stack, image)

    with witness(stack) as seen:
        ended = [finish(each, expect=None) for each in [_change(stack, n) for n in (2, 3, 4)]]

    history = _history(stack)
    assert [each["revision"] for each in history] == [1, 2, 3, 4]
    last = history[-1]["spec"]["task"]["environment"]["VERSION"]
    codes = {number: ran.code for number, ran in zip("234", ended, strict=True)}
    assert codes == {number: 0 if number == last else 9 for number in "234"}
    assert _live(client, stack) == [(1, last), (2, last), (3, last)]
    _assert_never_two_in_a_slot(seen)


def test_an_update_and_a_scale_at_the_same_moment(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Neither undoes the other, whichever is recorded first."""
    _deploy(tmp_path, stack, image)

    both = [_change(stack, 2), start("scale", f"{stack}_web=5")]
    for each in both:
        finish(each, expect=0)

    assert _live(client, stack) == [(slot, "2") for slot in range(1, 6)]


def test_a_rollback_meanwhile(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """It takes over at once, though the update waits a minute; the update says so and ends."""
    _deploy(tmp_path, stack, image, delay=LONG)

    with witness(stack) as seen:
        update = _change(stack, 2)
        seen.wait_for(lambda: seen.of("start", revision=2))
        back = start("rollback", f"{stack}_web", "--progress", "json")
        finish(back, expect=0)
        ran = finish(update, expect=9)

    assert f"rollout: {stack}_web: superseded by revision 3: rollback\n" in ran.err
    assert _live(client, stack) == [(1, "1"), (2, "1"), (3, "1")]
    assert {event.slot for event in seen.of("die")} == {1}


def test_a_change_takes_effect_at_once(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """From the record's creation to the next thing that the running update does, by the engine's
    own event stream: it waits a minute, and is told before it would have looked by itself."""
    _deploy(tmp_path, stack, image, delay=LONG)

    with witness(stack) as seen:
        update = _change(stack, 2)
        seen.wait_for(lambda: seen.of("start", revision=2))
        eventually(lambda: len(_live(client, stack)) == 3)
        since = int(time.time()) - 1
        rollout("update", "-q", "--detach", f"{stack}_web", "--update-delay", "0s")
        seen.wait_for(lambda: len(seen.of("kill")) == 2)
        finish(update, expect=0)

    recorded = next(
        event["timeNano"] / 1e9
        for event in client.events(
            since=since, until=int(time.time()) + 1, decode=True, filters={"type": "volume"}
        )
        if event["Actor"]["ID"] == f"rollout.{stack}_web.r3"
    )
    assert seen.of("kill")[1].at - recorded < POLL_S


def test_followers_take_over_when_the_holder_is_killed(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """At once, on the same host; of two who follow one drives, and both see the end."""
    _deploy(tmp_path, stack, image, delay=LONG)

    with witness(stack) as seen:
        holder = _change(stack, 2)
        seen.wait_for(lambda: seen.of("start", revision=2))
        followers = [start("status", stack, "--wait", "--progress", "json") for _ in range(2)]
        for each in followers:
            assert _first_event(each)["event"] == "lease"
        killed_at = time.time()
        holder.kill()
        holder.communicate()
        eventually(lambda: _holder(stack) not in ("", f"(pid {holder.pid})"))
        taken_at = time.time()
        rollout("update", "-q", "--detach", f"{stack}_web", "--update-delay", "0s")
        for each in followers:
            finish(each, expect=0)

    assert taken_at - killed_at < EXPIRES_AFTER_S - RENEW_EVERY_S
    assert _live(client, stack) == [(1, "2"), (2, "2"), (3, "2")]
    _assert_never_two_in_a_slot(seen)


def test_a_holder_that_was_stopped_follows_when_it_goes_on(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """SIGSTOP: taken over after ten seconds; SIGCONT: it sees the same end and does no harm."""
    _deploy(tmp_path, stack, image, delay="1s")

    with witness(stack) as seen:
        holder = _change(stack, 2)
        seen.wait_for(lambda: seen.of("start", revision=2))
        holder.send_signal(signal.SIGSTOP)
        finish(_change(stack, 3), expect=0)
        before = len(seen.events)
        holder.send_signal(signal.SIGCONT)
        finish(holder, expect=9)

    assert _live(client, stack) == [(1, "3"), (2, "3"), (3, "3")]
    assert not [event for event in seen.events[before:] if event.what in ("start", "kill", "die")]
    _assert_never_two_in_a_slot(seen)


def _first_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def _holder(stack: str) -> str:
    """`(pid N)` of whoever drives the stack, empty where nobody does."""
    with contextlib.closing(connect()) as engine:
        lease = newest_entry(engine.store.list(stack))
        held = lease is not None and lease.held(engine.now())
        return "(pid " + lease.holder.partition("(pid ")[2] if lease and held else ""
