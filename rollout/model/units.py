"""Durations and byte sizes as Go and Docker write them: parse, print.

Durations follow Go's `time.ParseDuration`: `1m30s`, `1.5h`, `100ms`, `0`; a unit is required, there
are no days.  They are seconds as floats inside, and print as Go prints them (`1h30m0s`).
Sizes follow Docker's `RAMInBytes`: base 1024, `b k m g t p` with or without `b`/`ib`, any case.
"""

from __future__ import annotations

import re
from decimal import Decimal

_UNIT_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_MAX_NS = 2**63 - 1
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?([bkmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds.  Raises ValueError with a reason a person can act on."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0.0
    total, at = Decimal(0), 0
    for part in _PART.finditer(body):
        if part.start() != at:
            break
        total += Decimal(part[1]) * _UNIT_NS[part[2]]
        at = part.end()
    if not body or at != len(body):
        hint = (
            "a unit is missing"
            if re.fullmatch(r"[0-9.]+", body)
            else "use for example 10s or 1m30s"
        )
        raise ValueError(f'"{text}" is not a duration: {hint}')
    if total > _MAX_NS:
        raise ValueError(f'"{text}" is not a duration: longer than 292 years')
    seconds = int(total) / 1e9
    return -seconds if text.startswith("-") else seconds


def format_duration(seconds: float) -> str:
    """As Go prints it: `1m30s`, `1.5s`, `500ms`, `0s`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    ns = round(seconds * 1e9)
    if ns == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if ns < size * 1000:
            return f"{_decimal(ns, size)}{unit}"
    hours, rest = divmod(ns, _UNIT_NS["h"])
    minutes, rest = divmod(rest, _UNIT_NS["m"])
    text = f"{_decimal(rest, 10**9)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if size > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)


def parse_size(text: str) -> int:
    """Bytes.  Raises ValueError with a reason a person can act on."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a size: use for example 64m or 1.5g')
    power = "bkmgtp".index(match[2].lower() or "b")
    return int(Decimal(match[1]) * 1024**power)


def format_size(count: int) -> str:
    """Short, for people: `512MiB`, `1.5GiB`."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.4g}{unit}"
