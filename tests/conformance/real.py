"""A recording played on a real engine: Compose files and commands, each a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from rollout.controller.look import look
from rollout.controller.session import Session
from rollout.engine.docker.engine import DockerEngine
from rollout.ledger.ledger import Ledger
from rollout.model.revision import Revision
from rollout.model.state import Cause
from tests.conformance.case import SERVICE, Case, compose_of, forced
from tests.conformance.facts import Facts
from tests.conformance.lives import Happened, lives_of
from tests.conformance.play import goes_back_to, play
from tests.conformance.recording import Spec
from tests.conformance.trace import Asked, Life, Timeline, Trace, shown_of
from tests.support.command import finish, start
from tests.support.engine import build_image, sweep
from tests.support.witness import Seen, witness

REPOSITORY = "rollout-conformance"
"""Images are called as in the recording, below this name."""
_LOOK_EVERY_S = 0.5
_POLL_S = 0.05
_LONGEST_S = 180.0
_REFUSED = (1, 2)


class Real:
    """The stage.  `stack` is a name that nobody else uses."""

    def __init__(self, case: Case, stack: str, engine: DockerEngine) -> None:
        self._case = case
        self._stack = stack
        self._folder = Path(tempfile.mkdtemp(prefix="rollout-conformance-"))
        self._session = Session(engine, Ledger(engine.store, engine.now, "look@host"))
        self._client = docker.APIClient(version="1.41")
        self._commands: list[tuple[float, subprocess.Popen[str]]] = []
        self._timeline = Timeline()
        self._checked: set[int] = set()
        """Revisions with a healthcheck."""
        self.slack_s = 0.0
        """The longest that one look at the engine took: no event of this run is seen sooner."""

    def play(self) -> Facts:
        """All of it, and nothing is left.  Raises AssertionError where it does not end."""
        for image in self._case.images:
            build_image(f"{REPOSITORY}/{image}")
        try:
            with witness(self._stack) as self._witness, self._viewer():
                limit = self.now() + _LONGEST_S
                for waits in play(self._case, self):
                    while not waits.true() and (waits.at is None or self.now() < waits.at):
                        assert self.now() < limit, f"{self._case.id} does not come to its end"
                        time.sleep(_POLL_S)
            trace = self._trace()
            return self._case.facts_of(trace, succeeds=self._succeeds(trace))
        finally:
            for _, process in self._commands:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            self._client.close()
            sweep(self._stack)
            shutil.rmtree(self._folder)

    # -- the stage

    def now(self) -> float:
        return time.time()

    @property
    def busy(self) -> bool:
        return any(process.poll() is None for _, process in self._commands)

    @property
    def made(self) -> bool:
        return bool(self._session.ledger.read(self._stack))

    @property
    def state(self) -> str | None:
        return self._timeline.state

    def running(self, image: str | None) -> int:
        now = self.now()
        return sum(1 for life in self._lives() if life.up_at(now) and image in (None, life.image))

    def create(self, spec: Spec) -> None:
        self._deploy(spec)

    def update(self, spec: Spec, before: Spec) -> None:
        if forced(spec) != forced(before):
            self._start("update", self._service, "--force")
        elif _but_for_replicas(spec) == _but_for_replicas(before) and spec != before:
            self._start("scale", f"{self._service}={spec['Mode']['Replicated']['Replicas']}")
        else:
            self._deploy(spec)

    def roll_back(self) -> None:
        self._start("rollback", self._service)

    def kill(self, image: str) -> None:
        """From within, past the engine: it must not take this for somebody's wish."""
        for task in self._session.engine.observe(self._stack):
            if task.alive and _plain(task.image) == image:
                made = self._client.exec_create(task.container_id, ["sh", "-c", "kill -9 -1"])
                self._client.exec_start(made["Id"])

    def touch(self, path: str) -> None:
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / path).touch()

    def delete(self, path: str) -> None:
        (self._folder / path).unlink()

    # -- commands

    @property
    def _service(self) -> str:
        return f"{self._stack}_{SERVICE}"

    def _deploy(self, spec: Spec) -> None:
        for mount in spec["TaskTemplate"]["ContainerSpec"].get("Mounts", []):
            (self._folder / mount["Source"]).mkdir(parents=True, exist_ok=True)
        path = self._folder / f"compose.{len(self._commands)}.yml"
        path.write_text(json.dumps(compose_of(spec, str(self._folder), f"{REPOSITORY}/{{}}")))
        self._start("deploy", "-c", str(path), "--resolve-image", "never", self._stack)

    def _start(self, command: str, *arguments: str) -> None:
        limit = self._case.deadline_s
        more = [] if limit is None else ["--timeout", f"{limit}s"]
        self._commands.append((self.now(), start(command, *arguments, *more)))

    # -- what is seen

    @contextmanager
    def _viewer(self) -> Iterator[None]:
        """Somebody who looks whenever something has happened, until the end of the block."""
        over, woken = threading.Event(), threading.Event()

        def view() -> None:
            while not over.is_set():
                woken.clear()
                self._look()
                woken.wait(_LOOK_EVERY_S)
            self._look()

        watch = self._session.engine.watch(self._stack, woken.set)
        thread = threading.Thread(target=view, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            woken.set()
            thread.join(_LONGEST_S)
            watch.close()

    def _look(self) -> None:
        began = self.now()
        for status in look(self._session, self._stack).services:
            if status.revision.spec.task.healthcheck is not None:
                self._checked.add(status.revision.number)
            self._timeline.add(shown_of(status, _plain(status.revision.spec.task.image)))
        self.slack_s = max(self.slack_s, self.now() - began)

    def _lives(self) -> tuple[Life, ...]:
        events = tuple(self._witness.events)
        return lives_of([_happened(each, each.revision in self._checked) for each in events])

    def _trace(self) -> Trace:
        history = self._session.ledger.read(self._stack).get(SERVICE, ())
        self._checked |= {each.number for each in history if each.spec.task.healthcheck is not None}
        previous = goes_back_to(history)
        return Trace(
            lives=self._lives(),
            shown=tuple(self._timeline.shown),
            asked=tuple(self._asked(history)),
            until=self.now(),
            previous=None if previous is None else _plain(previous),
        )

    def _asked(self, history: tuple[Revision, ...]) -> Iterator[Asked]:
        """A command's time is that of what it recorded, where it did."""
        ends = [*(at for at, _ in self._commands[1:]), self.now()]
        for (at, process), end in zip(self._commands, ends, strict=True):
            made = [
                each.created_at
                for each in history
                if at <= each.created_at < end and each.cause is not Cause.AUTO_ROLLBACK
            ]
            code = finish(process, expect=None).code
            refused = code in _REFUSED and not made
            yield Asked(made[0] if made else at, f"exit code {code}" if refused else "", code)

    def _succeeds(self, trace: Trace) -> bool | None:
        """Raises AssertionError where the exit code does not say how it ended."""
        codes = [each.exit_code for each in trace.asked if not each.refusal]
        state = self._timeline.state
        if state is None or not codes:
            return None
        by_itself = any(each.message.startswith("update rolled back") for each in trace.shown)
        kept = any("kept" in each.message for each in trace.shown)
        late = self._case.deadline_s is not None and not kept
        stands_for = {
            "completed": 0,
            "rollback_completed": 4 if by_itself else 0,
            "paused": 6 if late else 3,
            "rollback_paused": 5,
        }
        assert codes[-1] == stands_for[state], f"exit code {codes[-1]} for {state}"
        return codes[-1] == 0


def _happened(event: Seen, checked: bool) -> Happened:
    return Happened(
        at=event.at,
        what=event.what.removeprefix("health_status: "),
        container=event.container,
        slot=event.slot,
        image=_plain(event.image),
        task=event.task,
        exit_code=event.exit_code,
        has_healthcheck=checked,
    )


def _plain(image: str) -> str:
    return image.removeprefix(f"{REPOSITORY}/")


def _but_for_replicas(spec: Spec) -> Spec:
    return {name: value for name, value in spec.items() if name != "Mode"}
