"""Plain data → YAML and JSON, byte for byte as Compose's Go libraries write them.

Text stands unquoted where YAML 1.1 and 1.2 both take it for text, in double quotes where one of
them would not, in single quotes where its characters would mislead, and as a block where it has
several lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rollout.compose.order import Map, ordered
from rollout.compose.scalars import Moment, float_text, resolve

_OLD_BOOL = re.compile(r"y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
_HINDERED = re.compile(r"[#,\[\]{}&*!|>'\"%@`]|[?:](?=[ \t\r\n]|\Z)|-(?=[ \t\r\n]|\Z)|---|\.\.\.")
"""Beginnings that mean something else than text."""
_MISLEADING = re.compile(r":(?=[ \t\r\n]|\Z)|(?<=[ \t\r\n])#")
_SPECIAL = re.compile("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]|[\u2028\u2029]")
_ESCAPED = re.compile('[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]|["\\\\\u2028\u2029]')
_ESCAPES = {
    **dict(zip('\0\a\b\t\n\v\f\r"\\', '0abtnvfr"\\', strict=True)),
    "\x1b": "e",
    "\x85": "N",
    "\u2028": "L",
    "\u2029": "P",
}
_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_LONGEST_KEY = 128
"""In bytes; a longer one, or one with a line break, stands behind a question mark."""
_HTML = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def to_yaml(data: dict[str, Any]) -> str:
    """With a line break at the end."""
    return "".join(f"{line}\n" for line in _lines(data))


def _lines(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    if isinstance(value, dict):
        for key in ordered(value) if isinstance(value, Map) else value:
            each = value[key]
            if _BREAK.search(key) or len(key.encode()) > _LONGEST_KEY:
                yield from _entry("?", key, indented=False)
                yield from _entry(":", each, indented=False)
            else:
                yield from _entry(f"{_scalar(key)}:", each, indented=True)
    else:
        for each in value:
            yield from _entry("-", each, indented=False)


def _entry(lead: str, value: Any, *, indented: bool) -> Iterator[str]:
    """What follows a key stands below it, what follows a dash beside it."""
    if isinstance(value, str) and "\n" in value and _may_be_block(value):
        header, *lines = _block(value)
        yield f"{lead} {header}"
        yield from (f"  {line}" if line else "" for line in lines)
    elif not isinstance(value, dict | list) or not value:
        yield f"{lead} {_scalar(value)}"
    elif indented:
        yield lead
        yield from (f"  {line}" if line else "" for line in _lines(value))
    else:
        for number, line in enumerate(_lines(value)):
            yield (f"  {line}" if number else f"{lead} {line}") if line else ""


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case str():
            return _text(value)
        case dict():
            return "{}"
        case list():
            return "[]"
    return str(value)


def _text(value: str) -> str:
    if isinstance(value, Moment):
        return value.iso
    if resolve(value) is not value or _OLD_BOOL.fullmatch(value) or _BASE_60.fullmatch(value):
        return _double_quoted(value)
    if _SPECIAL.search(value) or "\n" in value:
        return _double_quoted(value)
    outer = value[0] == " " or value[-1] == " "
    if outer or _HINDERED.match(value) or _MISLEADING.search(value):
        return "'" + value.replace("'", "''") + "'"
    return value


def _double_quoted(value: str) -> str:
    return '"' + _ESCAPED.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _ESCAPES:
        return "\\" + _ESCAPES[char]
    code = ord(char)
    return (
        f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}" if code < 65536 else f"\\U{code:08X}"
    )


def _may_be_block(value: str) -> bool:
    return not (_SPECIAL.search(value.replace("\t", " ")) or value[-1] == " " or " \n" in value)


def _block(value: str) -> Iterator[str]:
    """A header that says how it begins and ends, then the lines."""
    hint = "2" if value[0] in " \n" else ""
    body = value.removesuffix("\n")
    end = "-" if body == value else "+" if not body or body[-1] == "\n" else ""
    yield f"|{hint}{end}"
    # Go's library takes a break at the beginning for the one after the header.
    yield from body.removeprefix("\n").split("\n") if body else []


def to_json(data: dict[str, Any], *, compact: bool = False) -> str:
    """As Go's json package: `<`, `>` and `&` escaped, a whole number without a point."""
    if compact:
        text = json.dumps(_jsonable(data), ensure_ascii=False, separators=(",", ":"))
    else:
        text = json.dumps(_jsonable(data), ensure_ascii=False, indent=2)
    return text.translate(_HTML)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value) if isinstance(value, Map) else value
        return {key: _jsonable(value[key]) for key in keys}
    if isinstance(value, list):
        return [_jsonable(each) for each in value]
    if isinstance(value, Moment):
        return value.iso
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value
