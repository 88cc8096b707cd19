"""`rollout` commands as processes of their own, which may be killed at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.support.command import Ran

TIMEOUT_S = 90.0


class Stuck(Exception):  # noqa: N818  it is what the command is
    """A command did not end by itself."""


class Commands:
    """One command at a time; `kill` may be called from any thread."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="chaos")
        self.folder = Path(self._folder.name)
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._process = 0
        self._started = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, *arguments: str) -> Ran:
        """To its end, whatever that is.  Raises Stuck, and has killed it then."""
        out, err = self.folder / "out", self.folder / "err"
        order = {"arguments": arguments, "out": str(out), "err": str(err)}
        assert self._zygote.stdin is not None
        self._started.clear()
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        self._process = self._answers.get(timeout=TIMEOUT_S)
        self._started.set()
        try:
            code = self._answers.get(timeout=TIMEOUT_S)
        except queue.Empty:
            self.kill()
            self._answers.get(timeout=TIMEOUT_S)
            raise Stuck(f"{' '.join(arguments)}\n{out.read_text()}{err.read_text()}") from None
        return Ran(code, out.read_text(), err.read_text())

    def kill(self) -> None:
        self._started.wait(TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)

    def close(self) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait(TIMEOUT_S)
        self._folder.cleanup()

    def _read(self) -> None:
        assert self._zygote.stdout is not None
        for line in self._zygote.stdout:
            self._answers.put(int(line))
