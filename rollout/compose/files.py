"""Files the loader reads, whole and bounded: every failure is one line that names the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rollout.errors import FileError

MAX_TEXT = 4 * 1024 * 1024


def read_text(path: Path, name: str = "") -> str:
    """A Compose file's text; it may come through a pipe.  `name` is how errors call it."""
    return decode(_read(path, name or str(path), MAX_TEXT, special=True), name or str(path))


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a file that a Compose file names; never a device or a pipe."""
    return _read(path, str(path), limit, special=False)


def decode(raw: bytes, name: str) -> str:
    """Text from UTF-8, a byte order mark skipped.  Raises FileError with the line."""
    if len(raw) > MAX_TEXT:
        raise FileError(f"is larger than {MAX_TEXT // 1024 // 1024} MiB", file=name)
    if (nul := raw.find(b"\0")) >= 0:
        line = raw.count(b"\n", 0, nul) + 1
        raise FileError("contains a NUL byte: this is not a text file", file=name, line=line)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileError("is not UTF-8: save it in that encoding", file=name, line=line) from None


def _read(path: Path, name: str, limit: int, *, special: bool) -> bytes:
    try:
        with open(path, "rb", opener=_opener) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(mode) or special):
                raise FileError("is not a regular file", file=name)
            os.set_blocking(file.fileno(), True)
            raw: bytes = file.read(limit + 1)
    except FileNotFoundError:
        raise FileError("no such file", file=name) from None
    except IsADirectoryError:
        raise FileError("is a directory, not a file", file=name) from None
    except PermissionError:
        raise FileError("permission denied", file=name, hint="check who may read it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"cannot be read: {reason}", file=name) from None
    if len(raw) > limit:
        raise FileError(f"is larger than {limit} bytes", file=name)
    return raw


def _opener(path: str, flags: int) -> int:
    """Without waiting for a writer on the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
