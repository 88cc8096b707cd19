"""Mappings with keys of the user's choice, and the order in which Compose's YAML library writes
them: `a2` before `a10`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key
from typing import Any


class Map(dict[str, Any]):
    """Its keys are the user's: whoever writes it sorts them."""


def ordered(keys: Iterable[str]) -> list[str]:
    """Numbers in names by their value, what is no letter before letters."""
    return sorted(keys, key=cmp_to_key(_compare))


def _compare(one: str, other: str) -> int:
    at = _first_difference(one, other)
    if at == min(len(one), len(other)):
        return len(one) - len(other)
    a, b = one[at], other[at]
    if a.isalpha() and b.isalpha():
        return -1 if a < b else 1
    if a.isalpha() or b.isalpha():
        # A letter ends a number that began before it: `a1b` before `a12`.
        within_number = at > 0 and one[at - 1].isdecimal()
        return -1 if a.isalpha() == within_number else 1
    within = "0" in (a, b) and _is_significant(one, at)
    first, second = _digits(one, at), _digits(other, at)
    numbers = [int(("1" if within else "") + text or "0") for text in (first, second)]
    if numbers[0] != numbers[1]:
        return -1 if numbers[0] < numbers[1] else 1
    if len(first) != len(second):
        return len(first) - len(second)
    return -1 if a < b else 1


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_significant(text: str, at: int) -> bool:
    """Whether a digit other than 0 stands in the same number before this place."""
    while at > 0 and text[at - 1].isdecimal():
        at -= 1
        if text[at] != "0":
            return True
    return False


def _digits(text: str, at: int) -> str:
    end = at
    while end < len(text) and end - at < 18 and text[end].isascii() and text[end].isdigit():
        end += 1
    return text[at:end]
