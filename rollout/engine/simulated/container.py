"""One simulated container: its life on the virtual clock, and how it is seen.

    created ─▶ running ─▶ exited            by itself, or stopped
                  ▲          │
                  └ restarting               where Docker's restart policy is set

As Docker does: a restart waits 100 ms, twice as long each time, up to a minute, and anew after ten
seconds of good running; a container that was stopped is not brought back; a start that failed
leaves it created, with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from rollout.engine.simulated.clock import Timer, VirtualClock
from rollout.engine.simulated.faults import Behaviour
from rollout.model.labels import container_name
from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition, RestartPolicy
from rollout.model.state import ContainerStatus, Health
from rollout.model.task import Task

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 60.0
_GOOD_RUN_S: Final = 10.0
_ALIVE: Final = (ContainerStatus.RUNNING, ContainerStatus.RESTARTING, ContainerStatus.PAUSED)
_NO_RESTART: Final = RestartPolicy(condition=RestartCondition.NONE)
_KILL_S: Final = 5.0
_KILLED: Final = 137
_TERMINATED: Final = 143
_NOT_STARTED: Final = 128

Tell = Callable[["Container", str], None]
"""Called after each change, with the engine's word for it."""


class Bound(Struct, frozen=True, kw_only=True):
    """What a container shares with others: their ids, and whether they let it in now."""

    namespaces_of: tuple[str, ...] = ()
    volumes_of: tuple[str, ...] = ()
    dies_with: str = ""
    """Whose pid namespace it is in: it ends as soon as that one does."""
    is_up: Callable[[str], bool] = lambda _: True

    @property
    def refusal(self) -> str:
        down = [owner for owner in self.namespaces_of if not self.is_up(owner)]
        return f"cannot join network of a non running container: {down[0]}" if down else ""


NOTHING: Final = Bound()


class Container:
    """Use with the clock's lock held."""

    def __init__(
        self,
        *,
        revision: Revision,
        slot: int,
        task_id: str,
        label: str,
        behaviour: Behaviour,
        clock: VirtualClock,
        tell: Tell,
        bound_to: Bound = NOTHING,
    ) -> None:
        self.revision = revision
        self.slot = slot
        self.task_id = task_id
        self.container_id = task_id.ljust(64, "0")
        self.behaviour = behaviour
        self.status = ContainerStatus.CREATED
        self.error = ""
        self.bound_to = bound_to
        self._label = label
        self._clock = clock
        self._tell = tell
        self.created_at = clock.now()
        self._started_at: float | None = None
        self._finished_at: float | None = None
        self._down_at: float | None = None
        self._health = Health.NONE
        self._running_since: float | None = None
        self._unhealthy_since: float | None = None
        self._exit_code: int | None = None
        self._oom_killed = False
        self._restarts = 0
        self._last_exit: int | None = None
        self._last_ended_at: float | None = None
        self._policy = _NO_RESTART
        self._asked_to_stop_at: float | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._plans: list[Timer] = []
        self._seen: Task | None = None

    @property
    def alive(self) -> bool:
        return self.status in _ALIVE

    @property
    def prepared(self) -> bool:
        return self.status is ContainerStatus.CREATED and not self.error

    @property
    def has_healthcheck(self) -> bool:
        check = self.revision.spec.task.healthcheck
        return check is not None and check.test != ("NONE",)

    def start(self) -> None:
        """Up; or, where it cannot be, created still and with an error."""
        now = self._clock.now()
        if error := self.behaviour.start_error or self.bound_to.refusal:
            self.error = error
            if self._started_at is None:
                self._exit_code = _NOT_STARTED
                self._finished_at = self.created_at
            else:
                self.status = ContainerStatus.EXITED
                self._finished_at = self._down_at
            self._changed("die")
            return
        self._cancel_plans()
        self.status = ContainerStatus.RUNNING
        self._started_at, self._finished_at, self._exit_code = now, None, None
        self._asked_to_stop_at = None
        self._unhealthy_since, self.error, self._oom_killed = None, "", False
        self._health = Health.STARTING if self.has_healthcheck else Health.NONE
        self._running_since = None if self.has_healthcheck else now
        self._plan(self.behaviour.exits_after_s, self._end_by_itself)
        if self.has_healthcheck:
            self._plan(self.behaviour.unhealthy_after_s, self._turn_unhealthy)
            self._plan(self.behaviour.healthy_after_s, self._turn_healthy)
        self._changed("start")

    def stop(self, grace_s: float, done: Callable[[], None]) -> None:
        """Ask it to end; `done` is called when it has.  Its restart policy goes with it."""
        if self.status not in (ContainerStatus.RUNNING, ContainerStatus.PAUSED):
            if self.status is ContainerStatus.RESTARTING:
                self._end(self._exit_code or 0, by_itself=False)
            self._disarm()
            done()
            return
        frozen = self.status is ContainerStatus.PAUSED
        willing = not (frozen or self.behaviour.ignores_term) and self.behaviour.stop_s <= grace_s
        code = _TERMINATED if willing else _KILLED

        def stopped() -> None:
            if self.alive:
                self._end(code, by_itself=False)
            done()

        self._asked_to_stop_at = self._clock.now()
        self._changed("kill")
        after = self.behaviour.stop_s if willing else grace_s
        self._clock.call_at(self._clock.now() + after, stopped)

    def crash(self, code: int = _KILLED, *, oom_killed: bool = False) -> None:
        """Its process dies: not by our doing."""
        if self.status is ContainerStatus.RUNNING:
            self._oom_killed = oom_killed
            self._end(code, by_itself=True)

    def restart_by_hand(self) -> None:
        """`docker restart`: down and up again, with the policy it has."""
        if self.status is ContainerStatus.RUNNING:
            policy, self._policy = self._policy, _NO_RESTART
            self._end(_TERMINATED, by_itself=True)
            self._policy = policy
            self._plan(_FIRST_PAUSE_S, self.start)

    def sicken(self) -> None:
        """Its healthcheck begins to fail, where it has one."""
        if self.status is ContainerStatus.RUNNING and self.has_healthcheck:
            self._turn_unhealthy()

    def stop_by_hand(self) -> None:
        """`docker stop`: it keeps its restart policy, and is not brought back all the same."""
        if self.alive:
            policy = self._policy
            self._end(_TERMINATED, by_itself=False)
            self._policy = policy
            self._seen = None

    def pause_by_hand(self) -> None:
        """`docker pause`: its processes stand still."""
        if self.status is ContainerStatus.RUNNING:
            self._cancel_plans()
            self.status = ContainerStatus.PAUSED
            self._changed("pause")

    def arm(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._changed("update")

    def discard(self) -> None:
        """It is removed, dead or alive."""
        self._cancel_plans()
        self.status = ContainerStatus.DEAD
        self._changed("destroy")

    def task(self) -> Task:
        """How it is seen now."""
        if self._seen is None:
            self._seen = self._look()
        return self._seen

    def _look(self) -> Task:
        revision, spec = self.revision, self.revision.spec
        ended = self.status is ContainerStatus.EXITED or bool(
            self.status is ContainerStatus.CREATED and self.error
        )
        return Task(
            id=self.task_id,
            container_id=self.container_id,
            name=container_name(revision.stack, revision.service, self.slot, self.task_id),
            stack=revision.stack,
            service=revision.service,
            slot=self.slot,
            revision=revision.number,
            digest=revision.digest,
            image=spec.task.image,
            status=self.status,
            created_at=self.created_at,
            started_at=self._started_at,
            finished_at=self._finished_at,
            has_healthcheck=self.has_healthcheck,
            health=self._health,
            running_since=self._running_since,
            unhealthy_since=self._unhealthy_since,
            exit_code=self._exit_code if ended else None,
            oom_killed=self._oom_killed,
            error=self.error,
            restarts=self._restarts,
            last_exit=self._last_exit if self.alive and self._restarts else None,
            last_ended_at=self._last_ended_at if self.alive and self._restarts else None,
            probe=self.error if self.alive and self._health is Health.UNHEALTHY else "",
            armed=self._policy.condition is not RestartCondition.NONE,
            stop_grace_s=spec.task.stop_grace_s,
            stop_signal=spec.task.stop_signal,
            stop_ends_at=self._stop_ends_at(),
            down_at=self._down_at,
            namespaces_of=self.bound_to.namespaces_of,
            volumes_of=self.bound_to.volumes_of,
            spec=self._label,
        )

    def _stop_ends_at(self) -> float | None:
        if self._asked_to_stop_at is None or not self.alive:
            return None
        return self._asked_to_stop_at + self.revision.spec.task.stop_grace_s + _KILL_S

    def _plan(self, after_s: float | None, happens: Callable[[], None]) -> None:
        if after_s is not None:
            self._plans.append(self._clock.call_at(self._clock.now() + after_s, happens))

    def _cancel_plans(self) -> None:
        for timer in self._plans:
            timer.cancel()
        self._plans.clear()

    def _changed(self, what: str) -> None:
        self._seen = None
        self._tell(self, what)

    def _turn_healthy(self) -> None:
        if self._health is Health.STARTING:
            self._health = Health.HEALTHY
            self._running_since = self._clock.now()
            self._changed("healthy")

    def _turn_unhealthy(self) -> None:
        self._health = Health.UNHEALTHY
        self._unhealthy_since = self._clock.now()
        self.error = self.behaviour.probe_output
        self._changed("unhealthy")

    def _end_by_itself(self) -> None:
        self._oom_killed = self.behaviour.oom_killed
        self._end(self.behaviour.exit_code, by_itself=True)

    def _end(self, code: int, *, by_itself: bool) -> None:
        self._cancel_plans()
        now = self._down_at = self._clock.now()
        ran_s = now - (self._started_at or now)
        self._exit_code = code
        if self.has_healthcheck:
            self._health = Health.UNHEALTHY
        if by_itself and self._is_brought_back(code):
            self._pause_s = _FIRST_PAUSE_S if ran_s >= _GOOD_RUN_S else self._pause_s
            self.status = ContainerStatus.RESTARTING
            self._restarts += 1
            self._last_exit, self._last_ended_at = code, now
            self._plan(self._pause_s, self.start)
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        else:
            self.status = ContainerStatus.EXITED
            self._finished_at = now
            if not by_itself:
                self._policy = _NO_RESTART
        self._changed("die")

    def _disarm(self) -> None:
        if self._policy.condition is not RestartCondition.NONE:
            self._policy = _NO_RESTART
            self._changed("update")

    def _is_brought_back(self, code: int) -> bool:
        match self._policy.condition:
            case RestartCondition.ANY:
                return True
            case RestartCondition.ON_FAILURE:
                limit = self._policy.max_attempts
                return code != 0 and (not limit or self._restarts < limit)
        return False
