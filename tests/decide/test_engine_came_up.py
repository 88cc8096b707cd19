"""What went down with the engine: no failure of the update, replaced once the engine is back."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.decide.decide import decide
from rollout.decide.slots import Bucket
from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition, RestartPolicy
from rollout.model.state import MarkKind
from rollout.model.task import Task
from tests.decide.given import (
    NOW,
    ended,
    first,
    mark,
    ready,
    revision,
    running,
    seen,
    unstartable,
    world,
)

V1 = first()
V2 = revision(2)
NEVER = RestartPolicy(condition=RestartCondition.NONE)


def _slot_1(tasks: list[Task], made_for: Revision = V2, **fields: Any) -> tuple[Bucket, int]:
    """The bucket of slot 1, and how many failures there are; it came up half a second ago."""
    view = seen([V1, made_for], [*tasks, running(2, V1)], **{"came_up_at": NOW - 0.5, **fields})
    return view.slots[0].bucket, len(view.failures)


@pytest.mark.parametrize("task", [ended(1, V2), ended(1, V2, exit_code=0), unstartable(1, V2)])
def test_it_is_down_and_has_not_failed(task: Task) -> None:
    """Whatever its exit code, and also where it could not be started any more."""
    assert _slot_1([task]) == (Bucket.DOWN, 0)


def test_what_ends_once_the_engine_is_up_has_failed() -> None:
    """Judged by the engine's own times."""
    assert _slot_1([ended(1, V2, ago=0.2)]) == (Bucket.FAILED, 1)


def test_it_is_replaced_whatever_its_restart_policy() -> None:
    """The update goes on as if the slot had not been begun."""
    never = revision(2, restart=NEVER)
    tasks = [ended(1, never), ready(1, never, ago=0.1), running(2, V1), running(3, V1)]

    decision = decide(world([V1, never], tasks, came_up_at=NOW - 0.5))

    assert "start web.1" in str(decision)


def test_a_pause_keeps_its_reason() -> None:
    """What had failed before the pause still says why, a reboot later."""
    paused = revision(2, marks=(mark(MarkKind.PAUSED),))

    assert _slot_1([ended(1, paused)], paused) == (Bucket.FAILED, 1)


def test_when_the_update_is_over_the_restart_policy_counts() -> None:
    """A task that is not to be restarted stays down after a reboot."""
    done = revision(2, restart=NEVER, marks=(mark(MarkKind.COMPLETED),))

    assert _slot_1([ended(1, done)], done) == (Bucket.LOST, 0)
    tasks = [ended(1, done), running(2, done), running(3, done)]
    assert str(decide(world([V1, done], tasks, came_up_at=NOW))) == ""


def test_in_a_first_deployment_it_is_filled() -> None:
    """Its slot is in no batch, and must not be waited for as if it were."""
    never = first(restart=NEVER, replicas=1, ended=None)

    decision = decide(world([never], [ended(1, never)], came_up_at=NOW - 0.5))

    assert "web.1" in str(decision)
