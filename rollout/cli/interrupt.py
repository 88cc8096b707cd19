"""Ctrl-C: the first finishes what is in flight, the second leaves at once.

SIGTERM and SIGHUP count as the first; after it they count as the second too.  To leave at once is
to leave the calls in flight to the engine: whoever drives next sees what became of them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

INTERRUPTED = 130
_SHOW_CURSOR = b"\x1b[?25h\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While it is open, `stop` and then `wake` are set by the first signal; the next ends
    the process with exit code 130.

    `said` is called once, from the signal handler, and must only print.
    """

    def __init__(self, said: Callable[[], None]) -> None:
        self.stop = threading.Event()
        self.wake = threading.Event()
        self._said = said
        self._first = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._first:
            _leave()
        self._first = True
        # The interrupted code may be inside these very events: setting one here could wait for it.
        threading.Thread(target=self._stop, daemon=True).start()
        self._said()

    def _stop(self) -> None:
        self.stop.set()
        self.wake.set()


def _leave() -> None:
    """Not by an exception: on its way up it would wait for the calls in flight."""
    if sys.stdout.isatty():
        os.write(sys.stdout.fileno(), _SHOW_CURSOR)
    os._exit(INTERRUPTED)
