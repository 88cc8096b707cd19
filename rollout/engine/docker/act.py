"""One function per action.  Each is safe to repeat: what is done already is no error.

To prepare is one call, `create`, where the image is there.  A container that needs more (files,
further networks on an old engine) is created under a name that ends in `.preparing` and gets its
own when all is in place: nobody takes it for Ready before, and one whose maker died is known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from msgspec import Struct

from rollout.engine.docker import translate
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.faults import LinkError, TimedOutError, can_never_work, one_line
from rollout.engine.docker.files import Files
from rollout.engine.docker.holders import with_holder
from rollout.engine.docker.images import Images
from rollout.engine.docker.keeping import Keeping
from rollout.engine.docker.look import Look
from rollout.engine.docker.mounts import file_archives
from rollout.engine.docker.names import holder_of, slot_name
from rollout.engine.docker.observe import (
    HALF_MADE,
    has_failed_to_start,
    name_of,
    parse_time,
    spec_of,
)
from rollout.engine.docker.placeholders import asks_for_node, node_of
from rollout.engine.docker.retry import appears
from rollout.errors import ConflictError, EngineError, ImpossibleError, NotFoundError
from rollout.model import labels
from rollout.model.action import Arm, Prepare, Remove, Start, Stop
from rollout.model.bindings import siblings_of
from rollout.model.revision import Revision
from rollout.model.secrets import without_secrets_of
from rollout.model.spec import Hook, ServiceSpec
from rollout.model.task import Task

Contents = Callable[[str], bytes]

_TRIES = 20
_NO_RESTART: Json = {"Name": "no"}
_REVIVING = ("always", "on-failure")
"""Docker's restart policies under which a daemon restart starts a container that was stopped."""


_WHOSE = (labels.COMPOSE_PROJECT, labels.COMPOSE_SERVICE)


class _Taken(Struct, frozen=True):
    """A container that had the name first."""

    container: str
    prepared: bool
    alive: bool


def _check_siblings(action: Prepare) -> None:
    revision = action.revision
    missing = sorted(siblings_of(revision.spec.task) - action.siblings.keys())
    if missing:
        raise NotFoundError(
            f"{revision.service} shares a namespace with {missing[0]}, which has no task",
            hint=f"deploy {missing[0]} first",
        )


class Act:
    """Safe to use from many threads, for different targets."""

    def __init__(self, api: Api, look: Look, images: Images) -> None:
        self._api = api
        self._look = look
        self._images = images
        self._keeping = Keeping(api, look, images)
        self._files = Files(api, look)
        self._under_way: set[str] = set()

    def prepare(self, action: Prepare, contents: Contents) -> tuple[str, ...]:
        """The result is what is to be said of it, one line each.  Raises EngineError,
        ImpossibleError where it can never be made; then no container is left behind."""
        revision, slot = action.revision, action.slot
        # All that it needs is there before anything is made.
        file_archives(revision.spec.task, contents)
        _check_siblings(action)
        node = node_of(self._api.info()) if asks_for_node(revision.spec.task) else {}
        volumes, notes = self._keeping.volumes(action)
        after = action.after
        for _ in range(_TRIES):
            task = translate.task_id(revision, slot, after)
            made = translate.creation(
                revision,
                slot,
                task,
                api=self._api.version,
                namespaces=action.siblings,
                node=node,
                volumes=volumes,
            )
            with _saying_what_is_final():
                result = self._make(made, action, contents)
            if isinstance(result, _Taken) and not (result.prepared or result.alive):
                after = task
                continue
            if action.start and not (isinstance(result, _Taken) and result.alive):
                container = result.container if isinstance(result, _Taken) else result
                self._start(container, revision.spec, made.name, contents)
            return notes
        raise EngineError(f"{revision.service}.{slot}: no free name for a new task")

    def start(self, action: Start, contents: Contents) -> None:
        """Raises NotFoundError where it is gone, EngineError where it cannot be started."""
        task = action.task
        self._start(task.container_id, spec_of(task.spec), task.name, contents)

    def stop(self, action: Stop) -> None:
        """Returns when it is down, or when the engine takes too long: look again then.

        A policy that a stop does not tell off goes before the stop: it must not come back if we
        die in between.  `unless-stopped` remembers the stop of a task that ran, and goes after it
        (that is ten times quicker): one that had just died by itself remembers nothing.
        """
        task = action.task
        with contextlib.suppress(NotFoundError, TimedOutError):
            failed_hook = self._run_pre_stop(task) if task.alive else ""
            if task.armed and (not task.alive or self._policy(task) in _REVIVING):
                self._api.set_restart(task.container_id, _NO_RESTART)
            if task.alive:
                self._api.stop(task.container_id, translate.grace_seconds(task.stop_grace_s))
                if task.armed:
                    self._api.set_restart(task.container_id, _NO_RESTART)
            if failed_hook:
                raise EngineError(failed_hook)

    def remove(self, action: Remove) -> tuple[str, ...]:
        """Volumes that it has used stay; the result is what is to be said of them.  Raises
        ConflictError while it runs."""
        try:
            return self._keeping.remove(action.task.container_id)
        except NotFoundError:
            return ()
        except ConflictError as error:
            if "already in progress" not in error.message:
                raise
            return ()

    def arm(self, action: Arm) -> None:
        policy = translate.restart_policy(action.policy) or _NO_RESTART
        self._api.set_restart(action.task.container_id, policy)

    def sweep(self, stack: str) -> None:
        """Removes what a controller that died had only half made."""
        for row in self._look.half_made(stack):
            if name_of(row) not in self._under_way:
                self._discard(row["Id"])

    # -- preparing

    def _make(self, made: translate.Creation, action: Prepare, contents: Contents) -> str | _Taken:
        """The new container's id, or who has its name."""
        revision = action.revision
        if not made.later and not revision.spec.task.files:
            try:
                return self._create(made.name, made, revision)
            except ConflictError:
                return self._taken(made.name)
        name = made.name + HALF_MADE
        with self._named_under_way(name):
            container = self._create_half(name, made, revision)
            try:
                self._complete(container, made, action, contents)
            except EngineError as error:
                self._discard(container)
                if isinstance(error, ConflictError):
                    return self._taken(made.name)
                raise
            return container

    def _create(self, name: str, made: translate.Creation, revision: Revision) -> str:
        """Pulls the image only where the engine says that it is not there."""
        try:
            return self._api.create(name, made.config, made.platform)
        except NotFoundError as error:
            if "no such image" not in error.message.lower():
                raise
        self._images.fetch(revision.spec.task)
        return self._api.create(name, made.config, made.platform)

    def _create_half(self, name: str, made: translate.Creation, revision: Revision) -> str:
        try:
            return self._create(name, made, revision)
        except ConflictError:
            with contextlib.suppress(NotFoundError):
                self._keeping.remove(name, force=True)
            return self._create(name, made, revision)

    def _complete(
        self, container: str, made: translate.Creation, action: Prepare, contents: Contents
    ) -> None:
        for network, endpoint in made.later.items():
            try:
                self._api.connect_network(network, container, endpoint)
            except EngineError as error:
                if "already exists in network" not in error.message:
                    raise
        host = made.config["HostConfig"]
        mounts = any(host.get(key) for key in ("Binds", "Mounts", "VolumesFrom"))
        self._files.put_own(container, action, contents, mounts=mounts)
        try:
            self._api.rename(container, made.name)
        except EngineError as error:
            # The answer to a first try was lost: it has that name already.
            if "same name as its current name" not in error.message:
                raise

    def _taken(self, name: str) -> _Taken:
        # The engine gives the name away a moment before the container can be seen.
        raw = appears(lambda: self._api.inspect(name))
        if not (raw["Config"].get("Labels") or {}).get(labels.TASK):
            # Somebody else's, who knows why: it keeps its name, the task gets another id.
            return _Taken(raw["Id"], prepared=False, alive=False)
        state = raw["State"]
        fresh = state["Status"] == "created" and not has_failed_to_start(state)
        alive = state["Status"] in ("running", "paused", "restarting")
        return _Taken(raw["Id"], fresh, alive)

    @contextlib.contextmanager
    def _named_under_way(self, name: str) -> Iterator[None]:
        self._under_way.add(name)
        try:
            yield
        finally:
            self._under_way.discard(name)

    def _discard(self, container: str) -> None:
        with contextlib.suppress(EngineError):  # the sweep comes by again
            self._keeping.remove(container, force=True)

    # -- starting and stopping

    def _start(
        self, container: str, spec: ServiceSpec | None, name: str, contents: Contents
    ) -> None:
        if spec is not None:
            self._files.put_shared(container, spec.task, contents)
        if spec is not None and spec.task.container_name:
            self._give_name(container, spec.task.container_name)
        try:
            self._start_once(container)
        except EngineError as error:
            # No event tells of a start that failed.
            self._look.changed(container)
            named = with_holder(self._api, container, error)
            if named is error:
                raise
            raise named from error
        for hook in spec.task.post_start if spec else ():
            if failed := self._run_hook("post_start", hook, container, name, spec):
                self._api.stop(container, 0)
                raise EngineError(failed)

    def _give_name(self, container: str, wanted: str) -> None:
        """`container_name`: the task before gives it up, and is called after its slot from then on.

        Raises ConflictError where the name is somebody else's.
        """
        holder = holder_of(self._api, wanted)
        if holder is not None and holder["Id"] == container:
            return
        if holder is not None:
            mine = self._look.inspected(container)["Config"]["Labels"]
            theirs = holder["Config"].get("Labels") or {}
            if not _may_be_renamed(mine, theirs, alive=holder["State"]["Running"]):
                raise ConflictError(
                    f"the container name {wanted} is taken", hint=f"see docker inspect {wanted}"
                )
            with contextlib.suppress(NotFoundError):  # it is removed just now
                self._api.rename(holder["Id"], slot_name(holder))
        self._api.rename(container, wanted)

    def _start_once(self, container: str) -> None:
        try:
            self._api.start(container)
        except (LinkError, TimedOutError):
            # Started twice, one that failed at once would get a second life: look first.
            if parse_time(self._api.inspect(container)["State"].get("StartedAt")) is None:
                self._api.start(container)

    def _run_pre_stop(self, task: Task) -> str:
        spec = spec_of(task.spec)
        for hook in spec.task.pre_stop if spec else ():
            if failed := self._run_hook("pre_stop", hook, task.container_id, task.name, spec):
                return failed
        return ""

    def _run_hook(
        self,
        kind: str,
        said: Hook | tuple[str, ...],
        container: str,
        name: str,
        spec: ServiceSpec | None,
    ) -> str:
        """What is wrong, empty where nothing is."""
        hook = said if isinstance(said, Hook) else Hook(command=said)
        try:
            code, printed = self._api.execute(container, hook)
        except NotFoundError:
            raise
        except EngineError as error:
            return f"{name}: {kind}: {error.message}"
        if code == 0:
            return ""
        last = without_secrets_of(one_line(printed), spec)[-200:]
        return f"{name}: {kind} {hook.command[0]} exited {code}" + (f": {last}" if last else "")

    def _policy(self, task: Task) -> str:
        host = self._look.inspected(task.container_id)["HostConfig"]
        return str((host.get("RestartPolicy") or {}).get("Name", ""))


def _may_be_renamed(mine: Json, theirs: Json, *, alive: bool) -> bool:
    """A task of the same service; or what is left of another one of the stack, which has given the
    name up."""
    keys = _WHOSE if alive else _WHOSE[:1]
    return all(mine.get(key) == theirs.get(key) for key in keys)


@contextlib.contextmanager
def _saying_what_is_final() -> Iterator[None]:
    """Only about making a container: what it is started from may be put right meanwhile."""
    try:
        yield
    except EngineError as error:
        if can_never_work(error):
            raise ImpossibleError(error.message, status=error.status, hint=error.hint) from error
        raise
