"""Takes recordings of Swarm over into `data`: `python -m tests.conformance.take_over FOLDER`.

The folder holds `scenarios.py`, a function a scenario, which drives a recorder imported from `rec`,
and beside it the `*.json` that the recorder wrote.  Each function is run once more against a
recorder that only notes what it is asked for: so the steps and the definitions in `data` are those
which were driven, and nobody copies them by hand.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from tests.conformance.recording import (
    DATA,
    AwaitRunning,
    AwaitState,
    CommandRow,
    Create,
    Delete,
    Kill,
    Recording,
    Rollback,
    Row,
    ServiceRow,
    Sleep,
    Spec,
    Step,
    TaskRow,
    Touch,
    Update,
    text_of,
)

_STATES = (
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
)


class Noted:
    """What one scenario asks of its recorder, of the file system, of time and of `docker`."""

    def __init__(self, folder: Path) -> None:
        self.steps: list[Step] = []
        self.spec: Spec = {}
        self.previous: Spec = {}
        self._folder = folder

    def begin(self, name: str) -> Noted:
        self.name = name
        self.recorded = json.loads((self._folder / f"{name}.json").read_text())
        self.rows = tuple(_rows(self.recorded["events"]))
        self._calls = list(self._changes())
        return self

    def create(self, spec: Spec) -> None:
        self.spec = copy.deepcopy(spec)
        self.steps.append(Create(copy.deepcopy(spec)))

    def update(
        self,
        change: Callable[[Spec], object] | None = None,
        rollback: bool = False,
        msg: str | None = None,
    ) -> None:
        call, rolled_back = self._calls.pop(0)
        if rolled_back:
            self.spec = self.previous
        changed = copy.deepcopy(self.previous if rollback else self.spec)
        if change is not None:
            change(changed)
        self.steps.append(Rollback() if rollback else Update(copy.deepcopy(changed)))
        if call.refusal == "":
            self.previous, self.spec = self.spec, changed

    def running(self, count: int, image: str | None = None) -> None:
        self.steps.append(AwaitRunning(count, image))

    def state(self, states: str | list[str], timeout: float = 60) -> None:
        found = (states,) if isinstance(states, str) else tuple(states)
        self.steps.append(AwaitState(found, float(timeout)))

    def wait(self, true: Callable[[Any], object], timeout: float = 60, what: str = "") -> None:
        """Which states would make it true, found out by asking."""
        found = [state for state in _STATES if true(SimpleNamespace(last_svc={"state": state}))]
        self.state(found, timeout)

    def note(self, message: str, **more: object) -> None: ...

    def finish(self, extra: float = 0.5) -> None:
        self.steps.append(Sleep(float(extra)))

    def sleep(self, seconds: float) -> None:
        self.steps.append(Sleep(float(seconds)))

    def touch(self, path: str) -> SimpleNamespace:
        self.steps.append(Touch(path))
        return SimpleNamespace(close=lambda: None)

    def delete(self, path: str) -> None:
        self.steps.append(Delete(path))

    def docker(self, command: list[str], **_: object) -> SimpleNamespace:
        """`docker ps` shows one container an image; `docker kill` of it stands for all of them."""
        if "ps" in command:
            images = {row["image"] for row in self.recorded["events"] if row["kind"] == "task"}
            service = self.name.partition("_")[0]
            shown = [f"{image} {image} {service}.1.x" for image in sorted(images)]
            return SimpleNamespace(stdout="\n".join(shown), returncode=0)
        if "kill" in command:
            self.steps.append(Kill(command[-1]))
            return SimpleNamespace(stdout="", returncode=0)
        raise ValueError(f"{self.name}: cannot tell what {command} does to the tasks")

    def _changes(self) -> Iterator[tuple[CommandRow, bool]]:
        """Each change, and whether Swarm had gone back by itself since the one before it."""
        rolled_back = False
        for row in self.rows:
            if isinstance(row, CommandRow):
                yield row, rolled_back
                rolled_back = False
            elif isinstance(row, ServiceRow):
                rolled_back |= (row.message or "").startswith("update rolled back")


def taken_over(folder: Path) -> Iterator[Recording]:
    """Raises ValueError where a scenario does something that has no step here."""
    for name in _scenario_names(folder):
        noted = Noted(folder)
        _scenarios(folder, noted)[name]()
        yield Recording(
            name=noted.name,
            description=noted.recorded["description"],
            engine=noted.recorded["engine"],
            steps=tuple(noted.steps),
            rows=noted.rows,
        )


def _scenario_names(folder: Path) -> list[str]:
    found = _scenarios(folder, Noted(folder)).items()
    return [name for name, value in found if re.match(r"s\d", name) and callable(value)]


def _scenarios(folder: Path, noted: Noted) -> dict[str, Any]:
    """The functions of a folder's scenarios: they find the recorder's own helpers, and fakes for
    whatever has an effect."""
    fakes = {
        "Rec": lambda name, _: noted.begin(name),
        "time": SimpleNamespace(sleep=noted.sleep),
        "os": SimpleNamespace(
            path=SimpleNamespace(abspath=str),
            makedirs=lambda *_, **__: None,
            listdir=lambda _: [],
            remove=noted.delete,
        ),
        "subprocess": SimpleNamespace(run=noted.docker),
        "open": lambda path, *_: noted.touch(path),
    }
    module = types.ModuleType("rec")
    exec(compile((folder / "rec.py").read_text(), "rec.py", "exec"), module.__dict__)
    module.__dict__.update(fakes)
    names = dict(fakes)
    with patch.dict(sys.modules, rec=module):
        exec(compile((folder / "scenarios.py").read_text(), "scenarios.py", "exec"), names)
    return names


def _rows(events: list[dict[str, Any]]) -> Iterator[Row]:
    newest: dict[tuple[int, int], TaskRow] = {}
    for row in events:
        at = row["t"]
        if row["kind"] == "task":
            task = TaskRow(
                at,
                row["slot"] or 0,
                row["gen"],
                row["image"],
                row["desired"],
                row["state"],
                row.get("err", ""),
                row.get("exit"),
            )
            newest[task.slot, task.generation] = task
            yield task
        elif row["kind"] == "task-deleted":
            # Of one that ended it is the history's limit, of another it was scaled away.
            last = newest[row["slot"] or 0, row["gen"]]
            if last.state == "running" and last.desired == "running":
                yield replace(last, at=at, desired="remove")
        elif row["kind"] == "service":
            image, before = row["spec_image"], row["prev_image"]
            yield ServiceRow(at, image, before, row["state"], row["message"])
        elif row["kind"] == "note" and "status" in row:
            said = row["resp"]["message"] if row["status"] != 200 else ""
            yield CommandRow(at, said)


if __name__ == "__main__":
    for recording in taken_over(Path(sys.argv[1])):
        (DATA / f"{recording.name}.json").write_text(text_of(recording))
        print(recording.name, len(recording.steps), "steps", len(recording.rows), "rows")
