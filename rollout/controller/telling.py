"""What leaves the loop: one `Progress` a look, with the events since the look before."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rollout.controller.events import events_between
from rollout.errors import RolloutError
from rollout.ledger.lease import Entry
from rollout.model.action import Action
from rollout.model.event import Event, EventKind, Progress
from rollout.model.status import ServiceStatus
from rollout.model.units import format_duration

Report = Callable[[Progress], None]


class Telling:
    """For one drive of one stack."""

    def __init__(self, stack: str, report: Report) -> None:
        self._stack = stack
        self._report = report
        self._notes: list[Event] = []
        self._troubles: list[tuple[Event, str]] = []
        self._told: set[tuple[str, str]] = set()
        self._holder = ""
        self.before: dict[str, ServiceStatus] = {}
        """How the services stood at the last look."""

    def note(self, events: Iterable[Event]) -> None:
        """To be told with the next look."""
        self._notes += events

    def known(self, service: str, texts: Iterable[str], at: float) -> None:
        """What a person is to know of an action that was done."""
        self.note(
            Event(at=at, kind=EventKind.NOTE, stack=self._stack, service=service, text=text)
            for text in texts
        )

    def failed(self, service: str, action: Action, error: RolloutError, at: float) -> None:
        """An action has failed, and is tried again.  What all tries and all slots of a service say
        alike is told once, and not at all where it has become a failure of the update."""
        reason = _reason(error)
        if (service, reason) in self._told:
            return
        self._told.add((service, reason))
        text = f"{action}: {error}"
        event = Event(at=at, kind=EventKind.RETRY, stack=self._stack, service=service, text=text)
        self._troubles.append((event, reason))

    def forget(self) -> None:
        """At rest: what goes wrong from now on is told anew."""
        self._told.clear()

    def look(
        self,
        after: dict[str, ServiceStatus],
        at: float,
        holder: Entry | None,
        *,
        ours: bool,
        finish_s: float = 0.0,
    ) -> tuple[ServiceStatus, ...]:
        """Tell of a look: how the services stand, and who holds the lease."""
        found = events_between(self.before, after, at)
        failures = [each.text for each in found if each.kind is EventKind.FAILURE]
        retries = [
            event
            for event, reason in self._troubles
            if not any(reason in failure for failure in failures)
        ]
        events = (*self._notes, *retries, *found)
        name = holder.holder if holder else ""
        if name != self._holder:
            text = _who_drives(holder, at, ours=ours)
            lease = Event(at=at, kind=EventKind.LEASE, stack=self._stack, text=text)
            events = (lease, *events)
        self._notes, self._troubles = [], []
        self.before, self._holder = after, name
        statuses = tuple(after.values())
        self._report(
            Progress(
                at=at,
                stack=self._stack,
                services=statuses,
                events=events,
                holder=name,
                held_since=holder.since if holder else None,
                finish_s=finish_s,
            )
        )
        return statuses

    def engine(self, text: str, at: float, *, away: bool) -> None:
        """Tell of the engine; the services stand as they were last seen."""
        event = Event(at=at, kind=EventKind.ENGINE, stack=self._stack, text=text)
        self._report(
            Progress(
                at=at,
                stack=self._stack,
                services=tuple(self.before.values()),
                events=(event,),
                holder=self._holder,
                away=text if away else "",
            )
        )


def _who_drives(holder: Entry | None, now: float, *, ours: bool) -> str:
    if holder is None:
        return "taken over" if ours else "no longer driven by anybody else"
    if holder.released:
        return f"unlocked by {holder.holder}: left to others for a while"
    held = format_duration(float(max(round(now - holder.since), 0)))
    return f"followed, driven by {holder.holder} for {held}"


def _reason(error: RolloutError) -> str:
    """Without what was being done, in which each try and each slot has a name of its own."""
    doing, _, said = error.message.partition(": ")
    return said or doing
