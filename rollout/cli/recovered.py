"""What a command that records something does first, told on stderr."""

from __future__ import annotations

from rollout.cli import messages
from rollout.controller.recover import recover
from rollout.controller.session import Look, Session


def recovered(session: Session, stack: str) -> Look:
    """A look at a stack once a removal that died is finished and a lost ledger rebuilt."""
    return recover(session, stack, messages.warn)
