"""Who builds and pushes images: the `docker` binary where there is one, else the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rollout.cli import docker_binary
from rollout.cli.settings import Settings
from rollout.errors import UsageError
from rollout.model.stack import Build, Stack


class Images(Protocol):
    """Both yield what the builder or the engine says, line by line, and raise EngineError."""

    def build(self, build: Build, image: str) -> Iterator[str]: ...

    def push(self, image: str) -> Iterator[str]: ...


class _ByBinary:
    def __init__(self, binary: str, settings: Settings) -> None:
        self._binary = binary
        self._settings = settings

    def build(self, build: Build, image: str) -> Iterator[str]:
        invocation = docker_binary.build_command(self._binary, self._settings, build, image)
        yield from docker_binary.run(invocation, f"build of {image}")

    def push(self, image: str) -> Iterator[str]:
        invocation = docker_binary.push_command(self._binary, self._settings, image)
        yield from docker_binary.run(invocation, f"push of {image}")


@contextmanager
def open_images(settings: Settings) -> Iterator[Images]:
    """Raises EngineUnavailableError where there is no binary and no engine answers."""
    binary = docker_binary.find()
    if binary is not None:
        yield _ByBinary(binary, settings)
        return
    from rollout.cli.wiring import open_engine

    with open_engine(settings) as engine:
        yield engine.builder


def shippable(stack: Stack, services: Sequence[str]) -> list[tuple[str, str, Build]]:
    """Service, image, how to build it: of the services named, or of all that have `build:`.

    Raises UsageError for a service that is not in the file, or has no `build:`.
    """
    for name in services:
        if stack.service(name) is None:
            raise UsageError(f"no such service: {name}")
        if name not in stack.builds:
            raise UsageError(f"{name}: has no build: in the file, nothing to build or push")
    chosen = [
        (spec.name, spec.image or spec.task.image, stack.builds[spec.name])
        for spec in stack.services
        if spec.name in stack.builds and (not services or spec.name in services)
    ]
    if not chosen:
        raise UsageError(f"{stack.name}: no service has build:, nothing to build or push")
    return chosen
