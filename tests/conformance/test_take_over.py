"""More recordings of Swarm, made as these were, need no hand to become cases."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.recording import (
    AwaitRunning,
    AwaitState,
    CommandRow,
    Create,
    Delete,
    Kill,
    Rollback,
    Sleep,
    TaskRow,
    Touch,
    Update,
)
from tests.conformance.take_over import taken_over

REC = """
import os, subprocess, time
def spec(image): return {"TaskTemplate": {"ContainerSpec": {"Image": image}}}
def to(image):
    def f(sp): sp["TaskTemplate"]["ContainerSpec"]["Image"] = image
    return f
"""
SCENARIOS = """
from rec import *
def s90():
    open("folder/ok", "w").close()
    r = Rec("s90_all", "everything that may be driven")
    r.create(spec("v1")); r.running(2)
    os.remove("folder/ok")
    r.update(to("v2")); r.wait(lambda r: r.last_svc["state"] == "completed", 70, "completed")
    time.sleep(.5); r.update(rollback=True); r.update(rollback=True); r.update(to("v3"))
    ids = [i for i in subprocess.run(["docker", "ps"]).stdout.splitlines() if "v1" in i]
    for i in ids: subprocess.run(["docker", "kill", i.split()[0]])
    r.finish(3)
"""


def test_what_was_driven_becomes_steps(tmp_path: Path) -> None:
    """Definitions follow what Swarm did: it had gone back by itself, and refused a rollback.

    A task that was up and is shown no more was scaled away.
    """
    refused = {"status": 400, "resp": {"message": "no previous spec"}}
    events = [
        {"t": 0.1, "kind": "task", "slot": 1, "gen": 1, "image": "v1", "desired": "running"}
        | {"state": "failed", "err": "non-zero exit (3)", "exit": 3},
        {"t": 1.0, "kind": "note", "msg": "API update", "status": 200, "resp": None},
        {"t": 1.5, "kind": "task", "slot": 2, "gen": 1, "image": "v1", "desired": "running"}
        | {"state": "running"},
        _rolled_back(2.0),
        {"t": 2.5, "kind": "task-deleted", "slot": 2, "gen": 1},
        {"t": 2.5, "kind": "task-deleted", "slot": 1, "gen": 1},
        {"t": 3.0, "kind": "note", "msg": "API rollback", **refused},
        {"t": 4.0, "kind": "note", "msg": "API rollback", **refused},
        {"t": 5.0, "kind": "note", "msg": "API update", "status": 200, "resp": None},
    ]
    (tmp_path / "rec.py").write_text(REC)
    (tmp_path / "scenarios.py").write_text(SCENARIOS)
    (tmp_path / "s90_all.json").write_text(
        json.dumps({"description": "d", "engine": "e", "events": events})
    )

    (found,) = taken_over(tmp_path)

    assert found.steps == (
        Touch("folder/ok"),
        Create(_spec("v1")),
        AwaitRunning(2),
        Delete("folder/ok"),
        Update(_spec("v2")),
        AwaitState(("completed",), 70.0),
        Sleep(0.5),
        Rollback(),
        Rollback(),
        Update(_spec("v3")),
        Kill("v1"),
        Sleep(3.0),
    )
    assert found.rows[0] == TaskRow(0.1, 1, 1, "v1", "running", "failed", "non-zero exit (3)", 3)
    assert found.rows[4] == TaskRow(2.5, 2, 1, "v1", "remove", "running")
    assert found.rows[5] == CommandRow(3.0, "no previous spec")


def _spec(image: str) -> dict[str, object]:
    return {"TaskTemplate": {"ContainerSpec": {"Image": image}}}


def _rolled_back(at: float) -> dict[str, object]:
    message = "update rolled back due to failure or early termination of task x"
    return {
        "t": at,
        "kind": "service",
        "spec_image": "v1",
        "prev_image": None,
        "state": "rollback_started",
        "message": message,
    }
