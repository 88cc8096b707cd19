"""What is not for every eye: values whose name says so, and what is left of a text without them.

`DB_PASSWORD`, `--api-token=…` and the password in `postgres://user:…@host` are known by their form.
Contents of configs and secrets need no masking: they are not part of a definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from rollout.model.spec import ServiceSpec, TaskSpec

MASK = "********"

_NAME = re.compile(
    r"pass|secret|token|credential|pwd|private|apikey|(^|[^a-z])(key|auth)([^a-z]|$)", re.IGNORECASE
)
_URL = re.compile(r"(?<=://)([^\s/@:]*):([^\s/@]+)(?=@)")
_FLAG = re.compile(r"(?<!\S)(--?[A-Za-z][\w-]*[= ])([^\s\"']+)")
_FLAG_ALONE = re.compile(r"--?[A-Za-z][\w-]*")
_NAMED_BY_USERS = ("environment", "labels", "options", "driver_opts")
"""Fields of a definition whose entries bear names of the user's own."""
_SHORTEST = 4
"""A value as short as `1` says nothing, and stands in every other text."""


def is_secret_name(name: str) -> bool:
    """Of an environment variable, a label, an option: judged by the words in it."""
    return _NAME.search(name) is not None


@lru_cache(maxsize=256)
def _values(task: bytes) -> tuple[str, ...]:
    environment: dict[str, str | None] = msgspec.json.decode(task)
    found = {
        value
        for name, value in environment.items()
        if value and is_secret_name(name) and len(value) >= _SHORTEST
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def secret_values(task: TaskSpec) -> tuple[str, ...]:
    """Values of environment variables that must not turn up in a text, the longest first."""
    return _values(msgspec.json.encode(task.environment))


def without_secrets(text: str, values: Iterable[str] = ()) -> str:
    """A text for people with passwords of URLs and flags masked, and wherever they are `values`."""
    for value in values:
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
    text = _URL.sub(rf"\1:{MASK}", text)
    return _FLAG.sub(
        lambda found: found[1] + (MASK if is_secret_name(found[1]) else found[2]), text
    )


def without_secrets_of(text: str, spec: ServiceSpec | None) -> str:
    """What a service's container wrote or an engine said about it."""
    return without_secrets(text, secret_values(spec.task) if spec else ())


def masked(spec: ServiceSpec) -> ServiceSpec:
    """The definition as it may be shown; never recorded, never run."""
    values = secret_values(spec.task)
    return msgspec.convert(_masked(msgspec.to_builtins(spec), values), ServiceSpec)


def _masked(value: Any, values: tuple[str, ...], *, named_by_user: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            name: MASK
            if named_by_user and each and is_secret_name(name)
            else _masked(each, values, named_by_user=name in _NAMED_BY_USERS)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        before = [None, *value]
        return [
            MASK if isinstance(each, str) and _is_secret_flag(flag) else _masked(each, values)
            for flag, each in zip(before, value, strict=False)
        ]
    return without_secrets(value, values) if isinstance(value, str) else value


def _is_secret_flag(argument: Any) -> bool:
    """`--password`, whose value is the argument after it."""
    return (
        isinstance(argument, str)
        and _FLAG_ALONE.fullmatch(argument) is not None
        and is_secret_name(argument)
    )
