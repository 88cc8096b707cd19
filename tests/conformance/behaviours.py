"""How the simulated engine's tasks behave: as those of the recording did.

The n-th task of an image that is made behaves like the n-th that Swarm started, and any further one
like the last: so a program need not be understood to be played again.
"""

from __future__ import annotations

from rollout.engine.simulated.faults import FOR_EVER, Behaviour, Faults
from rollout.model.revision import Revision
from tests.conformance.case import Case
from tests.conformance.trace import Life

_PREPARE_S = 0.1
_START_S = 0.1
_BY_A_SIGNAL = (0, 143)
_GRACE_IN_SIGHT_S = 2.0


class Recorded(Faults):
    def __init__(self, case: Case) -> None:
        super().__init__(Behaviour(prepare_s=_PREPARE_S, start_s=_START_S))
        self._case = case
        self._lives: dict[str, list[Life]] = {}
        for life in case.trace.lives:
            self._lives.setdefault(life.image, []).append(life)
        for image, lives in self._lives.items():
            # What was still starting when the recording ended says nothing where others do.
            self._lives[image] = [each for each in lives if each.end or each.running_at] or lives
        self._chosen: dict[tuple[int, str, int], Behaviour] = {}
        self._count: dict[str, int] = {}

    def behaviour(self, revision: Revision, slot: int, generation: int) -> Behaviour:
        key = (slot, revision.digest, generation)
        if key not in self._chosen:
            image = revision.spec.task.image
            lives = self._lives.get(image, [])
            number = self._count[image] = self._count.get(image, 0) + 1
            life = lives[min(number, len(lives)) - 1] if lives else None
            self._chosen[key] = self._like(life, revision) if life else self.usual
        return self._chosen[key]

    def _like(self, life: Life, revision: Revision) -> Behaviour:
        task = revision.spec.task
        if life.end == "rejected":
            return Behaviour(
                prepare_failures=FOR_EVER, prepare_error=f"No such image: {life.image}"
            )
        checked = task.healthcheck is not None and task.healthcheck.test != ("NONE",)
        started, ran = life.started_at or 0.0, life.running_at
        healthy = None if ran is None else ran - started
        patient = task.stop_grace_s > _GRACE_IN_SIGHT_S
        took_s = (life.ended_at or 0.0) - (life.asked_at or 0.0)
        stubborn = life.end == "shutdown" and patient and took_s >= task.stop_grace_s
        killed = life.exit_code == 137 and life.image in self._case.killed
        if not life.is_failure or killed or life.ended_at is None:
            return Behaviour(
                prepare_s=_PREPARE_S,
                start_s=_START_S,
                healthy_after_s=healthy,
                ignores_term=stubborn,
            )
        lasted = life.ended_at - (started if checked or ran is None else ran)
        by_its_check = ran is not None and life.exit_code in _BY_A_SIGNAL
        if checked and (life.end == "unhealthy" or by_its_check):
            # Nobody asked it to end but its own healthcheck.
            return Behaviour(healthy_after_s=healthy, unhealthy_after_s=lasted)
        return Behaviour(
            prepare_s=_PREPARE_S,
            start_s=_START_S,
            healthy_after_s=healthy,
            exits_after_s=lasted,
            exit_code=life.exit_code or 0,
        )
