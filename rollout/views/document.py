"""What `--format json` prints: one JSON document, keys in the order of the README."""

from __future__ import annotations

from typing import Any

import msgspec


def document(value: Any) -> str:
    """Indented JSON without a newline at the end; structs become objects with all their fields."""
    encoded = msgspec.json.encode(value)
    return msgspec.json.format(encoded, indent=2).decode()


def document_line(value: Any) -> str:
    """The same on one line."""
    return msgspec.json.encode(value).decode()
