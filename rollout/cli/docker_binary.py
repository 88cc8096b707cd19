"""Building and pushing by the `docker` binary, where there is one: it has BuildKit and the logins.

Command lines are argument lists, never a shell's; what a file says can only be an argument's value.
"""

from __future__ import annotations

import posixpath
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rollout.cli.settings import Settings
from rollout.errors import EngineError
from rollout.model.stack import Build

_LAST_LINES = 15


class Invocation(NamedTuple):
    """A program to run: its arguments, and what it reads on stdin."""

    arguments: tuple[str, ...]
    stdin: str = ""


def find() -> str | None:
    """The binary's path, or None where there is none."""
    return shutil.which("docker")


def build_command(binary: str, settings: Settings, build: Build, image: str) -> Invocation:
    """`docker build …` for one service.  An argument without a value takes the environment's."""
    arguments = [*_prefix(binary, settings), "build"]
    arguments += [f"--tag={name}" for name in (image, *build.tags)]
    for key, value in sorted(build.args.items()):
        arguments.append(f"--build-arg={key}" if value is None else f"--build-arg={key}={value}")
    for key, label in sorted(build.labels.items()):
        arguments.append(f"--label={key}={label}")
    arguments += [f"--add-host={host}" for host in build.extra_hosts]
    arguments += [f"--cache-from={source}" for source in build.cache_from]
    for option, text in (
        ("target", build.target),
        ("network", build.network),
        ("platform", ",".join(build.platforms)),
    ):
        if text:
            arguments.append(f"--{option}={text}")
    arguments += ["--pull"] if build.pull else []
    arguments += ["--no-cache"] if build.no_cache else []
    if build.dockerfile_inline:
        arguments.append("--file=-")
    elif build.dockerfile:
        arguments.append(f"--file={_dockerfile(build)}")
    return Invocation((*arguments, "--", build.context), build.dockerfile_inline)


def _dockerfile(build: Build) -> str:
    """Compose counts from the context, the binary from here; a remote context is left alone."""
    local = posixpath.isabs(build.context)
    return posixpath.join(build.context, build.dockerfile) if local else build.dockerfile


def push_command(binary: str, settings: Settings, image: str) -> Invocation:
    return Invocation((*_prefix(binary, settings), "push", "--", image))


def _prefix(binary: str, settings: Settings) -> Iterator[str]:
    yield binary
    if settings.host:
        yield f"--host={settings.host}"
    elif settings.context:
        yield f"--context={settings.context}"


def run(invocation: Invocation, doing: str) -> Iterator[str]:
    """The lines it prints, as it prints them.  Raises EngineError with the last of them where it
    fails; the whole of its output is one stream.
    """
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603  an argument list, no shell
        invocation.arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(invocation.stdin)
        process.stdin.close()
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            yield lines[-1]
    if process.returncode != 0:
        raise failed(doing, lines)


def failed(doing: str, lines: Sequence[str]) -> EngineError:
    said = [line for line in lines if line.strip()][-_LAST_LINES:]
    return EngineError("\n".join([f"{doing} failed", *(f"  {line}" for line in said)]))
