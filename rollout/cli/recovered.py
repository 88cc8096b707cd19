"""What a command that records something does first, told on stderr."""

from __future__ import annotations

import sys

from rollout.controller.recover import recover
from rollout.controller.session import Look, Session
from rollout.views.progress.writer import Writer
from rollout.views.text import clean


def recovered(session: Session, stack: str) -> Look:
    """A look at a stack once a removal that died is finished and a lost ledger rebuilt."""
    err = Writer(sys.stderr)
    return recover(session, stack, lambda text: err.line(f"rollout: {clean(text)}"))
