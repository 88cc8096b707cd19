"""Reaching an engine: one pool, broken connections, ssh, and what is said when nobody answers."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.engine.docker import connect as connecting
from rollout.engine.docker.endpoint import Endpoint
from rollout.engine.docker.engine import DockerEngine, connect
from rollout.errors import EngineError, EngineUnavailableError
from rollout.model.action import Prepare, Remove, Start, Stop
from tests.support.engine import (
    eventually,
    no_contents,
    prepared,
    revision,
    service,
    started,
)
from tests.support.socket_proxy import ENGINE_SOCKET, SocketProxy

pytestmark = pytest.mark.docker

SSH = """#!{python}
import socket, sys, threading
assert sys.argv[-4:] == ["nowhere", "docker", "system", "dial-stdio"], sys.argv
engine = socket.socket(socket.AF_UNIX)
engine.connect({engine!r})
here = socket.socket(fileno=0)
def pump(source, sink):
    while content := source.recv(65536):
        sink.sendall(content)
    sink.shutdown(socket.SHUT_WR)
threading.Thread(target=pump, args=(engine, here), daemon=True).start()
pump(here, engine)
"""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[SocketProxy]:
    found = SocketProxy(tmp_path / "engine.sock")
    yield found
    found.close()


@pytest.fixture
def proxied(proxy: SocketProxy) -> Iterator[DockerEngine]:
    """The engine, reached by way of the proxy."""
    found = connect(proxy.host)
    proxy.requests.clear()
    yield found
    found.close()


def test_one_step_takes_the_fewest_calls(
    proxied: DockerEngine, proxy: SocketProxy, stack: str, image: str
) -> None:
    """Prepare, start, stop and remove are one call each, over one connection."""
    wanted = revision(stack, service(image))
    proxied.now()
    proxy.requests.clear()
    watch = proxied.watch(stack, lambda: None)
    assert proxied.observe(stack) == ()
    # What happens from now on, what the engine remembers, what there is.
    assert proxy.requests == ["GET /events", "GET /events", "GET /containers/json"]
    proxy.requests.clear()

    proxied.act(Prepare(revision=wanted, slot=1, cause="test"), no_contents)
    (task,) = proxied.observe(stack)
    proxied.act(Start(task=task, cause="test"), no_contents)
    eventually(lambda: proxied.observe(stack)[0].alive)
    proxied.act(Stop(task=proxied.observe(stack)[0], cause="test"), no_contents)
    proxied.act(Remove(task=task, cause="test"), no_contents)
    watch.close()

    named = task.container_id
    acts = [each for each in proxy.requests if not each.startswith("GET")]
    assert acts == [
        "POST /containers/create",
        f"POST /containers/{named}/start",
        f"POST /containers/{named}/stop",
        f"DELETE /containers/{named}",
    ]
    assert proxy.connections <= 3


def test_many_threads_share_one_engine(
    proxied: DockerEngine, proxy: SocketProxy, stack: str, image: str
) -> None:
    """Answers never get mixed up, and connections are kept and used again."""
    tasks = [prepared(proxied, revision(stack, service(image), slot), slot) for slot in (1, 2, 3)]
    wrong: list[object] = []

    def look(number: int) -> None:
        task = tasks[number % len(tasks)]
        for _ in range(20):
            seen = proxied._look.inspected(task.container_id)
            if seen["Id"] != task.container_id:
                wrong.append(seen)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert proxy.connections <= 14


def test_an_unchanged_task_is_not_inspected_again(
    proxied: DockerEngine, proxy: SocketProxy, stack: str, image: str
) -> None:
    """While a watch is open, a second look is one call; after a lost stream all is looked at."""
    started(proxied, revision(stack, service(image)))
    woken = threading.Event()
    watch = proxied.watch(stack, woken.set)

    def looked() -> list[str]:
        proxy.requests.clear()
        proxied.observe(stack)
        return proxy.requests

    # What has happened a moment before the watch was opened may be told once more.
    eventually(lambda: looked() == ["GET /containers/json"])

    woken.clear()
    proxy.cut()
    assert woken.wait(5), "a lost stream wakes"
    proxy.requests.clear()
    proxied.observe(stack)
    assert [each.rpartition("/")[2] for each in proxy.requests] == ["json", "json"]
    watch.close()


@pytest.mark.parametrize("fault", ["before", "after", 503])
def test_a_broken_connection_is_tried_again(
    proxied: DockerEngine, proxy: SocketProxy, stack: str, image: str, fault: str | int
) -> None:
    """Every action gets through, does its work once, and the pauses are reported."""
    broken: set[str] = set()
    told: list[EngineError] = []
    proxied.report_retries(lambda error, _pause: told.append(error))

    def once_each(method: str, path: str) -> str | int | None:
        key = f"{method} {path.rpartition('/')[2]}"
        # A start that is answered by a gateway is not tried blindly: the next look says what is.
        if key in broken or path == "/_ping" or (fault == 503 and key == "POST start"):
            return None
        broken.add(key)
        return fault

    proxy.fault = once_each
    wanted = revision(stack, service(image))
    task = started(proxied, wanted)
    assert task.running
    proxied.act(Stop(task=task, cause="test"), no_contents)
    assert [each.status for each in proxied.observe(stack)] == ["exited"]
    proxied.act(Remove(task=task, cause="test"), no_contents)
    assert proxied.observe(stack) == ()
    name = f"rollout.{stack}.r1"
    proxied.store.put(name, {"rollout.record": "revision", "rollout.stack": stack})
    assert [each.name for each in proxied.store.list(stack)] == [name]
    proxied.store.drop(name)

    assert told
    assert all(error.message for error in told)


def test_an_engine_that_is_slow_to_answer(proxy: SocketProxy, stack: str, image: str) -> None:
    """A start or stop that times out is looked after, not taken for a failure."""
    hasty = connect(proxy.host, timeout_s=1)
    proxy.fault = lambda method, path: "silent" if path.endswith(("/start", "/stop")) else None

    task = started(hasty, revision(stack, service(image, stop_grace_s=0.0)))
    assert task.running
    hasty.act(Stop(task=task, cause="test"), no_contents)

    assert [each.ended for each in hasty.observe(stack)] == [True]
    hasty.close()


def test_a_start_that_fails_is_seen_at_once(proxied: DockerEngine, stack: str, image: str) -> None:
    """No event tells of it, and still the next look shows it."""
    watch = proxied.watch(stack, lambda: None)
    task = prepared(proxied, revision(stack, service(image, command=("/nosuch",))))
    assert proxied.observe(stack)[0].prepared

    with pytest.raises(EngineError, match='exec: "/nosuch"'):
        proxied.act(Start(task=task, cause="test"), no_contents)

    assert proxied.observe(stack)[0].ended
    watch.close()


def test_no_4xx_is_tried_again(proxied: DockerEngine, proxy: SocketProxy) -> None:
    with pytest.raises(EngineError):
        proxied._api.inspect("nosuch")

    assert proxy.requests == ["GET /containers/nosuch/json"]


def test_nobody_answers(tmp_path: Path) -> None:
    """No socket, nobody behind it, nobody at the port: one line, with what to do."""
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    for host in (f"unix://{tmp_path}/nosuch.sock", f"unix://{dead}", "tcp://127.0.0.1:1"):
        with pytest.raises(EngineUnavailableError) as caught:
            connect(host)
        assert caught.value.message == f"no engine answers at {host} (from -H)"
        assert "is Docker running?" in caught.value.hint
        assert "\n" not in str(caught.value)


def test_a_socket_without_permission(tmp_path: Path) -> None:
    """Said as such, with the group to join.  (Root may do everything, so a child tries.)"""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        for parent in (tmp_path, *tmp_path.parents[:3]):
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
        said = _as_nobody(f"unix://{path}")

    assert said.startswith(f"unix://{path} (from -H): permission denied (join the group docker")


def _as_nobody(host: str) -> str:
    """The error that a user without rights gets, from a child process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            connect(host)
        except EngineError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as said:
        return said.read()


def test_something_that_is_no_engine(tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            client.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(EngineUnavailableError, match="is no Docker engine: hello"):
            connect(f"unix://{path}")


def test_an_engine_that_hangs(tmp_path: Path) -> None:
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        with pytest.raises(EngineUnavailableError, match=r"no answer from unix://.* in time"):
            connect(f"unix://{path}", timeout_s=1)


def test_tcp(engine: DockerEngine, stack: str) -> None:
    """The same over TCP, by way of a small bridge."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def bridge() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                other = socket.socket(socket.AF_UNIX)
                other.connect(ENGINE_SOCKET)
                for pair in ((client, other), (other, client)):
                    threading.Thread(target=_pump, args=pair, daemon=True).start()

        threading.Thread(target=bridge, daemon=True).start()
        over_tcp = connect(f"tcp://127.0.0.1:{port}")

        assert over_tcp.host == engine.host
        assert over_tcp.observe(stack) == ()
        over_tcp.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while content := source.recv(65536):
            sink.sendall(content)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that goes nowhere but to the local engine, and no other on the PATH before it."""
    program = tmp_path / "ssh"
    program.write_text(SSH.format(python=sys.executable, engine=ENGINE_SOCKET))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return program


def test_over_ssh(ssh: Path, stack: str, image: str) -> None:
    """The whole life of a task over one ssh, and an event stream that closes at once."""
    far = connect("ssh://user@nowhere")
    woken = threading.Event()
    watch = far.watch(stack, woken.set)

    task = started(far, revision(stack, service(image, post_start=(("true",),))))
    assert task.running
    assert woken.wait(5)
    eventually(lambda: far.last_words(task))
    far.act(Stop(task=task, cause="test"), no_contents)
    watch.close()
    far.close()

    assert not watch._thread.is_alive()
    dialer = far._api._client.get_adapter("http+docker://")._dialer  # type: ignore[attr-defined]
    assert dialer._links == []


def test_ssh_says_why_it_failed(ssh: Path) -> None:
    ssh.write_text("#!/bin/sh\necho 'user@nowhere: Permission denied (publickey).' >&2\nexit 255\n")

    with pytest.raises(EngineUnavailableError, match=r"Permission denied \(publickey\)$"):
        connect("ssh://user@nowhere")


def test_no_ssh_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EngineUnavailableError, match="cannot run ssh"):
        connect("ssh://nowhere")


@pytest.mark.parametrize(
    ("theirs", "agreed"), [("1.41", "1.41"), ("1.45", "1.45"), ("1.52", "1.51"), ("1.40", "1.40")]
)
def test_the_lower_of_two_versions(theirs: str, agreed: str) -> None:
    assert connecting.negotiated(theirs, Endpoint(host="unix:///x")) == agreed


@pytest.mark.parametrize("theirs", ["1.39", "1.9", "nonsense"])
def test_an_engine_that_is_too_old(theirs: str) -> None:
    with pytest.raises(EngineUnavailableError, match=r"rollout needs 1\.40"):
        connecting.negotiated(theirs, Endpoint(host="unix:///x"))
