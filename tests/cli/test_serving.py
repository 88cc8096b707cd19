"""The controller's two pages: who may listen, what is answered, and what Prometheus reads."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout.cli.metrics import exposition
from rollout.cli.serving import Address, Page, address, serving
from rollout.controller.look import look
from rollout.controller.session import Session
from rollout.controller.supervise import Watched
from rollout.engine.protocol import Calls
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.errors import RolloutError, UsageError
from rollout.ledger.ledger import Ledger
from rollout.model.spec import ServiceSpec, TaskSpec
from rollout.model.state import Cause

ANYWHERE = Address("127.0.0.1", 0)
CALLS = Calls(made=7, failed=2, retried=1)


def _page() -> Page:
    return Page(HTTPStatus.OK, "text/plain", b"well\n")


@pytest.fixture
def served() -> Iterator[Address]:
    with serving(ANYWHERE, {"/healthz": _page}) as where:
        yield where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9470", Address("127.0.0.1", 9470)),
        ("[::1]:80", Address("::1", 80)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    """And back."""
    assert address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", ":9470", "9470", "127.0.0.1", "127.0.0.1:", "a:70000", "::1:80", "a:-1", "a:²"]
)
def test_what_is_no_address(text: str) -> None:
    """No port, no host; all addresses at once is never meant by leaving something out."""
    with pytest.raises(UsageError, match="HOST:PORT"):
        address(text)


def test_a_page_is_served(served: Address) -> None:
    with urllib.request.urlopen(f"http://{served}/healthz?x=1") as answer:
        assert answer.read() == b"well\n"
        assert answer.headers["Server"] == "rollout"


def test_a_head_has_no_content(served: Address) -> None:
    connection = HTTPConnection(served.host, served.port)
    connection.request("HEAD", "/healthz")
    answer = connection.getresponse()

    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "5", b"")


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz/../etc/passwd", "/%2e%2e"])
def test_there_is_nothing_else(served: Address, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{served}{path}")

    assert caught.value.code == 404


def test_nothing_can_be_posted(served: Address) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{served}/healthz", data=b"x")

    assert caught.value.code == 501


def test_readers_that_say_nothing_take_no_room_for_good(served: Address) -> None:
    """Eight hold the line; the ninth is let go at once; when one leaves there is room again."""
    with ExitStack() as idle:
        held = [
            idle.enter_context(socket.create_connection((served.host, served.port)))
            for _ in range(8)
        ]
        with socket.create_connection((served.host, served.port), timeout=10) as ninth:
            assert ninth.recv(1) == b""
        held[0].close()
        _until_answered(served)


def _until_answered(served: Address) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://{served}/healthz", timeout=10) as answer:
                assert answer.status == 200
                return
        except (OSError, urllib.error.URLError):
            continue
    pytest.fail("never answered")


def test_a_taken_port_is_one_clear_error(served: Address) -> None:
    with pytest.raises(RolloutError, match=r"cannot be listened on.*--listen"), serving(served, {}):
        pass


class _Watching:
    def __init__(self, *watched: Watched, ailments: tuple[str, ...] = ()) -> None:
        self._watched = watched
        self._ailments = ailments

    def watched(self) -> tuple[Watched, ...]:
        return self._watched

    def ailments(self) -> tuple[str, ...]:
        return self._ailments


def _watched(stack: str, service: str, *, holds: bool = False) -> Watched:
    engine = SimulatedEngine()
    session = Session(engine, Ledger(engine.store, engine.now, "ann@host"))
    spec = ServiceSpec(name=service, replicas=3, task=TaskSpec(image="v1"))
    session.ledger.record(stack, spec, Cause.DEPLOY)
    return Watched(
        stack=stack,
        progress=look(session, stack),
        holds=holds,
        silent_s=1.5,
        looks=4,
        looking_s=0.25,
        errors=1,
    )


Read = Callable[..., float]


def _read(watching: _Watching) -> Read:
    text = exposition(watching, CALLS).decode()
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return samples[f"rollout_{name}", tuple(sorted(labels.items()))]

    return value


def test_metrics_of_a_service() -> None:
    value = _read(_Watching(_watched("shop", "web", holds=True)))

    web = {"stack": "shop", "service": "web"}
    assert value("service_replicas_desired", **web) == 3
    assert value("service_replicas_running", **web) == 0
    assert value("service_revision", **web) == 1
    assert value("service_at_rest", **web) == 0
    assert value("service_failures", **web) == 0
    assert value("service_update_state", **web, state="completed") == 0
    assert value("up") == 1


def test_metrics_of_the_loop_and_the_engine() -> None:
    value = _read(_Watching(_watched("shop", "web", holds=True), ailments=("shop: no look",)))

    assert value("up") == 0
    assert value("stack_lease", stack="shop", holder="self") == 1
    assert value("stack_lease", stack="shop", holder="other") == 0
    assert value("stack_look_seconds_count", stack="shop") == 4
    assert value("stack_look_seconds_sum", stack="shop") == 0.25
    assert value("stack_last_look_age_seconds", stack="shop") == 1.5
    assert value("stack_loop_errors_total", stack="shop") == 1
    assert (value("engine_calls_total"), value("engine_errors_total")) == (7, 2)
    assert value("engine_retries_total") == 1


def test_names_are_escaped() -> None:
    """A container may carry any label: no name can make up a metric of its own."""
    evil = 'a"} 1\nrollout_up 0\n\\'

    value = _read(_Watching(_watched(evil, "web")))

    assert value("service_replicas_desired", stack=evil, service="web") == 3
    assert value("up") == 1


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(RolloutError, match=r"pip install 'rollout\[metrics\]'"):
        exposition(_Watching(), CALLS)


def test_the_page_of_health_is_json() -> None:
    """Before the engine has answered once, that is the reason."""
    from rollout.cli.controller import _Controller
    from rollout.cli.settings import Settings

    page = _Controller(Settings(), frozenset()).health()

    assert page.status == 503
    assert json.loads(page.content) == {
        "healthy": False,
        "reasons": ["the engine has not answered yet"],
        "stacks": [],
    }
