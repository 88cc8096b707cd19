"""What must be so at the end, whatever happened: read from the engine by the bare SDK.

Every wanted slot has exactly one live task, of the newest definition; nothing else is up, Ready or
half made; every record that was there at the fault is there still, numbers without gaps; nobody
holds the stack; a task that ended cannot be brought back by the daemon, one that lives can.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from docker import APIClient
from docker.errors import NotFound
from msgspec import Struct

from rollout.model import labels
from tests.chaos.scenarios import Scenario

Json = dict[str, Any]
_EVER = "9999"
_LABEL_ACTION = "rollout.action"


class Found(Struct, frozen=True):
    """A stack as the engine shows it."""

    containers: tuple[Json, ...]
    """As inspected."""
    records: dict[str, dict[str, str]]
    """Name → labels of each volume of the ledger."""
    networks: tuple[str, ...]

    def revisions(self) -> list[dict[str, str]]:
        found = [each for each in self.records.values() if each[labels.RECORD] == "revision"]
        return sorted(found, key=lambda each: int(each[labels.REVISION]))

    def is_being_removed(self) -> bool:
        kinds = {each[labels.RECORD] for each in self.records.values()}
        return "removal" in kinds or "revision" not in kinds

    def lines(self) -> Iterator[str]:
        """For whoever looks into a loss."""
        for each in sorted(self.containers, key=lambda each: str(each["Created"])):
            state = each["State"]
            yield (
                f"{each['Name']} r{_label(each, labels.REVISION)} {state['Status']} "
                f"{state['ExitCode']} started {state['StartedAt']} ended {state['FinishedAt']} "
                f"restart {_policy(each)} {state['Error']}"
            )
        for name, entry in sorted(self.records.items()):
            yield f"{name} {entry.get(_LABEL_ACTION, '')}{entry.get('rollout.mark', '')}"


def find(client: APIClient, stack: str) -> Found:
    rows = client.containers(all=True, filters={"label": f"{labels.COMPOSE_PROJECT}={stack}"})
    volumes = client.volumes(filters={"label": f"{labels.STACK}={stack}"})["Volumes"] or []
    networks = client.networks(filters={"label": f"{labels.COMPOSE_PROJECT}={stack}"})
    return Found(
        tuple(_inspected(client, (row["Id"] for row in rows))),
        {each["Name"]: each["Labels"] for each in volumes if labels.RECORD in each["Labels"]},
        tuple(each["Name"] for each in networks),
    )


def _inspected(client: APIClient, ids: Iterable[str]) -> Iterator[Json]:
    """What the engine says of each that is still there: a removal may be under way, asked for by a
    command killed since."""
    for each in ids:
        with contextlib.suppress(NotFound):
            yield client.inspect_container(each)


def added(scenario: Scenario, found: Found) -> tuple[str, ...]:
    """What the revisions beyond those that were there before were made by."""
    return tuple(each[_LABEL_ACTION] for each in found.revisions()[len(scenario.before) :])


def losses(scenario: Scenario, at_fault: Found, found: Found, *, once_more: bool) -> Iterator[str]:
    """One line for everything that is not as it must be.  `once_more`: the command was given again
    after the one with the fault."""
    if scenario.removes and (once_more or at_fault.is_being_removed()):
        left = [*(each["Name"] for each in found.containers), *found.records, *found.networks]
        if left:
            yield f"left of what was to be removed: {', '.join(left)}"
        return
    yield from _ledger(scenario, at_fault, found)
    yield from _slots(scenario, found)
    yield from _containers(found)
    if scenario.before and scenario.wanted == scenario.replicas:
        yield from _availability(scenario, found)


def _ledger(scenario: Scenario, at_fault: Found, found: Found) -> Iterator[str]:
    for name, entry in at_fault.records.items():
        if entry[labels.RECORD] != "lease" and found.records.get(name) != entry:
            yield f"record {name} was lost or changed"
    numbers = [int(each[labels.REVISION]) for each in found.revisions()]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"revisions are numbered {numbers}"
    if added(scenario, found) not in ((), *scenario.after):
        yield f"revisions were made by {added(scenario, found)}"
    if held := [name for name in found.records if ".lease." in name]:
        yield f"the lease was not given back: {held}"
    if numbers and not any(
        entry[labels.RECORD] == "mark"
        and entry[labels.REVISION] == str(numbers[-1])
        and entry["rollout.mark"] == "completed"
        for entry in found.records.values()
    ):
        yield f"revision {numbers[-1]} is not marked completed"


def _slots(scenario: Scenario, found: Found) -> Iterator[str]:
    alive: dict[int, list[Json]] = defaultdict(list)
    for each in found.containers:
        if each["State"]["Running"]:
            alive[int(_label(each, labels.SLOT))].append(each)
    revisions = found.revisions()
    count = scenario.wanted if added(scenario, found) else scenario.replicas
    wanted = list(range(1, count + 1)) if revisions else []
    if sorted(alive) != wanted:
        yield f"slots {sorted(alive)} are up, {wanted} are wanted"
    for slot, tasks in sorted(alive.items()):
        if len(tasks) != 1:
            yield f"slot {slot} has {len(tasks)} live tasks"
        for each in tasks:
            newest = json.loads(revisions[-1][labels.SPEC])["task"] if revisions else None
            if json.loads(_label(each, labels.SPEC))["task"] != newest:
                yield f"slot {slot} runs what is not the newest definition"
    if not revisions and found.containers:
        # What a slot that was scaled away leaves is history.
        yield f"containers of what was removed: {[each['Name'] for each in found.containers]}"


def _containers(found: Found) -> Iterator[str]:
    for each in found.containers:
        state, name = each["State"], each["Name"]
        if name.endswith(".preparing"):
            yield f"{name} was left half made"
        elif state["Status"] == "created" and not state["Error"]:
            yield f"{name} is Ready, and nobody wants it"
        elif state["Running"] and _policy(each) != "unless-stopped":
            yield f"{name} runs, and its restart policy is {_policy(each)}"
        elif not state["Running"] and _policy(each) not in ("", "no"):
            yield f"{name} has ended, and its restart policy is {_policy(each)}"


def _availability(scenario: Scenario, found: Found) -> Iterator[str]:
    """Start-first: no slot was ever down.  Stop-first: never two tasks in one, nor two down."""
    gaps: list[tuple[str, str, int]] = []
    for slot in range(1, scenario.wanted + 1):
        ran = sorted(
            (each["State"]["StartedAt"], _end(each))
            for each in found.containers
            if int(_label(each, labels.SLOT)) == slot and each["State"]["StartedAt"] > "0002"
        )
        until = ran[0][1] if ran else _EVER
        for start, end in ran[1:]:
            if start < until and scenario.order == "stop-first":
                yield f"slot {slot} had two tasks at once, from {start} to {until}"
            if start > until:
                gaps.append((until, start, slot))
            until = max(until, end)
    if scenario.code:
        # A task that is to fail runs for a moment first, and that is what is waited for.
        return
    if scenario.order == "start-first":
        yield from (f"slot {slot} was down from {at} to {until}" for at, until, slot in gaps)
    for at, until, slot in gaps:
        for other_at, other_until, other in gaps:
            if slot < other and max(at, other_at) < min(until, other_until):
                yield f"slots {slot} and {other} were down at once, at {max(at, other_at)}"


def _end(container: Json) -> str:
    return _EVER if container["State"]["Running"] else str(container["State"]["FinishedAt"])


def _policy(container: Json) -> str:
    return str((container["HostConfig"].get("RestartPolicy") or {}).get("Name", ""))


def _label(container: Json, name: str) -> str:
    return str(container["Config"]["Labels"].get(name, "0"))
