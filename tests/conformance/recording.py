"""A recording of a real Swarm: what was driven, step by step, and what was seen, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

DATA = Path(__file__).parent / "data"

Spec = dict[str, Any]
"""A service's definition, as the Engine API writes it."""


class Create(Struct, frozen=True, tag="create", tag_field="do"):
    spec: Spec


class Update(Struct, frozen=True, tag="update", tag_field="do"):
    """`spec` is the whole definition after the change."""

    spec: Spec


class Rollback(Struct, frozen=True, tag="rollback", tag_field="do"):
    """To the definition before."""


class AwaitRunning(Struct, frozen=True, tag="await-running", tag_field="do"):
    count: int
    image: str | None = None


class AwaitState(Struct, frozen=True, tag="await-state", tag_field="do"):
    states: tuple[str, ...]
    within_s: float = 60.0


class Sleep(Struct, frozen=True, tag="sleep", tag_field="do"):
    seconds: float


class Touch(Struct, frozen=True, tag="touch", tag_field="do"):
    """Make a file in a folder that the tasks have mounted."""

    path: str


class Delete(Struct, frozen=True, tag="delete", tag_field="do"):
    path: str


class Kill(Struct, frozen=True, tag="kill", tag_field="do"):
    """The processes of all tasks of an image die."""

    image: str


Step = Create | Update | Rollback | AwaitRunning | AwaitState | Sleep | Touch | Delete | Kill
Command = Create | Update | Rollback


class TaskRow(Struct, frozen=True, tag="task", array_like=True):
    """`generation`: the how-manieth task of its slot."""

    at: float
    slot: int
    generation: int
    image: str
    desired: str
    state: str
    error: str = ""
    exit_code: int | None = None


class ServiceRow(Struct, frozen=True, tag="service", array_like=True):
    at: float
    image: str
    previous: str | None
    state: str | None
    message: str | None


class CommandRow(Struct, frozen=True, tag="command", array_like=True):
    """A call that changes the service: when, and what the engine said where it refused."""

    at: float
    refusal: str = ""


Row = TaskRow | ServiceRow | CommandRow


class Recording(Struct, frozen=True, kw_only=True):
    name: str
    description: str
    engine: str
    steps: tuple[Step, ...]
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        """`s08b`"""
        return self.name.partition("_")[0]


def recordings(folder: Path = DATA) -> tuple[Recording, ...]:
    """All of a folder, by name."""
    return tuple(
        msgspec.json.decode(path.read_bytes(), type=Recording)
        for path in sorted(folder.glob("*.json"))
    )


def text_of(recording: Recording) -> str:
    """As it is kept: JSON with a row a line."""
    fields = msgspec.to_builtins(recording)
    lines = []
    for name, value in fields.items():
        if name in ("steps", "rows"):
            inner = ",\n".join(msgspec.json.encode(each).decode() for each in value)
            lines.append(f'"{name}": [\n{inner}\n]')
        else:
            lines.append(f'"{name}": {msgspec.json.encode(value).decode()}')
    return "{\n" + ",\n".join(lines) + "\n}\n"
