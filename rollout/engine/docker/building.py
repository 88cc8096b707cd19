"""Building and pushing images through the SDK: the classic builder, for hosts without the binary.

What goes wrong is said inside the stream, which itself ends well: every line of it is looked at.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.faults import one_line
from rollout.engine.docker.images import parse_reference
from rollout.errors import EngineError
from rollout.model.stack import Build

_SILENCE_S = 3600
"""How long a build step may say nothing."""


class Builder:
    """Both methods yield lines for people and raise EngineError where it went wrong."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def build(self, build: Build, image: str) -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            dockerfile = build.dockerfile or None
            if build.dockerfile_inline:
                dockerfile = str(Path(folder, "Dockerfile"))
                Path(dockerfile).write_text(build.dockerfile_inline, encoding="utf-8")
            yield from _lines(
                self._api.streamed(
                    f"build {image}",
                    lambda client: client.build(
                        path=build.context,
                        dockerfile=dockerfile,
                        tag=image,
                        buildargs=_arguments(build),
                        labels=build.labels or None,
                        target=build.target or None,
                        network_mode=build.network or None,
                        platform=",".join(build.platforms) or None,
                        extra_hosts=dict(host.split(":", 1) for host in build.extra_hosts) or None,
                        cache_from=list(build.cache_from) or None,
                        pull=build.pull,
                        nocache=build.no_cache,
                        rm=True,
                        decode=True,
                        timeout=_SILENCE_S,
                    ),
                ),
                f"build {image}",
            )
        for name in build.tags:
            self._tag(image, name)

    def push(self, image: str) -> Iterator[str]:
        reference = parse_reference(image)
        yield from _lines(
            self._api.streamed(
                f"push {image}",
                lambda client: client.push(
                    reference.repository, reference.tag, stream=True, decode=True
                ),
            ),
            f"push {image}",
        )

    def _tag(self, image: str, name: str) -> None:
        reference = parse_reference(name)
        for _ in self._api.streamed(
            f"tag {name}",
            lambda client: [{"ok": client.tag(image, reference.repository, reference.tag)}],
        ):
            pass


def _arguments(build: Build) -> dict[str, str] | None:
    """An argument without a value takes the environment's, where there is one."""
    found = {
        key: os.environ.get(key) if value is None else value for key, value in build.args.items()
    }
    return {key: value for key, value in found.items() if value is not None} or None


def _lines(said: Iterable[Json], doing: str) -> Iterator[str]:
    for message in said:
        if message.get("error"):
            raise EngineError(f"{doing}: {one_line(str(message['error']))}")
        text = one_line(str(message.get("stream") or message.get("status") or ""))
        if text:
            yield text
