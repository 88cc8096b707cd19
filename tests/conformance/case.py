"""A recording as something to do with rollout: definitions as Compose, their pace, a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from rollout.decide.batch import PROOF_S
from tests.conformance.facts import Facts, facts_of, history_of
from tests.conformance.recording import (
    Create,
    Kill,
    Recording,
    Rollback,
    Spec,
    TaskRow,
    Update,
)
from tests.conformance.rounds import POLL_S, Cadence, Round, rounds_of
from tests.conformance.times import Terms, Times, times_of
from tests.conformance.trace import Life, Trace, trace_of

SERVICE = "web"
DEADLINE_S = 5.0
"""Instead of ten minutes, where Swarm would wait for ever or a task cannot be made ready."""
_S = 1e9
_DEFAULT_MONITOR_S = 5.0
_DEFAULT_GRACE_NS = 10e9
_DEFAULT_RESTART_NS = 5e9


class Case:
    """A recording, what Swarm made of it, and what is asked of us."""

    def __init__(self, recording: Recording, trace: Trace | None = None) -> None:
        """`trace`: instead of the one that the recording shows."""
        self.recording = recording
        self.steps = recording.steps
        self.trace = trace_of(recording) if trace is None else trace
        self.definitions = tuple(_definitions(recording))
        self.commands = tuple(step for step in self.steps if isinstance(step, Update | Rollback))
        self.paces = tuple(self.paces_of(self.trace))
        self.asked_for = {
            asking.at: spec
            for asking, spec in zip(self.trace.asked[1:], self.definitions, strict=False)
            if not asking.refusal
        }
        """Definitions by the time of the command."""
        self.terms = self.terms_of(self.trace)
        self.facts = self.facts_of(self.trace, succeeds=_succeeds(self.trace))

    @property
    def id(self) -> str:
        return self.recording.id

    @property
    def first(self) -> Spec:
        return next(step.spec for step in self.steps if isinstance(step, Create))

    def cadence(self) -> Cadence:
        """Of the last update."""
        return cadence_of(self.definitions[-1] if self.definitions else self.first, "UpdateConfig")

    @property
    def width(self) -> int:
        """How many slots the last update takes at once."""
        return self.cadence().parallelism or len(self.trace.slots)

    @property
    def over_at(self) -> float | None:
        """When the last update ended."""
        last = self.trace.shown[-1]
        return None if last.state in (None, "updating", "rollback_started") else last.at

    def restarted_at_rest(self) -> Iterator[float]:
        """Of slots whose first failure came when nobody watched any more, since the update was over
        or the task had been watched for long enough: how long it stayed down."""
        over_at = self.over_at
        if over_at is None:
            return
        cadence = self.cadence()
        watched_s = cadence.monitor_s
        if cadence.delay_s >= cadence.monitor_s:
            watched_s = cadence.delay_s + 1.0
        for lives in self.trace.slots.values():
            for before, after in pairwise(lives):
                if before.is_failure and before.image == after.image:
                    ended_at, ran_at = before.ended_at, before.running_at
                    if (
                        before.end != "unhealthy"
                        and ended_at is not None
                        and (
                            ended_at > over_at + POLL_S
                            or (ran_at is not None and ended_at - ran_at > watched_s + POLL_S)
                        )
                    ):
                        yield (after.started_at or 0.0) - ended_at
                    break

    @property
    def waits_for_ever(self) -> bool:
        return self.trace.shown[-1].state == "updating"

    @property
    def cannot_be_ready(self) -> bool:
        return any(life.end == "rejected" for life in self.trace.lives)

    @property
    def deadline_s(self) -> float | None:
        return DEADLINE_S if self.waits_for_ever or self.cannot_be_ready else None

    @property
    def images(self) -> tuple[str, ...]:
        """Those that there are."""
        rows = [row for row in self.recording.rows if isinstance(row, TaskRow)]
        return tuple(
            sorted({row.image for row in rows} - {r.image for r in rows if r.state == "rejected"})
        )

    @property
    def killed(self) -> tuple[str, ...]:
        """Images whose tasks somebody killed."""
        return tuple(step.image for step in self.steps if isinstance(step, Kill))

    def facts_of(self, trace: Trace, *, succeeds: bool | None) -> Facts:
        paces = list(self.paces_of(trace))
        return facts_of(trace, paces, self.terms_of(trace), succeeds=succeeds)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Of Swarm."""
        return tuple(rounds_of(self.trace, self.paces))

    def times_of(self, rounds: Sequence[Round], trace: Trace | None = None) -> Times:
        """Of Swarm, as if these rounds, or this trace, had been all."""
        return times_of(self.trace if trace is None else trace, rounds, self.terms)

    def history_of(self, lives: list[Life]) -> tuple[str, ...]:
        """Of one of Swarm's slots."""
        return history_of(lives, self.trace.until, self.terms)

    def has_healthcheck(self, image: str) -> bool:
        return any(
            "Healthcheck" in spec["TaskTemplate"]["ContainerSpec"]
            for spec in (self.first, *self.definitions)
            if _image(spec) == image
        )

    def proof_s(self, image: str) -> float:
        """How long a task of ours runs beside its predecessor before it takes its place."""
        return 0.0 if self.has_healthcheck(image) else PROOF_S

    def terms_of(self, trace: Trace) -> Terms:
        specs = (self.first, *self.definitions)
        tasks = {_image(spec): spec["TaskTemplate"] for spec in reversed(specs)}
        return Terms(
            grace_s={
                image: task["ContainerSpec"].get("StopGracePeriod", _DEFAULT_GRACE_NS) / _S
                for image, task in tasks.items()
            },
            restart_s={
                image: task.get("RestartPolicy", {}).get("Delay", _DEFAULT_RESTART_NS) / _S
                for image, task in tasks.items()
            },
            killed=self.killed,
            lowered=tuple(
                asking.at
                for before, spec, asking in zip(
                    specs, self.definitions, trace.asked[1:], strict=False
                )
                if not asking.refusal and _replicas(spec) < _replicas(before)
            ),
        )

    def paces_of(self, trace: Trace) -> Iterator[tuple[float, Cadence]]:
        """When something began to be replaced, and at which pace: after each accepted command, and
        after each automatic rollback."""
        before = self.first
        later = [each.at for each in trace.asked[2:]]
        for command, asking, spec, until in zip(
            self.commands, trace.asked[1:], self.definitions, [*later, trace.until], strict=False
        ):
            if asking.refusal:
                continue
            what = "UpdateConfig" if isinstance(command, Update) else "RollbackConfig"
            yield asking.at, cadence_of(spec, what)
            for shown in trace.shown:
                by_itself = shown.message.startswith("update rolled back")
                if by_itself and asking.at < shown.at <= until:
                    yield shown.at, cadence_of(before, "RollbackConfig")
            before = spec


def _image(spec: Spec) -> str:
    image: str = spec["TaskTemplate"]["ContainerSpec"]["Image"]
    return image


def _replicas(spec: Spec) -> int:
    count: int = spec["Mode"].get("Replicated", {}).get("Replicas", 1)
    return count


def cadence_of(spec: Spec, what: str) -> Cadence:
    given = spec.get(what) or {}
    return Cadence(
        parallelism=given.get("Parallelism", 1),
        delay_s=given.get("Delay", 0) / _S,
        monitor_s=given.get("Monitor", 0) / _S or _DEFAULT_MONITOR_S,
        ratio=given.get("MaxFailureRatio", 0.0),
        action=given.get("FailureAction") or "pause",
        start_first=given.get("Order") == "start-first",
    )


def _definitions(recording: Recording) -> Iterator[Spec]:
    """What each command after the first asks for; a rollback for the one before."""
    spec: Spec = {}
    before: Spec = {}
    for step in recording.steps:
        match step:
            case Create():
                spec = step.spec
            case Update():
                before, spec = spec, step.spec
                yield spec
            case Rollback():
                before, spec = spec, before or spec
                yield spec


def _succeeds(trace: Trace) -> bool | None:
    """The exit code of `docker service update`: 0 also where it was rolled back."""
    last = trace.shown[-1].state
    return None if last in (None, "updating") else last in ("completed", "rollback_completed")


# -- Compose

Compose = dict[str, Any]


def compose_of(spec: Spec, folder: str, image: str = "{}") -> Compose:
    """A definition of the Engine API as a Compose file; mounts lie in `folder`, and images are
    called as `image` says.  Raises ValueError for what has no counterpart here."""
    task = spec["TaskTemplate"]
    container = task["ContainerSpec"]
    _known(spec, {"Name", "Labels", "TaskTemplate", "Mode", "EndpointSpec", *_CADENCES})
    _known(task, {"ContainerSpec", "RestartPolicy", "ForceUpdate", "Placement"})
    deploy: Compose = {"labels": spec.get("Labels", {}), **_mode(spec["Mode"])}
    for name, key in _CADENCES.items():
        if spec.get(name) is not None:
            deploy[key] = _cadence(spec[name])
    if "RestartPolicy" in task:
        deploy["restart_policy"] = _restart(task["RestartPolicy"])
    if "Placement" in task:
        deploy["placement"] = {"constraints": task["Placement"]["Constraints"]}
    service: Compose = {**_container(container, folder, image), "deploy": deploy}
    if "EndpointSpec" in spec:
        service["ports"] = [_port(port) for port in spec["EndpointSpec"]["Ports"]]
    return {"services": {SERVICE: service}}


def forced(spec: Spec) -> int:
    """How often `update --force` had been asked for."""
    count: int = spec["TaskTemplate"].get("ForceUpdate", 0)
    return count


_CADENCES = {"UpdateConfig": "update_config", "RollbackConfig": "rollback_config"}


def _mode(mode: Spec) -> Compose:
    if "Global" in mode:
        return {"mode": "global"}
    return {"replicas": mode["Replicated"]["Replicas"]}


def _container(container: Spec, folder: str, image: str) -> Compose:
    def words(given: list[str]) -> list[str]:
        return [each.replace("$", "$$") for each in given]

    known: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "Image": ("image", image.format),
        "Args": ("command", words),
        "Init": ("init", bool),
        "Env": ("environment", words),
        "Labels": ("labels", dict),
        "StopSignal": ("stop_signal", str),
        "StopGracePeriod": ("stop_grace_period", _duration),
        "Healthcheck": ("healthcheck", _healthcheck),
        "Mounts": ("volumes", lambda given: [_mount(each, folder) for each in given]),
    }
    _known(container, set(known))
    return {known[name][0]: known[name][1](value) for name, value in container.items()}


def _healthcheck(check: Spec) -> Compose:
    _known(check, {"Test", "Interval", "Timeout", "Retries", "StartPeriod"})
    names = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start_period"}
    found: Compose = {name: _duration(check[key]) for key, name in names.items() if key in check}
    if "Retries" in check:
        found["retries"] = check["Retries"]
    return {"test": [each.replace("$", "$$") for each in check["Test"]], **found}


def _mount(mount: Spec, folder: str) -> Compose:
    _known(mount, {"Type", "Source", "Target"})
    return {
        "type": mount["Type"],
        "source": f"{folder}/{mount['Source']}",
        "target": mount["Target"],
    }


def _cadence(given: Spec) -> Compose:
    names = {"Parallelism": "parallelism", "FailureAction": "failure_action", "Order": "order"}
    names["MaxFailureRatio"] = "max_failure_ratio"
    _known(given, {*names, "Delay", "Monitor"})
    found: Compose = {name: given[key] for key, name in names.items() if key in given}
    for key in ("Delay", "Monitor"):
        if key in given:
            found[key.lower()] = _duration(given[key])
    return found


def _restart(policy: Spec) -> Compose:
    _known(policy, {"Condition", "Delay", "MaxAttempts", "Window"})
    found: Compose = {"condition": policy["Condition"]} if "Condition" in policy else {}
    for key in ("Delay", "Window"):
        if key in policy:
            found[key.lower()] = _duration(policy[key])
    if "MaxAttempts" in policy:
        found["max_attempts"] = policy["MaxAttempts"]
    return found


def _port(port: Spec) -> Compose:
    _known(port, {"Protocol", "TargetPort", "PublishedPort", "PublishMode"})
    return {
        "target": port["TargetPort"],
        "published": str(port["PublishedPort"]),
        "protocol": port.get("Protocol", "tcp"),
        "mode": port.get("PublishMode", "ingress"),
    }


def _duration(nanoseconds: int) -> str:
    return f"{nanoseconds // 1000}us"


def _known(found: Spec, names: set[str]) -> None:
    unknown = found.keys() - names
    if unknown:
        raise ValueError(f"no counterpart in a Compose file is known for {sorted(unknown)}")
