"""Live progress in a terminal: one line a slot, redrawn in place.

The only module that imports rich.  It redraws by itself four times a second, so that what is waited
for counts down between two looks.  The engine's clock is carried on with this machine's monotonic
one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Set as AbstractSet
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from rollout.model.event import Progress
from rollout.views.progress.slots import Bar, Panel, panel
from rollout.views.text import clean, pad, truncate, width

_STYLES = {"good": "green", "busy": "cyan", "bad": "bold red", "still": "dim"}
_WIDEST_BAR = 50
_NARROWEST_BAR = 8
_NOTE = 28
_REDRAWS_A_SECOND = 4
_HEADINGS = 4
"""Lines a panel takes beside its slots."""


class Terminal:
    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._progress: Progress | None = None
        self._seen_at = 0.0
        self._worked: set[str] = set()
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
        return Group(*screen(self._progress, now, size.width, size.height, self._worked))


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
        lines += _paint(panel(status, now), columns, max(1, room // len(busy)))
    for status in rest:
        shown = panel(status, now)
        done = f"{status.running}/{status.desired} running"
        lines.append(_text(f"{shown.title}  {done}", _STYLES[shown.mood], columns))
    return lines


def _paint(shown: Panel, columns: int, room: int) -> list[Text]:
    bars = shown.slots
    rest = shown.rest
    if len(bars) > room:
        rest = f"{len(bars) - room} lines more than fit here" + (f"; {rest}" if rest else "")
        bars = bars[:room]
    label = max([width(bar.label) for bar in bars], default=0)
    state = max([width(bar.state) for bar in bars], default=0)
    lines = [
        _text(shown.title, "bold", columns),
        _text(f"{shown.overall.label}: {shown.overall.state}", _STYLES[shown.mood], columns),
        *(_line(bar, label, state, columns) for bar in bars),
    ]
    if rest:
        lines.append(_text(rest, "dim", columns))
    if shown.waiting:
        lines.append(_text(shown.waiting, "yellow", columns))
    return lines


def _line(bar: Bar, label: int, state: int, columns: int) -> Text:
    head = f"{pad(bar.label, label)}: {pad(bar.state, state)} "
    length = min(_WIDEST_BAR, columns - width(head) - _NOTE - 3)
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
