"""What an engine can do to a single call: each passes, or ends in one clear line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from rollout.engine.docker.engine import DockerEngine, connect
from rollout.engine.docker.translate import task_id
from rollout.errors import EngineUnavailableError
from rollout.model.action import Prepare, Stop
from tests.support.engine import (
    WORDS,
    eventually,
    newest,
    no_contents,
    prepared,
    revision,
    service,
    started,
)
from tests.support.socket_proxy import SocketProxy

pytestmark = pytest.mark.docker


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[SocketProxy]:
    found = SocketProxy(tmp_path / "engine.sock")
    yield found
    found.close()


@pytest.fixture
def hasty(proxy: SocketProxy) -> Iterator[DockerEngine]:
    """The engine by way of the proxy; it has a second to answer."""
    found = connect(proxy.host, timeout_s=1)
    yield found
    found.close()


@pytest.mark.parametrize("fault", ["garbled", "cut short", 500])
def test_an_answer_that_makes_no_sense_is_asked_for_again(
    hasty: DockerEngine, proxy: SocketProxy, stack: str, image: str, fault: str | int
) -> None:
    """Once; whatever reads, and whatever finds its own traces."""
    broken: set[str] = set()

    def once_each(method: str, path: str) -> str | int | None:
        parts = path.split("/")
        key = f"{method} {parts[1]} {parts[-1]}"
        # A container that could not be created is tried again by the loop, after a look.
        if key in broken or key == "POST containers create":
            return None
        broken.add(key)
        return fault

    proxy.fault = once_each
    task = prepared(hasty, revision(stack, service(image)))
    hasty.store.put(f"rollout.{stack}.r1", {"rollout.record": "revision", "rollout.stack": stack})

    assert [each.id for each in hasty.observe(stack)] == [task.id]
    assert len(hasty.store.list(stack)) == 1
    assert hasty.holds(image)
    assert broken == {
        "GET containers json",
        "POST volumes create",
        "GET volumes volumes",
        "GET images json",
    }


def test_an_engine_that_never_makes_sense(
    hasty: DockerEngine, proxy: SocketProxy, stack: str
) -> None:
    """One line that says what was asked."""
    proxy.fault = lambda _method, _path: "garbled"

    with pytest.raises(EngineUnavailableError) as caught:
        hasty.observe(stack)

    assert caught.value.message == (
        f"list containers: {proxy.host} gave an answer that makes no sense"
    )


def test_a_silent_engine_ends_every_call(
    hasty: DockerEngine, proxy: SocketProxy, stack: str, image: str
) -> None:
    """Streams included: nothing waits for ever."""
    task = started(hasty, revision(stack, service(image)))
    hasty.now()
    calls: dict[str, Callable[[], object]] = {
        "list containers": lambda: hasty.observe(stack),
        "list volumes": lambda: hasty.store.list(stack),
        "create volume": lambda: hasty.store.put("x", {"rollout.stack": stack}),
        "inspect image": lambda: hasty.holds(image),
        "watch events": lambda: hasty.watch(stack, lambda: None),
        "read the logs of": lambda: list(hasty.logs((task,))),
        "list networks": hasty.came_up,
        "reach the engine": lambda: hasty.came_up(anew=True),
    }

    def silent(_method: str, path: str) -> str | None:
        return None if path.endswith(f"{task.container_id}/json") else "silent"

    for doing, call in calls.items():
        proxy.fault = silent
        with pytest.raises(EngineUnavailableError, match=f"^{doing}.*in time"):
            call()
        proxy.fault = lambda _method, _path: None


def test_a_stalled_event_stream_is_opened_again(
    hasty: DockerEngine, proxy: SocketProxy, stack: str, image: str
) -> None:
    """It cannot be told from a quiet one: now and then it is opened anew, and all is looked at."""
    started(hasty, revision(stack, service(image)))
    woken = threading.Event()
    watch = hasty.watch(stack, woken.set)
    hasty.observe(stack)
    proxy.requests.clear()

    proxy.mute = True
    eventually(lambda: "GET /events" in proxy.requests)
    proxy.mute = False
    woken.clear()
    assert woken.wait(10)
    proxy.requests.clear()
    hasty.observe(stack)
    assert [each.rpartition("/")[2] for each in proxy.requests if "events" not in each] == [
        "json",
        "json",
    ]
    watch.close()


def test_a_quiet_log_is_followed_on(hasty: DockerEngine, stack: str, image: str) -> None:
    """A task that says nothing for longer than a call may take is still followed."""
    task = started(hasty, revision(stack, service(image)))
    lines = hasty.logs((task,), follow=True)

    assert next(lines).text == WORDS
    quiet = threading.Timer(2.0, lambda: hasty.act(Stop(task=task, cause="test"), no_contents))
    quiet.start()
    assert next(lines).text == "stopping"


def test_connections_that_were_closed_meanwhile(
    hasty: DockerEngine, proxy: SocketProxy, stack: str
) -> None:
    """An engine, or something between, closes what was kept open: nobody notices."""
    told: list[object] = []
    hasty.report_retries(lambda error, _pause: told.append(error))
    for _ in range(3):
        assert hasty.observe(stack) == ()
        proxy.cut()

    assert len(told) <= 3


def test_a_container_of_somebody_else_has_the_name(
    engine: DockerEngine, client: docker.APIClient, stack: str, image: str
) -> None:
    """It is left alone, whatever its state, and the task gets another id."""
    wanted = revision(stack, service(image))
    name = f"{stack}_web.1.{task_id(wanted, 1, '')}"
    theirs = client.create_container(image, name=name)["Id"]
    try:
        client.start(theirs)
        engine.act(Prepare(revision=wanted, slot=1, cause="test"), no_contents)

        assert newest(engine, stack).name != name
        assert client.inspect_container(theirs)["State"]["Running"]
    finally:
        client.remove_container(theirs, force=True)
