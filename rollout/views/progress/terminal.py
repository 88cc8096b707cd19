"""Live progress in a terminal: one line a slot, redrawn in place.

The only module that imports rich.  It redraws by itself four times a second, so that what is waited
for counts down between two looks.  The engine's clock is carried on with this machine's monotonic
one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from rollout.model.event import Progress
from rollout.views.progress.slots import MOST_SLOTS, Bar, Cell, Panel, panel
from rollout.views.services import running_words
from rollout.views.text import clean, pad, truncate, width

_STYLES = {"good": "green", "busy": "cyan", "bad": "bold red", "still": "dim"}
_WIDEST_BAR = 50
_NARROWEST_BAR = 8
_NOTE = 28
_REDRAWS_A_SECOND = 4
_HEADINGS = 5
"""Lines a panel takes beside its slots."""
_WAITING_LINES = 3
_NOTICE_LINES = 3
_CELL_GAP = 2


class Terminal:
    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._progress: Progress | None = None
        self._seen_at = 0.0
        self._worked: set[str] = set()
        self._notice = ""
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=_REDRAWS_A_SECOND,
            transient=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._started = False

    def __call__(self, progress: Progress) -> None:
        self._worked |= {each.service for each in progress.services if not each.at_rest}
        self._progress, self._seen_at = progress, time.monotonic()
        if not self._started:
            self._started = True
            with contextlib.suppress(OSError):  # the terminal was hung up
                self._live.start()

    def notice(self, text: str) -> bool:
        self._notice = text
        return self._started

    def close(self) -> None:
        if self._started:
            self._started = False
            with contextlib.suppress(OSError):
                self._live.stop()

    def _render(self) -> Group:
        if self._progress is None:
            return Group()
        now = self._progress.at + time.monotonic() - self._seen_at
        size = self._console.size
        said = [
            line
            for part in self._notice.split("; ")
            if part
            for line in _wrapped(clean(part), "bold yellow", size.width, _NOTICE_LINES)
        ]
        rows = size.height - len(said)
        return Group(*screen(self._progress, now, size.width, rows, self._worked), *said)


def screen(
    progress: Progress, now: float, columns: int, rows: int, worked: AbstractSet[str] = frozenset()
) -> list[Text]:
    """The lines for a terminal of that size.

    Services in `worked` were changed before our eyes and keep their lines to the end; others that
    are at rest get one line, below.
    """
    lines = []
    if progress.away:
        lines.append(_text(f"{clean(progress.away)}", "bold red", columns))
    if progress.holder:
        lines.append(_text(f"driven by {clean(progress.holder)}, following", "dim", columns))
    busy = [each for each in progress.services if not each.at_rest or each.service in worked]
    rest = [each for each in progress.services if each not in busy]
    room = max(1, rows - 1 - len(lines) - len(rest) - _HEADINGS * len(busy))
    for status in busy:
        each = max(1, room // len(busy))
        lines += _paint(panel(status, now, min(MOST_SLOTS, each)), columns, each)
    for status in rest:
        shown = panel(status, now)
        done = running_words(status)
        lines.append(_text(f"{shown.title}  {done}", _STYLES[shown.mood], columns))
    return lines[:rows]


def _paint(shown: Panel, columns: int, room: int) -> list[Text]:
    bars = shown.slots
    label = max([width(bar.label) for bar in bars], default=0)
    state = max([width(bar.state) for bar in bars], default=0)
    lines = [
        _text(shown.title, "bold", columns),
        _text(f"{shown.overall.label}: {shown.overall.state}", _STYLES[shown.mood], columns),
        *(_line(bar, label, state, columns) for bar in bars),
        *_others(shown, columns, room - len(bars)),
    ]
    if shown.waiting:
        lines += _wrapped(shown.waiting, "yellow", columns, _WAITING_LINES)
    return lines


def _others(shown: Panel, columns: int, room: int) -> list[Text]:
    """The slots without a bar: each by itself as long as they fit, else by number, else counted."""
    if not shown.others:
        return []
    grid = _grid(shown.others, columns)
    if len(grid) <= room:
        return grid
    groups = _groups(shown.others)
    if len(groups) <= room:
        return [_text(text, _STYLES[mood], columns) for text, mood in groups]
    return [_text(shown.rest, "dim", columns)]


def _grid(cells: Sequence[Cell], columns: int) -> list[Text]:
    number = max(len(str(cell.slot)) for cell in cells)
    word = max(width(cell.word) for cell in cells)
    a_row = max(1, (columns + _CELL_GAP) // (number + 1 + word + _CELL_GAP))
    rows = []
    for first in range(0, len(cells), a_row):
        row = Text(no_wrap=True, overflow="ellipsis")
        for cell in cells[first : first + a_row]:
            text = f"{cell.slot:>{number}} {pad(cell.word, word)}{' ' * _CELL_GAP}"
            row.append(text, style=_STYLES[cell.mood])
        row.rstrip()
        row.truncate(columns, overflow="ellipsis")
        rows.append(row)
    return rows


def _groups(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """`running: 1-48, 60`, with the mood of it."""
    found: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        found.setdefault((cell.word, cell.mood), []).append(cell.slot)
    return [
        (f"{len(numbers)} {word}: {ranges(numbers)}", mood)
        for (word, mood), numbers in found.items()
    ]


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as `1-4, 7, 9-10`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def _wrapped(text: str, style: str, columns: int, most: int) -> list[Text]:
    """On several lines, so that the end of a sentence (how long still) is not cut off."""
    lines: list[Text] = []
    left = text
    while width(left) > columns and len(lines) < most - 1:
        head = truncate(left, columns + 1)[:-1]
        at = head.rfind(" ") if " " in head else len(head)
        lines.append(_text(left[:at], style, columns))
        left = left[at:].lstrip()
    return [*lines, _text(left, style, columns)]


def _line(bar: Bar, label: int, state: int, columns: int) -> Text:
    head = f"{pad(bar.label, label)}: {pad(bar.state, state)} "
    free = columns - width(head) - 3
    length = min(_WIDEST_BAR, free - _NOTE, max(free // 3, _NARROWEST_BAR))
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(head, style=_STYLES[bar.mood])
    if length >= _NARROWEST_BAR:
        line.append(f"[{_bar(bar.done, length)}] ", style=_STYLES[bar.mood])
    line.append(bar.note, style="bold red" if bar.mood == "bad" else "dim")
    line.truncate(columns, overflow="ellipsis")
    return line


def _bar(done: float, length: int) -> str:
    """Docker's bar: `=====>    `."""
    filled = min(length, round(done * length))
    if not filled:
        return " " * length
    return ("=" * (filled - 1) + ">").ljust(length)


def _text(text: str, style: str, columns: int) -> Text:
    return Text(truncate(text, columns), style=style, no_wrap=True, overflow="ellipsis")
