"""Fixtures for all tests: a real engine, an image for it, and a stack of one's own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import docker
import pytest
from hypothesis import settings

from rollout.engine.docker.engine import DockerEngine, connect
from tests.support.engine import build_image, new_stack, sweep

# The same examples each time, so that nothing fails that the last change has not touched.  New ones
# are looked for by who asks for many.
settings.register_profile("same", derandomize=True)
if not os.environ.get("ROLLOUT_THOROUGH"):
    settings.load_profile("same")


def pytest_configure() -> None:
    """Commands under test begin as from a terminal, however the tests were started: a job in the
    background of a shell ignores signals, and so does all that it starts."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerEngine]:
    """The engine of the environment, or of the default socket."""
    found = connect()
    yield found
    found.close()


@pytest.fixture(scope="session")
def image() -> str:
    """The tag of the image described in tests/support/engine.py."""
    return build_image()


@pytest.fixture(scope="session")
def client() -> Iterator[docker.APIClient]:
    """The SDK itself, to look at the engine past our own code."""
    found = docker.APIClient(version="1.41")
    yield found
    found.close()


@pytest.fixture
def stack() -> Iterator[str]:
    """A stack name of the test's own; whatever carries its label is removed afterwards."""
    name = new_stack()
    yield name
    sweep(name)
