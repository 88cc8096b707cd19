"""The engine that runs tasks as containers of one Docker daemon.

endpoint ─▶ connect ─▶ api          which engine, how it is reached, its calls
look, observe ─▶ tasks              what is
act, translate, mounts, images      what is done
watch, clock, store, logs, …        the rest of the protocol
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator

from rollout.engine.docker.ability import left_out
from rollout.engine.docker.act import Act
from rollout.engine.docker.adopt import foreign
from rollout.engine.docker.anonymous import two_writers
from rollout.engine.docker.api import Api
from rollout.engine.docker.building import Builder
from rollout.engine.docker.check import check
from rollout.engine.docker.clock import EngineClock
from rollout.engine.docker.connect import knock, open_api
from rollout.engine.docker.endpoint import find_endpoint
from rollout.engine.docker.images import Images
from rollout.engine.docker.logs import follow_logs, last_words, read_logs
from rollout.engine.docker.look import Look, not_told, stacks_of
from rollout.engine.docker.observe import is_half_made, name_of
from rollout.engine.docker.retry import OnRetry
from rollout.engine.docker.store import VolumeStore
from rollout.engine.docker.surroundings import clear, ensure, missing_volumes
from rollout.engine.docker.volumes import holders_of, remove_volume, volumes_of
from rollout.engine.docker.watch import EventWatch
from rollout.engine.protocol import (
    Calls,
    Contents,
    Foreign,
    Image,
    LogLine,
    OnUnreadable,
    Remain,
    StackVolume,
    Unreadable,
)
from rollout.errors import EngineError, NotFoundError
from rollout.model import labels
from rollout.model.action import Arm, Prepare, Remove, Start, Stop, TaskAction
from rollout.model.spec import ServiceSpec
from rollout.model.task import Task

TIMEOUT_S = 60.0


def _quiet(_error: EngineError, _pause_s: float) -> None: ...


def connect(
    host: str | None = None,
    context: str | None = None,
    timeout_s: float = TIMEOUT_S,
    on_retry: OnRetry = _quiet,
    on_unreadable: OnUnreadable = not_told,
) -> DockerEngine:
    """The engine of `-H` and `--context`, else of the environment, else of the default socket.

    `timeout_s` is how long one call may be silent.  Raises UsageError for an address or context
    that cannot be, EngineUnavailableError where nobody answers, or not to us.
    """
    endpoint = find_endpoint(host, context, os.environ)
    api = open_api(endpoint, timeout_s, on_retry)
    return DockerEngine(api, lambda: knock(endpoint, timeout_s), on_unreadable)


class DockerEngine:
    """Safe to use from many threads."""

    name = "docker"
    schedules = False

    def __init__(
        self, api: Api, knock_at: Callable[[], None], on_unreadable: OnUnreadable = not_told
    ) -> None:
        self._api = api
        self._knock = knock_at
        self._clock = EngineClock(api.info)
        self._look = Look(api, on_unreadable=on_unreadable)
        self._images = Images(api)
        self._act = Act(api, self._look, self._images)
        self.store = VolumeStore(api)

    @property
    def host(self) -> str:
        return str(self._clock.info().get("Name") or "")

    def report_retries(self, on_retry: OnRetry) -> None:
        """Who is told when a call failed and is tried again: the error, the pause in seconds."""
        self._api.on_retry = on_retry

    @property
    def builder(self) -> Builder:
        """Builds and pushes, where there is no `docker` binary to do it."""
        return Builder(self._api)

    def now(self) -> float:
        return self._clock.now()

    def came_up(self, *, anew: bool = False) -> float:
        """An engine that is going down closes its doors before it ends the first task, and serves
        the connections that it has: so `anew` knocks at the door."""
        if anew:
            self._knock()
        return self._look.came_up(anew=anew)

    def stacks(self) -> tuple[str, ...]:
        rows = self._api.containers([labels.STACK])
        volumes = self._api.volumes(label=[labels.STACK, labels.RECORD])
        named, nameless = stacks_of(rows, volumes)
        for each in nameless:
            self._look.on_unreadable(each)
        return tuple(sorted(named))

    def unreadable(self, stack: str | None) -> tuple[Unreadable, ...]:
        if stack is not None:
            return self._look.unreadable(stack)
        rows = self._api.containers([labels.STACK])
        volumes = self._api.volumes(label=[labels.RECORD])
        return tuple(stacks_of(rows, volumes)[1])

    def remains(self) -> tuple[Remain, ...]:
        networks = self._api.networks(label=[labels.STACK])
        made = [("network", str(each["Name"]), each["Labels"][labels.STACK]) for each in networks]
        rows = [row for row in self._api.containers([labels.STACK]) if is_half_made(row)]
        made += [("container", name_of(row), row["Labels"][labels.STACK]) for row in rows]
        return tuple(Remain(kind=kind, name=name, stack=stack) for kind, name, stack in made)

    def discard(self, what: Unreadable) -> None:
        with contextlib.suppress(NotFoundError):
            self._api.remove(what.name, force=True, volumes=False)

    def projects(self) -> tuple[str, ...]:
        rows = self._api.containers([labels.COMPOSE_PROJECT])
        found = {str(row["Labels"][labels.COMPOSE_PROJECT]) for row in rows}
        return tuple(sorted(found - {"", *self.stacks()}))

    def foreign(self, stack: str, services: Iterable[str]) -> tuple[Foreign, ...]:
        return foreign(self._api, self._images, self._clock.info(), stack, services)

    def observe(self, stack: str) -> tuple[Task, ...]:
        return self._look.tasks(stack)

    def act(self, action: TaskAction, contents: Contents) -> tuple[str, ...]:
        match action:
            case Prepare():
                return self._act.prepare(action, contents)
            case Start():
                self._act.start(action, contents)
            case Stop():
                self._act.stop(action)
            case Remove():
                return self._act.remove(action)
            case Arm():
                self._act.arm(action)
        return ()

    def ensure(self, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
        return ensure(self._api, spec, stack)

    def sweep(self, stack: str) -> None:
        self._act.sweep(stack)

    def resolve(self, image: str, *, platform: str = "", query: bool = True) -> Image:
        return self._images.resolve(image, platform=platform, query=query)

    def holds(self, image: str) -> bool:
        return self._images.holds(image)

    def check(
        self, spec: ServiceSpec, stack: str, beside: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        return (
            *check(self._api, self._clock.info(), spec, stack, beside),
            *two_writers(spec, self._images.volumes(spec.task) or ()),
        )

    def left_out(self, spec: ServiceSpec) -> tuple[str, ...]:
        return tuple(left_out(spec, self._api.version))

    def watch(self, stack: str | None, wake: Callable[[], None]) -> EventWatch:
        return EventWatch(self._api, self._look, self.now, stack, wake)

    def logs(
        self,
        tasks: tuple[Task, ...],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
    ) -> Iterator[LogLine]:
        read = follow_logs if follow else read_logs
        return read(self._api, self._look, tasks, tail=tail, since=since)

    def last_words(self, task: Task, lines: int = 5) -> tuple[str, ...]:
        return last_words(self._api, self._look, task, lines)

    def volumes(self, stack: str) -> tuple[StackVolume, ...]:
        return volumes_of(self._api, stack)

    def holders(self, volume: str, stack: str) -> tuple[str, ...]:
        return holders_of(self._api, volume, stack)

    def remove_volume(self, volume: str) -> None:
        remove_volume(self._api, volume)

    def calls(self) -> Calls:
        return self._api.tally.calls()

    def missing_volumes(self, specs: Iterable[ServiceSpec], stack: str) -> tuple[str, ...]:
        return missing_volumes(self._api, specs, stack)

    def clear(self, stack: str) -> tuple[str, ...]:
        self._act.sweep(stack)
        for each in self._look.unreadable(stack):
            self.discard(each)
        return clear(self._api, stack)

    def close(self) -> None:
        self._api.close()
