"""What must never happen, looked for at every look of every scenario.

The guard sees what decide is given and what it answers, and remembers what was begun: it judges by
tasks and actions alone, never by how decide has sorted them.
"""

from __future__ import annotations

from msgspec.structs import replace

from rollout.decide.decide import decide
from rollout.decide.world import Decision, World
from rollout.model.action import Note, Prepare, Push, Start, Stop, target_of
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction, Order, UpdateConfig
from rollout.model.state import Proof
from rollout.model.task import Task

HISTORY = 5


class Guard:
    """Asserts, sentence by sentence."""

    def __init__(self) -> None:
        self._digest = ""
        self._taken_down: set[int] = set()
        """Slots of the newest definition that were well, were begun, and have not settled."""

    def check(self, world: World, decision: Decision) -> None:
        self._same_input_same_text(world, decision)
        self._one_action_on_a_target(world, decision)
        self._a_stop_waits_for_its_replacement(world, decision)
        self._never_more_than_parallelism(world, decision)
        self._the_last_healthy_task_stays_after_a_failure(world, decision)
        self._a_rollback_is_recorded_once(world, decision)
        self._nothing_is_begun_while_paused(world, decision)
        self._complete_is_what_was_seen_to_run(world, decision)
        if decision.status.at_rest:
            self._rest_is_quiet(world, decision)
            self._history_is_kept_short(world, decision)

    def _same_input_same_text(self, world: World, decision: Decision) -> None:
        turned = decide(replace(world, tasks=tuple(reversed(world.tasks))))
        assert str(turned) == str(decision)
        assert turned == decision

    def _one_action_on_a_target(self, world: World, decision: Decision) -> None:
        targets = [target_of(action) for action in decision.actions]
        assert len(targets) == len(set(targets))
        assert not set(targets) & set(world.busy)

    def _a_stop_waits_for_its_replacement(self, world: World, decision: Decision) -> None:
        target = world.revisions[-1]
        for action in decision.actions:
            if not isinstance(action, Stop) or action.task.digest == target.digest:
                continue
            if action.cause == "one slot too many" or _is_repair(world, action):
                continue
            beside = [task for task in world.tasks if task.slot == action.task.slot]
            new = [
                task
                for task in beside
                if task.digest == target.digest and task.container_id not in world.leaving
            ]
            if cadence(target).order is Order.START_FIRST:
                assert any(task.running for task in new), f"{action} before its replacement runs"
            else:
                assert any(task.prepared or task.running for task in new), (
                    f"{action} before its replacement is ready"
                )

    def _never_more_than_parallelism(self, world: World, decision: Decision) -> None:
        target = world.revisions[-1]
        if target.digest != self._digest:
            self._digest, self._taken_down = target.digest, set()
        self._taken_down -= {
            slot
            for slot in self._taken_down
            if any(_has_settled(task, world) for task in world.tasks if task.slot == slot)
        }
        begun = {
            action.task.slot
            for action in decision.actions
            if isinstance(action, Stop | Start) and self._is_a_choice(world, action)
        } - self._taken_down
        self._taken_down |= begun
        limit = cadence(target).parallelism
        if begun and limit:
            assert len(self._taken_down) <= limit, (
                f"slots {sorted(self._taken_down)} are down by choice, parallelism is {limit}"
            )

    def _is_a_choice(self, world: World, action: Stop | Start) -> bool:
        """It takes a task out of service, or puts one beside it, that runs well."""
        target = world.revisions[-1]
        if action.cause == "one slot too many":
            return False
        old = [
            task
            for task in world.tasks
            if task.slot == action.task.slot and task.running and task.digest != target.digest
        ]
        if isinstance(action, Start):
            return bool(old)
        already = any(
            task.running and task.digest == target.digest and task.slot == action.task.slot
            for task in world.tasks
        )
        return action.task in old and not already

    def _the_last_healthy_task_stays_after_a_failure(
        self, world: World, decision: Decision
    ) -> None:
        target = world.revisions[-1]
        if not decision.status.failures or target.spec.slots == 0:
            return
        if cadence(target).failure_action is not FailureAction.CONTINUE:
            return
        going = {
            action.task.container_id for action in decision.actions if isinstance(action, Stop)
        }
        by_choice = [
            action
            for action in decision.actions
            if isinstance(action, Stop)
            and action.task.running
            and action.cause != "one slot too many"
        ]
        if not by_choice:
            return
        left = [
            task
            for task in world.tasks
            if task.running
            and task.container_id not in going
            and task.container_id not in world.leaving
        ]
        assert left, f"{by_choice[0]} takes down the last healthy task after a failure"

    def _a_rollback_is_recorded_once(self, world: World, decision: Decision) -> None:
        for action in decision.actions:
            if isinstance(action, Push):
                assert not world.revisions[-1].is_rollback
                assert action.number == world.revisions[-1].number + 1

    def _nothing_is_begun_while_paused(self, world: World, decision: Decision) -> None:
        target = world.revisions[-1]
        if target.last_mark not in ("paused", "completed", "failed"):
            return
        for action in decision.actions:
            if isinstance(action, Stop) and action.task.digest != target.digest:
                if _is_repair(world, action):
                    continue
                assert action.cause == "one slot too many" or any(
                    task.slot == action.task.slot and task.running and task.digest == target.digest
                    for task in world.tasks
                ), f"{action} while {target.last_mark}"

    def _complete_is_what_was_seen_to_run(self, world: World, decision: Decision) -> None:
        target = world.revisions[-1]
        monitor = cadence(target).monitor_s or 5.0
        failed = {failure.slot for failure in decision.status.failures}
        for action in decision.actions:
            if not isinstance(action, Note) or action.reason != Proof.PROVED:
                continue
            for slot in {each.slot for each in decision.status.slots} - failed:
                assert any(
                    task.slot == slot
                    and task.digest == target.digest
                    and task.running_since is not None
                    and (task.finished_at or world.now) - task.running_since >= monitor - 0.001
                    for task in world.tasks
                ), f"{action}, though web.{slot} never ran for {monitor} s"

    def _rest_is_quiet(self, world: World, decision: Decision) -> None:
        assert not decision.actions
        assert decision.wake_at is None
        later = decide(replace(world, now=world.now + 86_400.0))
        assert not later.actions, f"a day later: {later}"
        fresh = decide(replace(world, busy={}, leaving=frozenset(), attempts=()))
        assert not any(isinstance(each, Stop) for each in fresh.actions), (
            f"remembering less: {fresh}"
        )
        for prepared in (each for each in fresh.actions if isinstance(each, Prepare)):
            assert any(each.slot == prepared.slot for each in world.attempts)

    def _history_is_kept_short(self, world: World, decision: Decision) -> None:
        kept: dict[int, int] = {}
        for task in world.tasks:
            kept[task.slot] = kept.get(task.slot, 0) + 1
        most = max(HISTORY, world.revisions[-1].spec.task.restart.max_attempts + 1)
        assert all(count <= most for count in kept.values()), kept


def _is_repair(world: World, action: Stop) -> bool:
    """Whoever supervises replaces what is unhealthy, whatever the update."""
    return world.supervised and not world.stopping and action.task.unhealthy


def cadence(revision: Revision) -> UpdateConfig:
    return revision.spec.rollback if revision.is_rollback else revision.spec.update


def _has_settled(task: Task, world: World) -> bool:
    """It ran, or it failed: ended, turned unhealthy, or did not run by the deadline."""
    target = world.revisions[-1]
    if task.digest != target.digest:
        return False
    limit = target.spec.progress_deadline_s if world.deadline_s is None else world.deadline_s
    late = task.started_at is not None and limit and world.now >= task.started_at + limit
    return bool(task.running_since is not None or task.ended or task.unhealthy or late)
