"""Lines to a stream whose reader may go away in the middle."""

from __future__ import annotations

from typing import TextIO


class Writer:
    """Writes whole lines, each at once; once they cannot be written it is silent."""

    def __init__(self, out: TextIO) -> None:
        self._out: TextIO | None = out

    def line(self, text: str) -> None:
        if self._out is None:
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except OSError:  # a broken pipe, a terminal that was hung up, a full disk
            self._out = None
