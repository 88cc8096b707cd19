"""What shows a rollout while it is under way: called with every look, closed at the end."""

from __future__ import annotations

from typing import Protocol

from rollout.model.event import Progress


class Sink(Protocol):
    """Never raises for a reader that went away: a closed pipe must not end an update."""

    def __call__(self, progress: Progress) -> None: ...

    def notice(self, text: str) -> bool:
        """Show a line that must not be overlooked.  False where it belongs on stderr: what is
        redrawn in place would paint over that.  May be called by a signal handler.
        """
        ...

    def close(self) -> None: ...


class Quiet:
    """Shows nothing."""

    def __call__(self, progress: Progress) -> None:
        """Look away."""

    def notice(self, _text: str) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""
