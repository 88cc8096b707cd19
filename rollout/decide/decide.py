"""The decision: what to do next about one service, and when to look again.

Pure: the same world gives the same answer, in the same order.  Nothing is remembered between two
calls, so a controller that starts in the middle of anything goes on where the last one stopped.

The order of the rules is the whole of it:

    1. too many failures?  say so in the ledger (pause, or record the rollback)
    2. what was begun is finished, whatever else is asked for
    3. slots too many go, empty and lost ones are filled, once what it depends on is there
    4. paused, finished or told to stop: nothing new is begun
    5. the next batch is made Ready, and begun when it is its turn
    6. tasks that were watched long enough are Docker's to restart, while they do well
    7. nothing left: say so in the ledger
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.decide import clean, repair, update, verdict
from rollout.decide.batch import deadlines, proven_at
from rollout.decide.failure import retry_at
from rollout.decide.status import status_of
from rollout.decide.view import View, view_of
from rollout.decide.world import Decision, World
from rollout.model.action import Action, target_of


def decide(world: World) -> Decision:
    """What to do about a service now.  `world.revisions` must not be empty."""
    view = view_of(world)
    due = _once_each(_rules(view))
    actions = tuple(action for action in due if not view.is_busy(target_of(action)))
    wake_at = _wake_at(view)
    at_rest = not due and wake_at is None and _is_over(view)
    return Decision(actions=actions, status=status_of(view, at_rest=at_rest), wake_at=wake_at)


def _is_over(view: View) -> bool:
    """Nothing is under way, nor may still come up."""
    under_way = view.world.busy or view.batch.in_flux
    return not view.is_open and not under_way


def _rules(view: View) -> Iterator[Action]:
    if view.is_open and view.acts_on_failure:
        yield verdict.on_failure(view)
        yield from update.carry_through(view)
        return
    yield from update.carry_through(view)
    yield from clean.scale_down(view)
    if view.is_open and view.world.in_vain and view.begins:
        yield verdict.in_vain(view)
        return
    waits = bool(view.waits_for)
    if not view.world.stopping:
        if not waits:
            yield from repair.fill(view)
        yield from repair.restart(view)
    if (view.is_open or view.rebinds) and not view.world.stopping:
        if not (waits and view.is_open):
            yield from update.begin_batch(view)
        yield from update.prepare_next(view)
    yield from repair.arm(view)
    yield from repair.disarm(view)
    yield from clean.sweep(view)
    yield from clean.reap(view)
    yield from clean.retire(view)
    if view.is_open and not view.world.stopping:
        yield from verdict.at_the_end(view)


def _once_each(actions: Iterable[Action]) -> tuple[Action, ...]:
    """The first action on each target: never two on one container in one look."""
    chosen: dict[tuple[str, object], Action] = {}
    for action in actions:
        chosen.setdefault(target_of(action), action)
    return tuple(chosen.values())


def _wake_at(view: View) -> float | None:
    """The next moment at which the answer may change though nothing happens."""
    goes_on = (view.is_open or view.rebinds) and not view.world.stopping
    times: list[float | None] = [*deadlines(view.slots, view.run)]
    times += [repair.restart_at(view, slot) for slot in view.slots]
    times += [proven_at(slot, view.run) for slot in view.slots]
    times += [view.world.bound.wake_at]
    for slot in view.slots:
        attempt = view.attempts.get(slot.number)
        if attempt is None or view.has_given_up(attempt):
            continue
        if goes_on or repair.is_tried(view, slot):
            times += [retry_at(attempt)]
            if view.run.deadline_s:
                times += [attempt.first_at + view.run.deadline_s]
    if not view.unwatched:
        times += [repair.arm_at(view, slot, task) for slot in view.slots for task in slot.tasks]
    if goes_on:
        times += [task.stop_ends_at for task in view.world.tasks]
        times += [view.complete_at]
        if view.batch.candidates:
            times += [view.batch.open_at]
            if view.failures:
                times += [update.trusted_at(view, task) for task in view.running()]
    return min((at for at in times if at is not None and at > view.now), default=None)
