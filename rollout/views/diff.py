"""`diff`: what differs between two definitions, field by field.

    task.image
      - 127.0.0.1:5000/worker:v0.1@sha256:…
      + 127.0.0.1:5000/worker:v0.2@sha256:…

Values of environment variables are shown; those whose name speaks of a password, a secret, a token
or a key are masked unless asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from rollout.model.spec import ServiceSpec
from rollout.views.text import clean

_SECRET = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
_MASKED = ("task.environment.", "task.labels.", "labels.", "task.logging.options.")
MASK = "********"


class Difference(Struct, frozen=True, kw_only=True):
    """One field.  `before` is None where it was added, `after` where it was taken away."""

    field: str
    before: Any
    after: Any


def differences(
    before: ServiceSpec, after: ServiceSpec, *, show_secrets: bool = False
) -> tuple[Difference, ...]:
    """Sorted by field.  A masked value still shows whether it was added, changed or taken away."""
    left, right = dict(_fields(before)), dict(_fields(after))
    found = []
    for field in sorted(left.keys() | right.keys()):
        one, other = left.get(field), right.get(field)
        if one == other and (field in left) == (field in right):
            continue
        if not show_secrets and is_secret(field):
            one, other = _mask(one), _mask(other)
        found.append(Difference(field=field, before=one, after=other))
    return tuple(found)


def is_secret(field: str) -> bool:
    """Whether the value of a field is not for every eye: judged by the name of the entry."""
    prefix = next((each for each in _MASKED if field.startswith(each)), None)
    return prefix is not None and _SECRET.search(field.removeprefix(prefix)) is not None


def _mask(value: Any) -> Any:
    return None if value is None else MASK


def _fields(spec: ServiceSpec) -> Iterator[tuple[str, Any]]:
    yield from _flat("", msgspec.to_builtins(spec))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Leaves of nested objects; a list is one leaf, but one of objects has a leaf per entry."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), each)
    elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        for index, each in enumerate(value):
            name = each.get("target") or each.get("name") or each.get("source") or index
            yield f"{path}[{name}]", {key: entry for key, entry in each.items() if entry}
    elif value not in (None, "", [], {}):
        yield path, value


def diff_text(found: Sequence[Difference]) -> str:
    """One field a paragraph; empty where nothing differs."""
    lines = []
    for each in found:
        lines.append(clean(each.field))
        if each.before is not None:
            lines.append(f"  - {_shown(each.before)}")
        if each.after is not None:
            lines.append(f"  + {_shown(each.after)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())
