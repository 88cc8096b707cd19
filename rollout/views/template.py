r"""`--format '{{.Name}} {{.Image}}'`: lines of a user's own making, in the notation of `docker`.

What is understood: `{{.Field}}`, `{{json .Field}}`, `{{json .}}`, `\t` and `\n`, and in front of
all `table `, which adds a header.  There are no conditions and no loops: for those, there is JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from rollout.errors import UsageError
from rollout.views.table import table
from rollout.views.text import clean

_ACTION = re.compile(r"\{\{\s*(json\s+)?\.(\w*)\s*\}\}")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TABLE = "table "

Row = Mapping[str, str]


def is_template(text: str) -> bool:
    return "{{" in text or text.startswith(_TABLE)


def render(template: str, rows: Iterable[Row], fields: Sequence[str]) -> str:
    """One line per row, each with all of `fields`.  Raises UsageError for what is not
    understood."""
    text = template.removeprefix(_TABLE).replace("\\t", "\t").replace("\\n", "\n")
    _check(text, fields)
    lines = [_line(text, row) for row in rows]
    if not template.startswith(_TABLE):
        return "\n".join(lines)
    header = _ACTION.sub(lambda found: _WORDS.sub(" ", found[2]).upper(), text)
    return table(header.split("\t"), [line.split("\t") for line in lines])


def _check(text: str, fields: Sequence[str]) -> None:
    there = ", ".join(f".{field}" for field in fields)
    for found in _ACTION.finditer(text):
        if found[2] not in fields and not (found[1] and not found[2]):
            raise UsageError(
                f'--format: there is no field ".{found[2]}"', hint=f"there are {there}"
            )
    if "{{" in _ACTION.sub("", text):
        raise UsageError(
            f'--format: "{text}" is more than is understood here',
            hint=f"use {{{{.Field}}}} or {{{{json .Field}}}} with {there}; or --format json",
        )


def _line(text: str, row: Row) -> str:
    def value(found: re.Match[str]) -> str:
        if not found[1]:
            return clean(row[found[2]])
        return msgspec.json.encode(row[found[2]] if found[2] else dict(row)).decode()

    return _ACTION.sub(value, text)
