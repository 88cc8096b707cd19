"""Volumes without a name, kept: each new task of a slot has those of the tasks before it, and no
container takes one with it that somebody has used (see `anonymous`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.engine.docker.anonymous import (
    by_name,
    creation,
    go_with_it,
    has_run,
    held,
    own_volumes,
    places,
    refusal,
)
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.images import Images
from rollout.engine.docker.look import Look
from rollout.engine.docker.observe import parse_time
from rollout.errors import EngineError, ImpossibleError, NotFoundError
from rollout.model.action import Prepare
from rollout.model.revision import Revision
from rollout.model.spec import Mount, Order
from rollout.model.task import Task


class Keeping:
    """Safe to use from many threads, for different slots."""

    def __init__(self, api: Api, look: Look, images: Images) -> None:
        self._api = api
        self._look = look
        self._images = images

    def volumes(self, action: Prepare) -> tuple[dict[str, Mount], tuple[str, ...]]:
        """What a new task mounts for its volumes without a name, by target, and what is to be said
        of that.

        Raises ImpossibleError where a task that is up writes to one of them, and is not to be
        stopped first.
        """
        revision, slot = action.revision, action.slot
        spec = revision.spec.task
        before = self._before(revision, slot)
        wanted = places(spec, self._of_image(revision), self._donated(revision, action.siblings))
        if spec.fresh_volumes:
            return wanted if spec.volumes_from else {}, ()
        if not wanted:
            return {}, tuple(_left(action, before, wanted))
        _refuse_two_writers(revision, before, wanted)
        found, notes = {}, [*_left(action, before, wanted)]
        for target, mount in wanted.items():
            known = next(
                ((volumes[target], ran) for _, ran, volumes in before if target in volumes), None
            )
            if known is not None:
                found[target] = by_name(mount, known[0], has_data=known[1])
                continue
            made = self._api.create_volume(creation(revision.stack, revision.service, slot, mount))
            found[target] = by_name(mount, made["Name"], has_data=False)
            there_since = parse_time(made.get("CreatedAt")) or revision.created_at
            if there_since < revision.created_at - 1.0 and not before:
                notes.append(_sentence(action, f"takes up its volume at {target} again"))
            elif action.existed and not before:
                notes.append(
                    _sentence(
                        action,
                        f"begins with an empty volume at {target}: none of its earlier tasks is "
                        "left to tell which it had (docker volume ls -f dangling=true)",
                    )
                )
        return found, tuple(notes)

    def remove(self, container: str, *, force: bool = False) -> tuple[str, ...]:
        """Remove a container with the volumes that hold nothing to be kept; what is to be said of
        others, which nothing mounts any more.  Raises NotFoundError where it is gone."""
        raw = self._look.inspected(container)
        if not has_run(raw):
            # Somebody may have started it since.
            raw = self._api.inspect(container)
        takes_along = go_with_it(raw)
        self._api.remove(container, volumes=takes_along, force=force)
        if not takes_along:
            for name in sorted(own_volumes(raw)):
                self._remove_volume(name)
        return tuple(self._nobodys(raw)) if has_run(raw) else ()

    def _remove_volume(self, name: str) -> None:
        try:
            self._api.remove_volume(name)
        except EngineError as error:
            if error.may_pass:
                raise

    def _of_image(self, revision: Revision) -> tuple[str, ...]:
        """Pulls the image where it is not there."""
        spec = revision.spec.task
        found = self._images.volumes(spec)
        if found is None:
            self._images.fetch(spec)
            found = self._images.volumes(spec)
        return found or ()

    def _donated(self, revision: Revision, siblings: Mapping[str, str]) -> frozenset[str]:
        """What a task mounts by way of `volumes_from`."""
        found: set[str] = set()
        for said in revision.spec.task.volumes_from:
            kind, name, *_ = said.split(":")
            donor = self._api.inspect(siblings[name] if kind == "service" else name)
            found |= {str(each["Destination"]) for each in donor.get("Mounts") or []}
        return frozenset(found)

    def _before(
        self, revision: Revision, slot: int
    ) -> tuple[tuple[Task, bool, dict[str, str]], ...]:
        """The slot's tasks with their volumes, and whether they ever ran: those first that did,
        the newest first."""
        tasks = [
            task
            for task in self._look.last(revision.stack)
            if task.service == revision.service and task.slot == slot
        ]
        found = []
        for task in tasks:
            try:
                raw = self._look.inspected(task.container_id)
            except NotFoundError:
                continue
            found.append((task, has_run(raw), held(raw, self._shared(raw))))
        found.sort(key=lambda each: (each[1], each[0].created_at, each[0].id), reverse=True)
        return tuple(found)

    def _shared(self, container: Json) -> frozenset[str]:
        """The volumes that a container has from others, as long as those are there."""
        found: set[str] = set()
        for said in container["HostConfig"].get("VolumesFrom") or []:
            try:
                donor = self._look.inspected(str(said).partition(":")[0])
            except NotFoundError:
                continue
            found |= {str(each.get("Name")) for each in donor.get("Mounts") or []}
        return frozenset(found)

    def _nobodys(self, removed: Json) -> Iterator[str]:
        """What a container that was removed has left, and no other one has."""
        mine = held(removed, self._shared(removed))
        name = removed["Name"].removeprefix("/")
        for target, volume in mine.items():
            if not self._api.containers([], volume=[volume]):
                yield f"{name} is removed; its volume {volume}, mounted at {target}, stays"


def _refuse_two_writers(
    revision: Revision,
    before: tuple[tuple[Task, bool, dict[str, str]], ...],
    wanted: Mapping[str, Mount],
) -> None:
    cadence = revision.spec.rollback if revision.is_rollback else revision.spec.update
    if cadence.order is Order.START_FIRST and any(task.alive for task, _, _ in before):
        raise ImpossibleError(refusal(revision.spec, wanted))


def _left(
    action: Prepare,
    before: tuple[tuple[Task, bool, dict[str, str]], ...],
    wanted: Mapping[str, Mount],
) -> Iterator[str]:
    """What the task before had, and the new one does not ask for."""
    last = next((volumes for _, ran, volumes in before if ran), {})
    for target, volume in last.items():
        if target not in wanted:
            yield _sentence(
                action,
                f"no longer has the volume without a name at {target}: {volume} stays as it is",
            )


def _sentence(action: Prepare, text: str) -> str:
    return f"slot {action.slot} {text}"
