"""`diff`: what differs between two definitions, field by field.

    task.image
      - 127.0.0.1:5000/worker:v0.1@sha256:…
      + 127.0.0.1:5000/worker:v0.2@sha256:…

Secrets are masked unless asked for; that one has changed is still seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from rollout.model.secrets import masked
from rollout.model.spec import ServiceSpec
from rollout.views.text import clean


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
    shown_left, shown_right = (
        (left, right)
        if show_secrets
        else (dict(_fields(masked(before))), dict(_fields(masked(after))))
    )
    return tuple(
        Difference(field=field, before=shown_left.get(field), after=shown_right.get(field))
        for field in sorted(left.keys() | right.keys())
        if left.get(field) != right.get(field) or (field in left) != (field in right)
    )


def _fields(spec: ServiceSpec) -> Iterator[tuple[str, Any]]:
    yield from _flat("", msgspec.json.decode(msgspec.json.encode(spec)))


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
