"""Text that is safe and fits: control characters written out, widths counted in columns, ages.

Names, labels, errors and log lines come from outside.  Everything that reaches a terminal passes
through `clean`, so that nothing can move the cursor, change a title or reverse a line.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

_DIGITS = 18
"""A longer run of digits is no number that anybody counts by."""
_SPACES = frozenset("\n\r\t\v\f\x85\u2028\u2029")
_STEERING = frozenset(
    [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    + ["\u200e", "\u200f", "\u061c", "\ufeff"]
)
"""Characters that change the direction of what follows."""


def clean(text: str) -> str:
    r"""One printable line: line breaks and tabs are spaces, other control characters `\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_clean(char) for char in text)


def _clean(char: str) -> str:
    if char in _SPACES:
        return " "
    if char in _STEERING or unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn"):
        return char.encode("unicode_escape").decode("ascii")
    return char


def width(text: str) -> int:
    """Columns a cleaned text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def truncate(text: str, columns: int) -> str:
    """At most so many columns; `…` is the last of them where something was cut off."""
    if width(text) <= columns:
        return text
    kept, used = [], 0
    for char in text:
        if used + _columns(char) > columns - 1:
            break
        kept.append(char)
        used += _columns(char)
    return "".join(kept) + "…"


def pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def age(seconds: float) -> str:
    """As Docker says it: `less than a second`, `5 seconds`, `about an hour`."""
    whole = int(seconds)
    if whole < 1:
        return "less than a second"
    if whole < 60:
        return _count(whole, "second")
    minutes = whole // 60
    if minutes == 1:
        return "about a minute"
    if minutes < 60:
        return _count(minutes, "minute")
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "about an hour"
    return _long_age(hours)


def _long_age(hours: int) -> str:
    if hours < 48:
        return _count(hours, "hour")
    if hours < 24 * 7 * 2:
        return _count(hours // 24, "day")
    if hours < 24 * 30 * 2:
        return _count(hours // 24 // 7, "week")
    if hours < 24 * 365 * 2:
        return _count(hours // 24 // 30, "month")
    return _count(hours // 24 // 365, "year")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ago(then: float, now: float) -> str:
    return f"{age(max(0.0, now - then))} ago"


def timestamp(epoch: float | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, for machines; None stays None."""
    if epoch is None:
        return None
    text = datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `web.10` comes after `web.9`."""
    parts: list[tuple[int, int, str]] = []
    run = ""
    for char in name:
        if run and char.isdecimal() != run[-1].isdecimal():
            parts.append(_part(run))
            run = ""
        run += char
    return (*parts, _part(run)) if run else tuple(parts)


def _part(run: str) -> tuple[int, int, str]:
    is_number = run.isdecimal() and len(run) <= _DIGITS
    return (0, int(run), "") if is_number else (1, 0, run)


def short_image(reference: str) -> str:
    """Without the digest, as Docker's tables show it; a bare id is cut to 12 digits."""
    name = reference.partition("@")[0]
    if name.startswith("sha256:"):
        return name[7:19]
    return name or reference


def image_digest(reference: str) -> str:
    """`sha256:…` where the reference is pinned, else empty."""
    return reference.partition("@")[2]
