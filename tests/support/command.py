"""`rollout` as a user runs it: a process of its own, its output and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from msgspec import Struct

TIMEOUT_S = 90


class Ran(Struct, frozen=True):
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def rollout(
    *arguments: str,
    expect: int | None = 0,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    stdin: str = "",
) -> Ran:
    """Run a command to its end and check its exit code (None: any)."""
    done = subprocess.run(
        [sys.executable, "-m", "rollout", *arguments],
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=TIMEOUT_S,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in ran.err, str(ran)
    assert expect is None or ran.code == expect, f"expected exit {expect}\n{ran}"
    return ran


def start(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a command in the background; `finish` waits for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "rollout", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


def finish(process: subprocess.Popen[str], expect: int | None = 0) -> Ran:
    out, err = process.communicate(timeout=TIMEOUT_S)
    ran = Ran(process.returncode, out, err)
    assert "Traceback" not in ran.err, str(ran)
    assert expect is None or ran.code == expect, f"expected exit {expect}\n{ran}"
    return ran


def hears(process: subprocess.Popen[str], text: str) -> str:
    """Reads what a started command prints until a line has the text, and returns that line;
    `finish` then has what comes after it."""
    assert process.stdout is not None
    heard = []
    for line in iter(process.stdout.readline, ""):
        heard.append(line)
        if text in line:
            return line
    raise AssertionError(f"never said {text!r}, but:\n{''.join(heard)}")


def compose_file(folder: Path, text: str, name: str = "compose.yml") -> str:
    """Write a Compose file; the text may be indented as it stands in a test."""
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return str(path)
