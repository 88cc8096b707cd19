"""What tasks of a service are bound to: `network_mode: service:x` and its like, `volumes_from`, and
`depends_on: {x: {restart: true}}`.

A container joins the namespaces of another one as that is then.  When that one is replaced, or its
process ends and is started again, the namespace is gone, and what is in it hangs in nothing: it may
run, with no network.  Volumes stay with the container that has them, so there only a successor
counts.  A task that is bound to something gone is *adrift*: it is out of date, whatever definition
it has, and is replaced by one that is bound to what is there now, its *home*.

Nothing of this is remembered: which containers a task is bound to, since when, and what became of
those, is read from the containers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from rollout.decide.batch import PROOF_S
from rollout.decide.slots import Slot
from rollout.decide.view import View
from rollout.decide.world import Bindings
from rollout.model.bindings import namespace_owners, siblings_of, volume_owners
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, ContainerStatus
from rollout.model.task import Task

_UP = (ContainerStatus.RUNNING, ContainerStatus.PAUSED)
"""What the engine lets another container join."""
_TOGETHER_S = 1.0
"""How far apart the ends of processes may be seen that end together, as a pid namespace does."""
_KILLED = 137


class Home(Struct, frozen=True, kw_only=True):
    """A slot of a service, for those that are bound to the service."""

    slot: int
    task: Task | None
    """What is there to stay; None while there is nothing, or what will be replaced."""
    since: float
    """From when on it may be relied on; in the future for one that was started just now."""


class Sibling(Struct, frozen=True, kw_only=True):
    """A service that others are bound to."""

    name: str
    tasks: tuple[Task, ...]
    homes: tuple[Home, ...]
    """Of the slots that are wanted, ascending."""
    leaving: frozenset[str]
    under_way: bool
    """An update of it is."""
    at_rest: bool

    def owner(self, bound_to: tuple[str, ...]) -> Task | None:
        return next((task for task in self.tasks if task.container_id in bound_to), None)


def unmanaged(name: str, tasks: tuple[Task, ...]) -> Sibling:
    """A service that nobody has recorded: what runs of it is there to stay."""
    up = [task for task in tasks if task.status in _UP]
    return Sibling(
        name=name,
        tasks=tasks,
        homes=tuple(
            Home(slot=task.slot, task=task, since=0.0)
            for task in sorted(up, key=lambda task: (task.slot, task.created_at))
        ),
        leaving=frozenset(),
        under_way=False,
        at_rest=True,
    )


def sibling_of(view: View, *, at_rest: bool) -> Sibling:
    return Sibling(
        name=view.run.target.service,
        tasks=view.world.tasks,
        homes=tuple(_home(view, slot) for slot in view.slots),
        leaving=view.leaving | frozenset(_asked_to_end(view)),
        under_way=view.is_open,
        at_rest=at_rest,
    )


def wanted_siblings(history: tuple[Revision, ...]) -> frozenset[str]:
    """Services that a service is bound to, by any definition that a task of it may have."""
    bound = {name for each in history for name in siblings_of(each.spec.task)}
    return frozenset(bound.union(history[-1].spec.restarts_with))


def bindings_of(
    history: tuple[Revision, ...],
    tasks: tuple[Task, ...],
    siblings: Mapping[str, Sibling],
    now: float,
) -> Bindings:
    wanted = history[-1].spec
    homes: dict[str, str] = {}
    missing: dict[str, str] = {}
    in_vain = ""
    for name, sibling in siblings.items():
        home = _home_of(sibling, wanted, now)
        if home is not None:
            homes[name] = home.container_id
        elif name in siblings_of(wanted.task) or sibling.under_way:
            missing[name] = _awaited(sibling)
        if home is None and name in siblings_of(wanted.task) and _will_not_come(sibling):
            in_vain = f"{name} to run"
        if sibling.under_way and name in wanted.restarts_with and name not in missing:
            missing[name] = f"the update of {name}"
    found = [(task, _loss(task, history, siblings, now)) for task in tasks]
    unsure = [task for task, loss in found if loss is not None and loss.unsure]
    for task in unsure:
        missing[task.service] = f"{task.service}.{task.slot}, which has just ended"
    times = [home.since for each in siblings.values() for home in each.homes if home.task]
    times += [(task.finished_at or now) + _TOGETHER_S for task in unsure]
    return Bindings(
        homes=homes,
        missing=missing,
        in_vain=in_vain,
        adrift={task.container_id: loss.why for task, loss in found if loss is not None},
        dead=frozenset(task.container_id for task, loss in found if loss is not None and loss.dead),
        wake_at=min((at for at in times if at > now), default=None),
    )


# -- what there is to be bound to


def _home(view: View, slot: Slot) -> Home:
    """A new task counts once it has proved itself as one beside its predecessor does; with a
    healthcheck, in an update, once it is healthy."""
    none = Home(slot=slot.number, task=None, since=0.0)
    task = slot.new
    if task is None and slot.old and not (view.is_open or view.is_rebound(slot)):
        task = slot.old[-1]
    if task is None or task.status not in _UP or task.container_id in view.leaving:
        return none
    if _is_asked_to_end(task, view.now):
        return none
    if view.is_open and not (task.running or task.armed):
        return none
    proof_s = 0.0 if task.has_healthcheck else min(PROOF_S, view.run.monitor_s)
    return Home(slot=slot.number, task=task, since=(task.started_at or 0.0) + proof_s)


def _asked_to_end(view: View) -> Iterator[str]:
    return (task.container_id for task in view.world.tasks if _is_asked_to_end(task, view.now))


def _is_asked_to_end(task: Task, now: float) -> bool:
    return task.stop_ends_at is not None and now < task.stop_ends_at


def _home_of(sibling: Sibling, wanted: ServiceSpec, now: float) -> Task | None:
    """Of several replicas the first, as in Compose; another only where that will not come.  For
    volumes one that has ended will do: some services are there only to have them."""
    for home in sibling.homes:
        if home.task is not None:
            return home.task if now >= home.since else None
        if not sibling.at_rest:
            return None
    if sibling.name in namespace_owners(wanted.task) or not sibling.at_rest:
        return None
    held = [task for task in sibling.tasks if task.ended and task.started_at is not None]
    first = min((task.slot for task in held), default=0)
    mine = [task for task in held if task.slot == first]
    return max(mine, key=lambda task: task.created_at, default=None)


def _awaited(sibling: Sibling) -> str:
    home = next(iter(sibling.homes), None)
    if home is None:
        return f"{sibling.name} to run"
    up = any(task.alive and task.slot == home.slot for task in sibling.tasks)
    what = "to be replaced" if up and sibling.under_way and home.task is None else "to run"
    return f"{sibling.name}.{home.slot} {what}"


def _will_not_come(sibling: Sibling) -> bool:
    return sibling.at_rest and not any(task.alive for task in sibling.tasks)


# -- what has lost what it was bound to


class _Loss(Struct, frozen=True, kw_only=True):
    at: float
    why: str
    dead: bool = False
    """Its namespace is gone: whatever it does, it does not work."""
    unsure: bool = False
    """It is not known yet whether it was a loss; in a second it is."""


def _loss(
    task: Task,
    history: tuple[Revision, ...],
    siblings: Mapping[str, Sibling],
    now: float,
) -> _Loss | None:
    """Why a task is adrift.  One that has ended is so only where it ended by that, or after: what
    had ended before has ended for reasons of its own."""
    found = [loss for loss in _losses(task, history, siblings, now) if _counts(task, loss)]
    return min(found, key=lambda loss: (not loss.dead, loss.at), default=None)


def _counts(task: Task, loss: _Loss) -> bool:
    if not task.ended or task.started_at is None:
        return True
    return (task.finished_at or 0.0) >= loss.at


def _losses(
    task: Task,
    history: tuple[Revision, ...],
    siblings: Mapping[str, Sibling],
    now: float,
) -> Iterator[_Loss]:
    made_from = _definition(task, history)
    if made_from is not None:
        dies = made_from.task.pid.startswith("service:")
        for name in sorted(namespace_owners(made_from.task) & siblings.keys()):
            yield from _of_namespace(task, siblings[name], now, dies=dies)
        for name in sorted(volume_owners(made_from.task) & siblings.keys()):
            yield from _of_volumes(task, siblings[name])
    if task.started_at is not None:
        for name in history[-1].spec.restarts_with:
            if name in siblings:
                yield from _of_restart(task.started_at, siblings[name])


def _definition(task: Task, history: tuple[Revision, ...]) -> ServiceSpec | None:
    for each in reversed(history):
        if each.digest == task.digest or (each.cause is Cause.ADOPTED and not task.digest):
            return each.spec
    return None


def _of_namespace(task: Task, sibling: Sibling, now: float, *, dies: bool) -> Iterator[_Loss]:
    """`dies`: the engine kills what is in a pid namespace when its first process ends, and shows
    the one before the other."""
    owner = sibling.owner(task.namespaces_of)
    killed = dies and task.ended and task.exit_code == _KILLED and not task.oom_killed
    slack_s = _TOGETHER_S if killed else 0.0
    began_at = task.created_at if task.started_at is None else task.started_at
    if owner is None:
        if not task.ended or task.started_at is None or killed:
            yield _Loss(at=began_at, why=f"its {sibling.name} is gone", dead=True)
        return
    name = f"{sibling.name}.{owner.slot}"
    if owner.status not in _UP:
        at = owner.finished_at or owner.down_at or now
        yield _Loss(at=at - slack_s, why=f"{name} has ended", dead=True)
    elif (owner.started_at or 0.0) > began_at:
        at = owner.down_at or owner.started_at or now
        why = f"{name} was started again after it"
        yield _Loss(at=at - slack_s, why=why, dead=True)
    elif owner.container_id in sibling.leaving:
        if task.started_at is None or killed:
            yield _Loss(at=began_at, why=f"{name} is being stopped")
    elif killed and now < (task.finished_at or 0.0) + _TOGETHER_S:
        yield _Loss(at=began_at, why=f"{name} may have ended", unsure=True)


def _of_volumes(task: Task, sibling: Sibling) -> Iterator[_Loss]:
    owner = sibling.owner(task.volumes_of)
    if owner is None:
        yield _Loss(at=task.created_at, why=f"its {sibling.name} is gone")
        return
    name = f"{sibling.name}.{owner.slot}"
    if owner.status in _UP:
        if owner.container_id in sibling.leaving and task.started_at is None:
            yield _Loss(at=task.created_at, why=f"{name} is being stopped")
        return
    later = [
        each.started_at
        for each in sibling.tasks
        if each.slot == owner.slot and each.created_at > owner.created_at and each.started_at
    ]
    if later:
        yield _Loss(at=min(later), why=f"{name} was replaced")


def _of_restart(began_at: float, sibling: Sibling) -> Iterator[_Loss]:
    changed = [at for at in _changes(sibling) if at > began_at]
    if changed:
        yield _Loss(at=min(changed), why=f"{sibling.name} was updated after its start")


def _changes(sibling: Sibling) -> Iterator[float]:
    """When each slot got the definition that it has: not when it got another task of the same."""
    for home in sibling.homes:
        mine = [task for task in sibling.tasks if task.slot == home.slot and not task.prepared]
        found = _first_of_its_kind(sorted(mine, key=lambda task: task.created_at))
        if found is not None:
            yield found.created_at


def _first_of_its_kind(tasks: Iterable[Task]) -> Task | None:
    """The oldest of the last row of tasks that are alike; None where no other was before."""
    first: Task | None = None
    other = False
    for task in tasks:
        if first is None or task.digest != first.digest:
            first, other = task, first is not None
    return first if other else None
