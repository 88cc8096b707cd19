"""What happened to a service's tasks, in the same words whoever ran them: Swarm or we."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from rollout.model.status import ServiceStatus
from tests.conformance.recording import (
    AwaitState,
    CommandRow,
    Create,
    Kill,
    Recording,
    ServiceRow,
    Sleep,
    TaskRow,
    Update,
)

_KILLED = 137
_ENDS = ("complete", "shutdown", "failed", "rejected")
_LETS_START = ("ready", "starting", "running", *_ENDS)


class Life(Struct, frozen=True, kw_only=True):
    """One run of a task, from its start to its end; where Docker starts it again, one more."""

    slot: int
    image: str
    task: str = ""
    """Its id, where that is known: a recording does not keep it."""
    ready_at: float | None = None
    """When it had been made; we touch nothing before."""
    started_at: float | None = None
    running_at: float | None = None
    """With a healthcheck: healthy."""
    asked_at: float | None = None
    """When it was asked to stop."""
    sick_at: float | None = None
    """When its healthcheck gave it up, where that is known."""
    ended_at: float | None = None
    end: str = ""
    """`complete`, `shutdown`, `failed`, `unhealthy`, `rejected`; empty while it is up."""
    exit_code: int | None = None

    @property
    def is_failure(self) -> bool:
        return self.end in ("complete", "failed", "unhealthy", "rejected")

    @property
    def failed_at(self) -> float | None:
        if not self.is_failure:
            return None
        return self.ended_at if self.sick_at is None else self.sick_at

    def up_at(self, at: float) -> bool:
        """It runs well then."""
        return (
            self.running_at is not None
            and self.running_at <= at
            and (self.ended_at is None or at < self.ended_at)
        )


class Shown(Struct, frozen=True):
    """The update's state, as anybody saw it who looked, from a moment on."""

    at: float
    image: str
    state: str | None
    message: str


def shown_of(status: ServiceStatus, image: str) -> Shown:
    """What a look shows, and since when."""
    revision = status.revision
    at = revision.marks[-1].at if revision.marks else revision.created_at
    state = None if status.state is None else str(status.state)
    return Shown(at, image, state, status.message)


class Timeline:
    """What was shown, look by look."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []

    @property
    def state(self) -> str | None:
        return self.shown[-1].state if self.shown else None

    def add(self, seen: Shown) -> None:
        last = self.shown[-1] if self.shown else None
        told = (seen.image, seen.state, seen.message)
        if last is None or (last.image, last.state, last.message) != told:
            self.shown.append(seen)


class Asked(Struct, frozen=True):
    """A command that was to change the service; the first one makes it."""

    at: float
    refusal: str = ""
    exit_code: int | None = None


class Trace(Struct, frozen=True, kw_only=True):
    """Times are seconds on one clock."""

    lives: tuple[Life, ...]
    """Of tasks that were started, or that could not be made ready, in order of their start."""
    shown: tuple[Shown, ...]
    asked: tuple[Asked, ...]
    until: float
    previous: str | None
    """The image to which `rollback` would go in the end; None where it is refused."""

    @property
    def slots(self) -> dict[int, list[Life]]:
        found: dict[int, list[Life]] = defaultdict(list)
        for life in self.lives:
            found[life.slot].append(life)
        return dict(found)

    def is_under_way(self, at: float) -> bool:
        """An update is, then."""
        before = [each for each in self.shown if each.at <= at]
        return bool(before) and before[-1].state in ("updating", "rollback_started")


def in_order(lives: Iterable[Life]) -> tuple[Life, ...]:
    return tuple(sorted(lives, key=lambda life: (_begin(life), life.slot)))


def trace_of(recording: Recording) -> Trace:
    """What the recording shows."""
    services = [row for row in recording.rows if isinstance(row, ServiceRow)]
    return Trace(
        lives=in_order(_lives(recording)),
        shown=tuple(Shown(row.at, row.image, row.state, row.message or "") for row in services),
        asked=(
            Asked(0.0),
            *(Asked(row.at, row.refusal) for row in recording.rows if isinstance(row, CommandRow)),
        ),
        until=_until(recording),
        previous=services[-1].previous,
    )


def _until(recording: Recording) -> float:
    """When it was looked at last: rows are kept of changes only, so as late as it is known that
    nothing changed any more."""
    steps = list(recording.steps)
    slept_s = 0.0
    while isinstance(last := steps[-1], Sleep):
        slept_s += last.seconds
        steps.pop()
    commands = [row.at for row in recording.rows if isinstance(row, CommandRow)]
    since = commands[-1] if commands else 0.0
    if isinstance(last, AwaitState):
        since = next(
            (
                row.at
                for row in recording.rows
                if isinstance(row, ServiceRow) and row.at >= since and row.state in last.states
            ),
            since + last.within_s,
        )
    if isinstance(last, Kill):
        rows = [row for row in recording.rows if isinstance(row, TaskRow)]
        since = next((row.at for row in rows if row.exit_code == _KILLED), since)
    return max(recording.rows[-1].at, since + slept_s)


def _lives(recording: Recording) -> Iterator[Life]:
    by_task: dict[tuple[int, int], list[TaskRow]] = defaultdict(list)
    for row in recording.rows:
        if isinstance(row, TaskRow):
            by_task[row.slot, row.generation].append(row)
    checked = _with_healthcheck(recording)
    for rows in by_task.values():
        started_at = _first(rows, desired=("running",), states=_LETS_START)
        running_at = _first(rows, states=("running",))
        ended = next((row for row in rows if row.state in _ENDS or row.desired == "remove"), None)
        if (
            started_at is None
            and running_at is None
            and (ended is None or ended.state != "rejected")
        ):
            continue
        image = rows[0].image
        if running_at is None and ended and ended.exit_code is not None and image not in checked:
            # It ended sooner than Swarm could say that it ran.
            running_at = ended.at
        yield Life(
            slot=rows[0].slot,
            image=image,
            ready_at=_first(rows, states=_LETS_START),
            started_at=running_at if started_at is None else started_at,
            running_at=running_at,
            asked_at=_first(rows, desired=("shutdown", "remove"), states=_LETS_START[:3]),
            ended_at=ended.at if ended else None,
            end=_end(ended) if ended else "",
            exit_code=ended.exit_code if ended else None,
        )


def _with_healthcheck(recording: Recording) -> frozenset[str]:
    """Images."""
    specs = (step.spec for step in recording.steps if isinstance(step, Create | Update))
    tasks = (spec["TaskTemplate"]["ContainerSpec"] for spec in specs)
    return frozenset(task["Image"] for task in tasks if "Healthcheck" in task)


def _end(row: TaskRow) -> str:
    if row.desired == "remove":
        # Scaled away: nothing is shown of it afterwards.
        return "shutdown"
    return "unhealthy" if "unhealthy container" in row.error else row.state


def _first(
    rows: list[TaskRow], *, states: tuple[str, ...], desired: tuple[str, ...] = ()
) -> float | None:
    return next(
        (row.at for row in rows if row.state in states and (not desired or row.desired in desired)),
        None,
    )


def _begin(life: Life) -> float:
    return next(at for at in (life.started_at, life.ended_at, 0.0) if at is not None)
