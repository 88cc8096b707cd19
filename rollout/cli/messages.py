"""What is said on stderr beside the output: a line for people, or where JSON was asked for one
object a line.

    rollout: web: no such image (check its name)
    {"error":"web: no such image","hint":"check its name","reference":"not-found","exit_code":1}
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise

_ASKS = ("--log-format", "--format", "--progress")

_as_json = False
_said: set[str] = set()


def choose(arguments: Sequence[str]) -> None:
    """JSON where one of the flags asks for it; known before the command line is understood, since
    what is wrong with that is said so, too."""
    global _as_json  # noqa: PLW0603  of the process, as stderr is
    _as_json = asks_for_json(arguments)
    _said.clear()


def asks_for_json(arguments: Sequence[str]) -> bool:
    said = list(arguments)
    if "--" in said:
        said = said[: said.index("--")]
    in_one = {f"{flag}=json" for flag in _ASKS}
    in_two = {(flag, "json") for flag in _ASKS}
    return not in_one.isdisjoint(said) or not in_two.isdisjoint(pairwise(said))


def warn(text: str) -> None:
    """Something to know; the command goes on."""
    _write(noted(text))


def warn_once(text: str) -> None:
    """What several services have in common is said for the first."""
    if text not in _said:
        _said.add(text)
        warn(text)


def noted(text: str) -> str:
    """The line for a warning."""
    return _line({"warning": text}) if _as_json else f"rollout: {_clean(text)}"


def fail(
    text: str,
    *,
    reference: str,
    code: int,
    hint: str = "",
    more: Mapping[str, object] | None = None,
    lines: Sequence[str] = (),
) -> None:
    """Why a command ends as it does.  `more` is for machines, `lines` are for people."""
    if _as_json:
        fields = {"error": text, "hint": hint, "reference": reference, "exit_code": code}
        _write(_line({**fields, **(more or {})}))
        return
    shown = f"{text} ({hint})" if hint else text
    for line in shown.splitlines() or [shown]:
        _write(f"rollout: {_clean(line)}")
    for line in lines:
        _write(line)


def _line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))


def _clean(text: str) -> str:
    from rollout.views.text import clean

    return clean(text)


def _write(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201  the one place for it
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
