"""Specs as canonical JSON, and the digest of a task.

Canonical: keys sorted, no white space, and nothing that equals its default.  So a field that a
later
version adds leaves the JSON, and with it the digest, of every spec that does not use it as it was.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from rollout.model.spec import ServiceSpec, TaskSpec

S = TypeVar("S", bound=Struct)

# msgspec makes out a type's fields at its first use, and shows them to other threads before it is
# through: two that read their first spec at the same moment would crash the process.  Importing is
# done by one thread.
msgspec.json.Decoder(ServiceSpec)


def canonical(spec: Struct) -> str:
    return msgspec.json.encode(_plain(spec), order="sorted").decode()


def from_canonical(text: str, kind: type[S]) -> S:
    """Raises msgspec.ValidationError, whose text names the path, where the text does not fit."""
    return msgspec.json.decode(text, type=kind)


@lru_cache(maxsize=512)
def spec_in(text: str) -> ServiceSpec | None:
    """A service's definition from a label; None where it cannot be read: of a newer version, cut
    short, or never one."""
    try:
        return from_canonical(text, ServiceSpec)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def task_digest(task: TaskSpec) -> str:
    """Twelve hex digits would do for people; all 64 are compared."""
    return hashlib.sha256(canonical(task).encode()).hexdigest()


@lru_cache(maxsize=4096)
def digest_of_label(text: str) -> str:
    """The task digest of a service's canonical JSON; empty where it cannot be read."""
    spec = spec_in(text)
    return "" if spec is None else task_digest(spec.task)


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return {
            field.encode_name: _plain(current)
            for field in fields(value)
            if (current := getattr(value, field.name)) != _default(field)
        }
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        # 5 and 5.0 seconds are the same definition, whoever wrote which.
        return int(value)
    return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
