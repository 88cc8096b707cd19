"""What the engine's list and inspect show → tasks.  Pure.

A container that Compose made has no labels of ours: it is revision 0, in the slot of its number.

When a task with a healthcheck began to run well is the end of its first successful probe.  The
engine keeps the last five probes only.  With probes F S S S S (failed, success) the first success
is in sight; with S S S S S the oldest one's start is all that can be said, an upper bound: what was
seen earlier of the same start is carried along in `Seen` and wins.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rollout.engine.docker.faults import one_line, plain
from rollout.model import labels
from rollout.model.canonical import digest_of_label, spec_in
from rollout.model.secrets import without_secrets_of
from rollout.model.spec import ServiceSpec
from rollout.model.state import ContainerStatus, Health
from rollout.model.task import Task

Json = dict[str, Any]

HALF_MADE = ".preparing"
"""The end of a container's name until its networks and files are in place."""

_GIVEN_UP = "context canceled"
_SIGKILL = "9"
_KILL_S = 5.0
"""How long the engine may take to end what has outlived its grace."""
_SERVICE = re.compile(r"[a-zA-Z0-9._-]{1,255}")
_TASK = re.compile(r"[a-zA-Z0-9]{1,64}")
_OURS = {labels.STACK, labels.SERVICE, labels.SLOT, labels.REVISION, labels.TASK, labels.SPEC}
_SAME = ((labels.STACK, labels.COMPOSE_PROJECT), (labels.SERVICE, labels.COMPOSE_SERVICE))
_SHOWN = 60
_REAL_TIME = re.compile(r"(RTMIN|RTMAX)([+-][0-9]+)?")
_REAL_TIME_FROM = {"RTMIN": 34, "RTMAX": 64}
_OF_LINUX = {"USR1": 10, "USR2": 12}
"""Engines run on Linux; whoever asks may not."""
_KEPT_PROBES = 5
_LONGEST_PROBE = 500
_DEFAULT_RETRIES = 3
_STATUS_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting|Paused)\)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


class Seen(Struct, frozen=True, kw_only=True):
    """What was once seen of one start of a container, and may since have left the probe log."""

    started_at: float | None = None
    running_since: float | None = None
    unhealthy_since: float | None = None


def is_task(row: Json) -> bool:
    """Whether a row of the list is a task: no one-off, and ready or beyond."""
    mine = row.get("Labels") or {}
    return (
        mine.get(labels.COMPOSE_ONEOFF, "False") != "True"
        and bool(mine.get(labels.COMPOSE_SERVICE))
        and not is_half_made(row)
    )


def unreadable(row: Json) -> str:
    """Why a row that bears our labels cannot be a task; empty where it can, or bears none.

    A container without any label of ours is Compose's.  One with some has them all, and they fit
    together, or somebody else wrote them.  A definition that cannot be read is no reason: it may
    be of a newer version, and the task is one all the same.
    """
    mine = row.get("Labels") or {}
    service = mine.get(labels.COMPOSE_SERVICE)
    if service is not None and not _SERVICE.fullmatch(service):
        return f"{labels.COMPOSE_SERVICE} is {cut(service)}"
    if not _OURS & mine.keys() or is_half_made(row) or mine.get(labels.COMPOSE_ONEOFF) == "True":
        return ""
    if service is None:
        return f"it has no {labels.COMPOSE_SERVICE}"
    for name, same in _SAME:
        if mine.get(name) != mine.get(same):
            return f"{name} is {cut(mine.get(name))}, {same} is {cut(mine.get(same))}"
    for name, most in ((labels.SLOT, labels.MAX_SLOT), (labels.REVISION, labels.MAX_NUMBER)):
        if labels.whole(mine.get(name), most) is None:
            return f"{name} is {cut(mine.get(name))}"
    if not _TASK.fullmatch(mine.get(labels.TASK, "")):
        return f"{labels.TASK} is {cut(mine.get(labels.TASK))}"
    return ""


def cut(value: object) -> str:
    text = "missing" if value is None else repr(str(value)[:_SHOWN])
    return text + "…" if len(str(value)) > _SHOWN else text


def is_half_made(row: Json) -> bool:
    """By the name that we give it, and never one that runs: a `container_name` may have the same
    end."""
    project = (row.get("Labels") or {}).get(labels.COMPOSE_PROJECT, "")
    name = name_of(row)
    ours = name.startswith(f"{project}_") and name.endswith(HALF_MADE)
    return ours and row.get("State") == "created"


def name_of(row: Json) -> str:
    """The container's own name; names by way of a link hold another slash."""
    names = [name[1:] for name in row.get("Names") or [] if "/" not in name[1:]]
    return names[0] if names else ""


def fingerprint(row: Json) -> tuple[str, ...]:
    """What of a row changes when the container does: without ages such as `Up 3 seconds`."""
    status = str(row.get("Status", ""))
    health = _STATUS_HEALTH.search(status)
    exited = status.partition(")")[0] if row.get("State") in ("exited", "restarting") else ""
    return (str(row.get("State")), health[1] if health else "", exited, name_of(row))


def task_of(row: Json, inspected: Json, seen: Seen) -> tuple[Task, Seen]:
    """A task, and what to carry along for the next look at it."""
    config, state, host = inspected["Config"], inspected["State"], inspected["HostConfig"]
    mine: Mapping[str, str] = config.get("Labels") or {}
    status = _status(state)
    checked = has_healthcheck(config)
    now_seen = _carried(state, config, checked, seen)
    health = _health(state, now_seen) if checked else Health.NONE
    spec = sys.intern(mine.get(labels.SPEC, ""))
    slot = labels.whole(mine.get(labels.SLOT), labels.MAX_SLOT)
    failed_start = has_failed_to_start(state)
    ended = status in (ContainerStatus.EXITED, ContainerStatus.DEAD) or failed_start
    restarts = int(inspected.get("RestartCount") or 0)
    task = Task(
        id=mine.get(labels.TASK) or inspected["Id"][:25],
        container_id=inspected["Id"],
        name=name_of(row) or inspected["Name"].lstrip("/"),
        stack=mine.get(labels.COMPOSE_PROJECT, ""),
        service=mine.get(labels.COMPOSE_SERVICE, ""),
        slot=_slot_by_number(mine, inspected) if slot is None else slot,
        revision=_number(mine.get(labels.REVISION), 0),
        digest=digest_of_label(spec) if spec else "",
        image=_image(spec, config),
        status=status,
        created_at=parse_time(inspected["Created"]) or 0.0,
        started_at=now_seen.started_at,
        finished_at=_finished_at(state, status, failed=failed_start, inspected=inspected),
        has_healthcheck=checked,
        health=health,
        running_since=now_seen.running_since,
        unhealthy_since=now_seen.unhealthy_since,
        exit_code=int(state["ExitCode"]) if ended else None,
        oom_killed=bool(state.get("OOMKilled")),
        error=_error(state, spec, failed=failed_start, probed=health is Health.UNHEALTHY),
        restarts=restarts,
        last_exit=int(state["ExitCode"]) if status is ContainerStatus.RESTARTING else None,
        last_ended_at=parse_time(state.get("FinishedAt")) if restarts and not ended else None,
        probe=_probe(state, now_seen, spec) if checked and not ended else "",
        armed=(host.get("RestartPolicy") or {}).get("Name", "") not in ("", "no"),
        stop_grace_s=float(10 if config.get("StopTimeout") is None else config["StopTimeout"]),
        stop_signal=config.get("StopSignal") or "",
        down_at=parse_time(state.get("FinishedAt")),
        namespaces_of=tuple(_namespaces_of(host)),
        volumes_of=tuple(said.partition(":")[0] for said in host.get("VolumesFrom") or []),
        ports=_ports(row),
        spec=spec,
    )
    return task, now_seen


def _namespaces_of(host: Json) -> Iterator[str]:
    for kind in ("NetworkMode", "PidMode", "IpcMode"):
        said, _, container = str(host.get(kind) or "").partition(":")
        if said == "container":
            yield container


def with_signal(task: Task, number: str, at: float) -> Task:
    """A task to which a signal was sent; only its stop signal and SIGKILL ask it to end."""
    ends = number in (_SIGKILL, signal_number(task.stop_signal or "SIGTERM"))
    if not ends or not task.alive or at < (task.started_at or 0.0):
        return task
    return replace(task, stop_ends_at=at + task.stop_grace_s + _KILL_S)


def has_failed_to_start(state: Json) -> bool:
    """Created still, though somebody tried to start it.  Not where whoever asked was gone before it
    was done: newer engines (25) give up then, and it can be started as if nobody had tried."""
    failed = state["Status"] == "created" and bool(state.get("ExitCode") or state.get("Error"))
    return failed and _GIVEN_UP not in (state.get("Error") or "")


def signal_number(name: str) -> str:
    """`SIGTERM`, `term`, `15`, `RTMIN+3` → `15`, `37`; empty for what is no signal."""
    name = name.upper().removeprefix("SIG")
    if name.isascii() and name.isdigit():
        return str(int(name))
    if (real_time := _REAL_TIME.fullmatch(name)) is not None:
        return str(_REAL_TIME_FROM[real_time[1]] + int(real_time[2] or 0))
    known = _OF_LINUX.get(name) or signal.Signals.__members__.get(f"SIG{name}")
    return "" if known is None else str(int(known))


def has_healthcheck(config: Json) -> bool:
    test = (config.get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test[0] != "NONE"


def parse_time(text: str | None) -> float | None:
    """Epoch seconds of an RFC 3339 time with up to nine decimals; None for the year 1, "never"."""
    match = _TIME.fullmatch(text or "")
    if match is None or match[1].startswith("0001-"):
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    whole = datetime.fromisoformat(match[1] + zone).astimezone(UTC).timestamp()
    return whole + float(f"0.{match[2] or 0}")


@lru_cache(maxsize=1024)
def spec_of(text: str) -> ServiceSpec | None:
    """The definition in a container's label; None where there is none that can be read."""
    return spec_in(text)


def _status(state: Json) -> ContainerStatus:
    try:
        return ContainerStatus(state["Status"])
    except ValueError:
        return ContainerStatus.DEAD


def _health(state: Json, seen: Seen) -> Health:
    """The engine calls whatever has ended unhealthy: there the probes count."""
    if not state.get("Running"):
        if seen.unhealthy_since is not None:
            return Health.UNHEALTHY
        return Health.STARTING if seen.running_since is None else Health.HEALTHY
    try:
        return Health((state.get("Health") or {}).get("Status") or "starting")
    except ValueError:
        return Health.STARTING


def _carried(state: Json, config: Json, checked: bool, seen: Seen) -> Seen:
    started = parse_time(state.get("StartedAt"))
    if started is None:
        return Seen()
    if not checked:
        return Seen(started_at=started, running_since=started)
    known = seen if seen.started_at == started else Seen()
    log = _probes_since(started, state)
    return Seen(
        started_at=started,
        running_since=_earlier(known.running_since, _first_success(log)),
        unhealthy_since=_unhealthy_since(state, config, log, known),
    )


def _probes_since(started: float, state: Json) -> list[Json]:
    """An engine keeps the log of the start before until the first probe of this one."""
    log = (state.get("Health") or {}).get("Log") or []
    return [probe for probe in log if (parse_time(probe.get("Start")) or 0.0) >= started]


def _probe(state: Json, seen: Seen, spec: str) -> str:
    """What the last probe said, unless it was good; without the definition's secrets."""
    log = _probes_since(seen.started_at, state) if seen.started_at is not None else []
    if not log or log[-1].get("ExitCode") == 0:
        return ""
    code = log[-1].get("ExitCode")
    said = one_line(log[-1].get("Output") or "")[:_LONGEST_PROBE] or f"exit code {code}"
    return without_secrets_of(said, spec_of(spec) if spec else None)


def _first_success(log: list[Json]) -> float | None:
    for index, probe in enumerate(log):
        if probe.get("ExitCode") == 0:
            cut_off = index == 0 and len(log) >= _KEPT_PROBES
            return parse_time(probe["Start" if cut_off else "End"])
    return None


def _unhealthy_since(state: Json, config: Json, log: list[Json], known: Seen) -> float | None:
    """The end of the probe with which it turned unhealthy.

    With 3 retries and a streak of 4 failures, that is the last probe but one.
    """
    health = state.get("Health") or {}
    streak = int(health.get("FailingStreak") or 0)
    retries = int((config.get("Healthcheck") or {}).get("Retries") or _DEFAULT_RETRIES)
    if streak < retries or not log:
        return None
    index = len(log) - 1 - (streak - retries)
    turned = parse_time(log[0]["Start"] if index < 0 else log[index]["End"])
    return _earlier(known.unhealthy_since, turned)


def _earlier(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _finished_at(
    state: Json, status: ContainerStatus, *, failed: bool, inspected: Json
) -> float | None:
    if failed:
        # A start that failed leaves no time of its own; it was right after the creation or later.
        return parse_time(state.get("FinishedAt")) or parse_time(inspected["Created"])
    if status in (ContainerStatus.EXITED, ContainerStatus.DEAD):
        return parse_time(state.get("FinishedAt"))
    return None


def _error(state: Json, spec: str, *, failed: bool, probed: bool) -> str:
    """Without the definition's secrets, wherever it is shown then."""
    said = _said(state, failed=failed, probed=probed)
    return without_secrets_of(said, spec_of(spec) if spec else None) if said else ""


def _said(state: Json, *, failed: bool, probed: bool) -> str:
    said = plain(state.get("Error") or "")
    if said and _GIVEN_UP not in said:
        return said
    if failed:
        return f"could not be started: exit code {state.get('ExitCode')}"
    if probed:
        log = (state.get("Health") or {}).get("Log") or []
        failures = [probe for probe in log if probe.get("ExitCode") != 0]
        return one_line(failures[-1].get("Output") or "")[:_LONGEST_PROBE] if failures else ""
    return ""


def _image(spec: str, config: Json) -> str:
    known = spec_of(spec) if spec else None
    return known.task.image if known else str(config.get("Image") or "")


def _ports(row: Json) -> tuple[str, ...]:
    shown = {
        (port.get("IP") or "", int(port["PublicPort"]), int(port["PrivatePort"]), str(port["Type"]))
        for port in row.get("Ports") or []
        if port.get("PublicPort")
    }
    return tuple(f"{ip}:{public}->{private}/{kind}" for ip, public, private, kind in sorted(shown))


def _slot_by_number(mine: Mapping[str, str], inspected: Json) -> int:
    """Its number; where its port is one of a range that the engine has picked from, the slot that
    is to have that port: else what is made for another slot would find it taken.
    """
    number = _number(mine.get(labels.COMPOSE_NUMBER), 1)
    held = inspected.get("NetworkSettings", {}).get("Ports") or {}
    for key, bindings in (inspected["HostConfig"].get("PortBindings") or {}).items():
        for wanted, has in zip(bindings or [], held.get(key) or [], strict=False):
            first, dash, last = str(wanted.get("HostPort") or "").partition("-")
            port = _number(has.get("HostPort"), 0)
            if dash and _number(first, 0) <= port <= _number(last, 0):
                return port - int(first) + 1
    return number


def _number(text: str | None, default: int) -> int:
    return labels.whole(text, labels.MAX_NUMBER) or default
