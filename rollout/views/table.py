"""Tables as `docker ps` prints them: columns of at least ten, three apart, no lines.

table(("NAME", "SERVICES"), [("st", "2")])  →  NAME      SERVICES
                                               st        2
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rollout.views.text import clean, pad, width

_LEAST = 10
_GAP = 3


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The whole table, without a newline at the end.  Cells are cleaned here."""
    lines = [tuple(header), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [
        max(_LEAST, *(width(line[column]) + _GAP for line in lines))
        for column in range(len(header))
    ]
    return "\n".join(
        "".join(pad(cell, columns) for cell, columns in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
