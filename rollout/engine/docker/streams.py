"""What the engine sends bit by bit: multiplexed output, and the lines of a pull.

A container without a terminal sends frames: one byte for the stream (1 stdout, 2 stderr), three
zeros, four for the length (big endian), and the bytes.  `01 00 00 00 00 00 00 03 61 62 0a` is the
line `ab` on stdout.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator

from rollout.engine.docker.faults import one_line
from rollout.errors import EngineError, NotFoundError

_HEADER = 8
_STREAMS = {1: "stdout", 2: "stderr"}
_NOT_THERE = ("not found", "manifest unknown", "does not exist", "no such")


def frames(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Each frame's stream and content, from pieces cut anywhere; half a frame is lost."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _HEADER:
            stream, length = struct.unpack_from(">BxxxL", held)
            if len(held) < _HEADER + length:
                break
            yield _STREAMS.get(stream, "stdout"), bytes(held[_HEADER : _HEADER + length])
            del held[: _HEADER + length]


def lines(parts: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
    """Each line's stream and text, without its end; long lines come in several frames."""
    held = {"stdout": b"", "stderr": b""}
    for stream, content in parts:
        *whole, held[stream] = (held[stream] + content).split(b"\n")
        for line in whole:
            yield stream, line.decode(errors="replace").removesuffix("\r")
    for stream, rest in held.items():
        if rest:
            yield stream, rest.decode(errors="replace")


def raise_pull_error(line: bytes, doing: str) -> None:
    """A pull answers 200 and says in its stream that it failed.  Raises that as our error."""
    try:
        message = json.loads(line)
    except ValueError:
        return
    if not isinstance(message, dict) or not message.get("error"):
        return
    said = one_line(str(message["error"]))
    kind = NotFoundError if any(word in said.lower() for word in _NOT_THERE) else EngineError
    raise kind(f"{doing}: {said}")
