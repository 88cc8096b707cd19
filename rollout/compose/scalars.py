"""Plain YAML scalars as Compose reads them: YAML 1.2, with the leniencies of its Go library.

`yes` and `22:22` are text, `017` and `0o17` are 15, `1_000` is 1000, `2001-12-14` becomes a point
in time and is printed as Go prints one.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal

Scalar = str | int | float | bool | None


class Moment(str):
    """A point in time, as text in an environment; `iso` is how an extension shows it."""

    __slots__ = ("iso",)
    iso: str

    @classmethod
    def of(cls, text: str, iso: str) -> Moment:
        found = cls(text)
        found.iso = iso
        return found


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SPECIAL = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INT = re.compile(
    r"([-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9][0-9]*))",
    re.ASCII,
)
_BASE = {"x": 16, "b": 2, "o": 8, "d": 10}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt]|[ \t]+)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?[ \t]*(Z|[-+]\d{2}:\d{2})?)?",
    re.ASCII,
)
_NUMBER_STARTS = frozenset("+-.0123456789")
_MAX_DIGITS = 64
_DIGITS = 6


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if not text or text[0] not in _NUMBER_STARTS:
        if text in _NULL:
            return None
        return _BOOL.get(text, text)
    if len(text) > _MAX_DIGITS:
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    if text in _SPECIAL:
        return _SPECIAL[text]
    digits = text.replace("_", "")
    if match := _INT.fullmatch(digits):
        base = match.lastgroup or "d"
        value = int(match[1] + match[base], _BASE[base])
        if -(2**63) <= value < 2**64:
            return value
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        return text if math.isinf(number) else number
    if match := _DATE.fullmatch(text):
        return _point_in_time(match) or text
    return text


def _point_in_time(match: re.Match[str]) -> Moment | None:
    year, month, day, hour, minute, second = (int(match[i] or 0) for i in range(1, 7))
    try:
        dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        return None
    fraction = f".{match[7]}".rstrip("0").rstrip(".") if match[7] else ""
    zone = match[8] or "Z"
    offset = "+0000 UTC" if zone == "Z" else f"{zone.replace(':', '')} {zone.replace(':', '')}"
    day_text, clock = f"{year:04d}-{month:02d}-{day:02d}", f"{hour:02d}:{minute:02d}:{second:02d}"
    whole = f"{clock}{fraction}"
    return Moment.of(f"{day_text} {whole} {offset}", f"{day_text}T{whole}{zone}")


def as_text(value: Scalar) -> str:
    """A scalar as Go prints it: what Compose makes of `A: 1e3` in an environment."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case _:
            return str(value)


def float_text(value: float) -> str:
    """As Go prints it: with an exponent below 1e-4, and from a million on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, scale = Decimal(repr(value)).normalize().as_tuple()
    exponent = len(digits) - 1 + int(scale)
    if value == 0 or -4 <= exponent < _DIGITS:
        return format(Decimal(repr(value)).normalize(), "f")
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    mantissa = f"{'-' if sign else ''}{first}{'.' if rest else ''}{rest}"
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
