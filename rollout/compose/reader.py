"""The Compose files of a project: each is read and parsed once, all of them within one budget.

A file that extends or includes others, and they others again, costs as much as it brings: every
use counts, so that neither a chain nor a fan of files can grow without bound.
"""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rollout.compose.files import MAX_TEXT, decode, read_text
from rollout.compose.node import Mark, Node
from rollout.errors import FileError

STDIN = "-"
MAX_VALUES = 200_000
MAX_READS = 1000


class Reader:
    """`cwd` is what relative names are seen from, and shown relative to."""

    def __init__(self, cwd: Path, stdin: TextIO | None = None) -> None:
        self.cwd = Path(os.path.normpath(cwd.absolute()))
        self.stdin = stdin
        self.values_left = MAX_VALUES
        self.reads_left = MAX_READS
        self.parsed: dict[str, tuple[list[Node], int]] = {}

    def path(self, file: str) -> Path:
        """Whole, without `..`; for standard input the folder it is sent from."""
        return Path(os.path.normpath(self.cwd / (file if file != STDIN else ".")))

    def name(self, path: Path) -> str:
        """How a file that another one names is called in messages."""
        return str(path.relative_to(self.cwd)) if path.is_relative_to(self.cwd) else str(path)

    def documents(self, file: str, at: Mark | None = None) -> Sequence[Node]:
        """Those of a file that are not empty; `at` is where the file is named.

        Raises FileError.
        """
        self.reads_left -= 1
        if self.reads_left < 0:
            raise self.error(at or Mark(file), f"more than {MAX_READS} files are read")
        if file not in self.parsed:
            self.parsed[file] = self.parse(file)
        documents, size = self.parsed[file]
        self.take(size, at or Mark(file))
        return documents

    def parse(self, file: str) -> tuple[list[Node], int]:
        from rollout.compose.source import parse  # noqa: PLC0415  lazy: yaml costs 45 ms

        text = self.text(file)
        documents, size = parse(text, file, self.values_left)
        if not documents and not _is_blank(text):
            raise FileError("is empty", file=file, hint="write services: with one image")
        return documents, size

    def take(self, size: int, at: Mark) -> None:
        """Of the budget for values.  Raises FileError where it is spent."""
        self.values_left -= size
        if self.values_left < 0:
            raise self.error(at, f"more than {MAX_VALUES} values, each counted as often as used")

    def error(self, at: Mark, message: str) -> FileError:
        return FileError(message, file=at.file, line=at.line, column=at.column)

    def text(self, file: str) -> str:
        if file != STDIN:
            return read_text(self.path(file), file)
        if self.stdin is None:
            raise FileError("standard input is not connected", file=file)
        try:
            raw = self.stdin.read(MAX_TEXT + 1)
        except UnicodeDecodeError:
            raise FileError("is not UTF-8: send it in that encoding", file=file) from None
        return decode(raw.encode(errors="surrogateescape"), file)


def _is_blank(text: str) -> bool:
    """Nothing but comments: a file to be filled in later, which says nothing."""
    lines = (line.strip() for line in text.splitlines())
    return all(not line or line.startswith("#") for line in lines)
