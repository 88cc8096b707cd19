"""What a single value of a Compose file must look like, and its canonical form.

Each function takes a scalar as the YAML reader gave it and returns what `docker compose config`
would print for it, or raises BadValueError.  Text is accepted for numbers and booleans, since a
variable always yields text.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable

from rollout.compose.node import shown, suggest
from rollout.compose.scalars import Moment, Scalar, as_text
from rollout.model.units import format_duration, parse_duration, parse_size

Parse = Callable[[Scalar], Scalar]

_MAX_LENGTH = 64
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?:{_DOMAIN}(?:\.{_DOMAIN})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    rf"{_PATH}(?:/{_PATH})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_MAX_IMAGE = 512
RESTART = re.compile(r"(?:no|always|unless-stopped|on-failure(?::([0-9]{1,9}))?)", re.ASCII)
_PULL_POLICY = re.compile(
    r"always|never|missing|if_not_present|build|daily|weekly|every_([0-9]+[smhdw]){1,9}", re.ASCII
)
_YES, _NO = frozenset({"true", "y", "yes", "on"}), frozenset({"false", "n", "no", "off"})
_MAX = 2**63 - 1
_EXACT = 2.0**53


class BadValueError(ValueError):
    """Why a value cannot stand here, and what would."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def string(value: Scalar) -> str:
    if not isinstance(value, str) or isinstance(value, Moment):
        hint = f'write "{as_text(value)}"' if value is not None else ""
        raise BadValueError("must be a string", hint)
    return str(value)


def pull_policy(value: Scalar) -> str:
    """`daily` and its like are of newer Composes."""
    found = string(value)
    if not _PULL_POLICY.fullmatch(found):
        known = ("always", "never", "missing", "build", "if_not_present")
        hint = suggest(found, known) or "use always, never, missing or build"
        raise BadValueError(f"{shown(found)} is not a pull policy", hint)
    return "missing" if found == "if_not_present" else found


def restart(value: Scalar) -> str:
    """`restart`; YAML takes a bare `false` for a boolean, which nobody means here."""
    if value is False:
        raise BadValueError("must be a string", 'write "no", in quotes')
    found = string(value)
    if found and not RESTART.fullmatch(found):
        known = ("no", "always", "unless-stopped", "on-failure")
        hint = suggest(found, known) or "use no, always, unless-stopped or on-failure[:times]"
        raise BadValueError(f"{shown(found)} is not a restart policy", hint)
    return found


def text(value: Scalar) -> str:
    """Text, or a number or boolean as Go prints it; nothing is empty text."""
    return as_text(value)


def optional_text(value: Scalar) -> str | None:
    return None if value is None else as_text(value)


def string_or_number(value: Scalar) -> str:
    if value is None or isinstance(value, bool):
        raise BadValueError("must be a string or a number")
    return as_text(value)


def string_or_whole_number(value: Scalar) -> str:
    if isinstance(value, float):
        raise BadValueError("must be a string or a whole number", f'write "{as_text(value)}"')
    return string_or_number(value)


def whole_size(value: Scalar) -> str:
    """As `size_or_number`, but no fraction of a byte, and no sign."""
    if isinstance(value, float) and not value.is_integer():
        raise BadValueError("must be a whole number", "or text, such as 64m")
    if value in (-1, "-1"):
        raise BadValueError("must not be negative")
    return size_or_number(value)


def string_number_or_nothing(value: Scalar) -> str:
    return "" if value is None else string_or_number(value)


def boolean(value: Scalar) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _YES | _NO:
        return value.lower() in _YES
    raise BadValueError(f"{shown(as_text(value))} is neither true nor false")


def integer(low: int | None = None, high: int = _MAX) -> Parse:
    def parse(value: Scalar) -> int:
        number = _integer(value)
        if low is not None and number < low:
            what = "must not be negative" if low == 0 else f"must be {low} or more"
            raise BadValueError(f"{what}, not {number}")
        if number > high:
            raise BadValueError(f"must be {high} or less, not {number}")
        return number

    return parse


def percent(value: Scalar) -> str:
    """From 0 to 100, as text: so Compose prints it."""
    return str(integer(0, 100)(value))


def single(low: float = -math.inf, high: float = math.inf) -> Parse:
    """A number as exact as the 32 bits are in which Compose keeps it."""
    parse = number(low, high)

    def parse_single(value: Scalar) -> float | int:
        parse(value)  # refuses what is out of bounds
        found = _nearest(_float(value))
        return int(found) if found.is_integer() else found

    return parse_single


def _nearest(value: float) -> float:
    """The number nearest to it that has 32 bits, in its shortest form."""
    try:
        narrow = _narrow(value)
    except OverflowError:
        raise BadValueError(f"{as_text(value)} is too large") from None
    shorter = (float(f"{narrow:.{digits}g}") for digits in range(1, 10))
    return next((each for each in shorter if _narrow(each) == narrow), narrow)


def _narrow(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _integer(value: Scalar) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, str) and len(value) <= _MAX_LENGTH and _INTEGER.fullmatch(value):
        return int(value)
    raise BadValueError(f"{shown(as_text(value))} is not a whole number")


def number(low: float = -math.inf, high: float = math.inf) -> Parse:
    """A finite number from `low` to `high`; a whole one comes back as int, as it is printed."""

    def parse(value: Scalar) -> float | int:
        found = _float(value)
        if not low <= found <= high:
            limits = f"from {as_text(low)} to {as_text(high)}" if high < math.inf else "0 or more"
            raise BadValueError(f"must be a number {limits}, not {as_text(found)}")
        return int(found) if found.is_integer() else found

    return parse


def _float(value: Scalar) -> float:
    is_text = isinstance(value, str) and len(value) <= _MAX_LENGTH and _NUMBER.fullmatch(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    found = float(value) if value is not None and (is_text or is_number) else math.nan
    if not math.isfinite(found):
        raise BadValueError(f"{shown(as_text(value))} is not a number")
    return found


def duration(value: Scalar) -> str:
    """Canonical Go text; negative ones are refused, no key of Compose's has a use for them."""
    if not isinstance(value, str):
        raise BadValueError(
            "must be a string with a unit", f'write "{as_text(value)}s"' if value else ""
        )
    if len(value) > _MAX_LENGTH:
        raise BadValueError(f"{shown(value)} is not a duration")
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        message, _, hint = str(error).partition(": ")
        raise BadValueError(message, hint) from None
    if seconds < 0:
        raise BadValueError(f"must not be negative, not {shown(value)}")
    return format_duration(seconds)


def size(value: Scalar) -> str:
    """Bytes as text: `64m` is `67108864`."""
    return _size(string(value))


def size_or_number(value: Scalar) -> str:
    """As `size`; a bare number is bytes, and -1 stands for no limit."""
    if isinstance(value, int) and not isinstance(value, bool) and -1 <= value <= _MAX:
        return str(value)
    if value == "-1":
        return value
    return _size(string_or_number(value))


def _size(value: str) -> str:
    body = value + "b" if value[-1:] in ("i", "I") else value
    try:
        count = parse_size(body) if len(body) <= _MAX_LENGTH else _MAX + 1
    except ValueError:
        raise BadValueError(
            f"{shown(value)} is not a size", "use for example 64m or 1.5g"
        ) from None
    if count > _MAX:
        raise BadValueError(f"{shown(value)} is more than any machine has")
    return str(count)


def is_image(reference: str) -> bool:
    """Docker's grammar: `registry:5000/path/name:tag@digest`."""
    return len(reference) <= _MAX_IMAGE and _IMAGE.fullmatch(reference) is not None


def file_mode(value: Scalar) -> int:
    """Permission bits: `0440` and `"0440"` are octal, as newer Composes have them."""
    if isinstance(value, str) and re.fullmatch(r"0?o?[0-7]{1,4}", value, re.ASCII):
        value = int(value.replace("o", ""), 8)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0o7777:
        raise BadValueError(f"{shown(as_text(value))} is not a file mode", "use for example 0440")
    return value


def one_of(*choices: str) -> Parse:
    def parse(value: Scalar) -> str:
        found = string(value)
        if found not in choices:
            listed = ", ".join(choices[:-1]) + " or " + choices[-1]
            raise BadValueError(f"{shown(found)} must be {listed}", suggest(found, choices))
        return found

    return parse


def rollback_action(value: Scalar) -> Scalar:
    """What to do when a rollback fails; it cannot be another rollback."""
    if value == "rollback":
        raise BadValueError("a failed rollback cannot be rolled back", "use pause or continue")
    return one_of("pause", "continue")(value)


def device_count(value: Scalar) -> Scalar:
    """How many devices; all of them is -1."""
    return -1 if value == "all" else integer(-1)(value)


def published(value: Scalar) -> str:
    """A host port, or a range of them; empty where the engine picks one."""
    found = string_or_number(value)
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", found, re.ASCII)
    if found and match is None:
        raise BadValueError(f"{shown(found)} is not a port", "use 8080 or 8080-8090")
    if match is not None:
        first, last = int(match[1]), int(match[2] or match[1])
        if last > 65535 or first > last:
            raise BadValueError(f"{shown(found)} is not a port or range between 0 and 65535")
    return found


def ip_address(value: Scalar) -> str:
    from ipaddress import ip_address as parse_address  # noqa: PLC0415  lazy: seldom used, 5 ms

    found = string(value)
    bare = found[1:-1] if found[:1] == "[" and found[-1:] == "]" else found
    try:
        parse_address(bare)
    except ValueError:
        raise BadValueError(f"{shown(found)} is not an IP address") from None
    return bare
