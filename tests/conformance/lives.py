"""An engine's event stream, as lives of tasks."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from tests.conformance.trace import Life, in_order


class Happened(Struct, frozen=True, kw_only=True):
    """An event of one container, in Docker's words; `health_status: healthy` is `healthy`."""

    at: float
    what: str
    container: str
    slot: int
    image: str
    task: str = ""
    exit_code: int | None = None
    has_healthcheck: bool = False


def lives_of(events: list[Happened]) -> tuple[Life, ...]:
    """Each start of a container is a life; a container that was never started has none."""
    by_container: dict[str, list[Happened]] = {}
    for event in sorted(events, key=lambda event: event.at):
        by_container.setdefault(event.container, []).append(event)
    return in_order(life for found in by_container.values() for life in _of_container(found))


def _of_container(events: list[Happened]) -> Iterator[Life]:
    life: Life | None = None
    ready_at: float | None = None
    for event in events:
        if event.what == "create":
            ready_at = event.at
        elif event.what == "start":
            checked = event.has_healthcheck
            life = Life(
                slot=event.slot,
                image=event.image,
                task=event.task,
                ready_at=ready_at,
                started_at=event.at,
                running_at=None if checked else event.at,
            )
        elif life is None:
            continue
        elif event.what == "healthy" and life.running_at is None:
            life = replace(life, running_at=event.at)
        elif event.what == "unhealthy":
            life = replace(life, sick_at=event.at)
        elif event.what == "kill" and life.asked_at is None:
            life = replace(life, asked_at=event.at)
        elif event.what == "die":
            yield _ended(life, event)
            life = None
    if life is not None:
        yield life


def _ended(life: Life, event: Happened) -> Life:
    end = "complete" if event.exit_code == 0 else "failed"
    if life.sick_at is not None:
        end = "unhealthy"
    elif life.asked_at is not None:
        end = "shutdown"
    return replace(life, ended_at=event.at, end=end, exit_code=event.exit_code)
