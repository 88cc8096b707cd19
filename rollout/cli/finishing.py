"""What an interrupted command says: how long it still takes, and what it has left."""

from __future__ import annotations

import sys

from rollout.cli.interrupt import FINISHING, leave_calls
from rollout.errors import InterruptedRolloutError
from rollout.model.event import Progress
from rollout.model.labels import full_name
from rollout.model.units import format_duration
from rollout.views.progress.sink import Sink
from rollout.views.waiting import sentence_of


class Finishing:
    """Called with every look, it knows what is in flight when the signal comes."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self._last = progress

    def answer(self) -> str:
        """What to write on stderr at the first signal; nothing where the view shows it there."""
        words = self.words()
        shown = self._sink is not None and self._sink.notice(words)
        return "" if shown and sys.stderr.isatty() else words

    def words(self) -> str:
        last = self._last
        if last is None or last.holder or last.away or not last.finish_s:
            return FINISHING
        limit = format_duration(last.finish_s)
        waits = self._waits()
        what = f" ({waits[0]})" if waits else ""
        return f"finishing what is in flight{what}, for {limit} at most; once more leaves at once"

    def ended(self, error: InterruptedRolloutError, going_on: str) -> InterruptedRolloutError:
        """The error for people; `going_on` is the command for that."""
        if not error.left:
            return InterruptedRolloutError(
                "interrupted, what was in flight is finished", hint=f"`{going_on}` goes on"
            )
        leave_calls()
        waits = self._waits()
        what = f" ({'; '.join(waits)})" if waits else ""
        return InterruptedRolloutError(
            f"interrupted, what takes long is left as it is{what}",
            hint=f"`{going_on}` goes on with it",
            left=True,
        )

    def _waits(self) -> list[str]:
        last = self._last
        if last is None:
            return []
        found = [(each, sentence_of(each, last.at)) for each in last.services if each.in_flux]
        return [f"{full_name(each.stack, each.service)}: {text}" for each, text in found if text]
