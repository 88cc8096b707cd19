"""Ctrl-C: the first finishes what is in flight, the second leaves at once.

SIGTERM and SIGHUP count as the first; after it they count as the second too.  A signal that was
ignored when we were started (`nohup`, a shell's background) stays ignored.  To leave at once is to
leave the calls in flight to the engine: whoever drives next sees what became of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from rollout.cli import messages

INTERRUPTED = 130
FINISHING = "finishing what is in flight; once more leaves at once"
_STDOUT, _STDERR = 1, 2
_SHOW_CURSOR = b"\x1b[?25h\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_calls_left = False


def leave_calls() -> None:
    """Calls are under way that nobody waits for: the process is not to wait for them either."""
    global _calls_left  # noqa: PLW0603  of the process, as its threads are
    _calls_left = True


def end(code: int) -> NoReturn:
    """Leave with an exit code, once all output is written."""
    if _calls_left:
        os._exit(code)
    sys.exit(code)


class Interruption:
    """While it is open, `stop` and then `wake` are set by the first signal, which is answered with
    `words` on stderr (what they are may depend on the moment); the next ends the process with exit
    code 130.
    """

    def __init__(self, words: str | Callable[[], str] = "") -> None:
        self.stop = threading.Event()
        self.wake = threading.Event()
        self._words = words
        self._first = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _heeded():
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
        words = self._words if isinstance(self._words, str) else self._words()
        if words:
            _write(_STDERR, f"\n{messages.noted(words)}\n".encode())

    def _stop(self) -> None:
        self.stop.set()
        self.wake.set()


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Outside of any `Interruption`, SIGTERM and SIGHUP end a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heeded() -> Iterator[signal.Signals]:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            yield number


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave() -> None:
    """Not by an exception: on its way up it would wait for the calls in flight."""
    if os.isatty(_STDOUT):
        _write(_STDOUT, _SHOW_CURSOR)
    os._exit(INTERRUPTED)


def _write(descriptor: int, text: bytes) -> None:
    """Past Python's own streams: the interrupted code may be in the middle of writing to them."""
    with contextlib.suppress(OSError):
        os.write(descriptor, text)
