"""The composition root: the only place that makes an engine, a ledger and a session of them."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from rollout.cli.settings import Settings
from rollout.controller.session import Session
from rollout.errors import UsageError
from rollout.ledger.ledger import Ledger
from rollout.log import log


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """A session on the engine that the global flags name; closed at the end.

    Raises UsageError for an engine that is not built, EngineUnavailableError where none answers.
    """
    if settings.engine != "docker":
        raise UsageError(
            f"--engine {settings.engine} is not in this version", hint="use --engine docker"
        )
    from rollout.engine.docker.engine import connect

    engine = connect(settings.host, settings.context)
    log.debug("connected", engine=engine.name, host=engine.host)
    try:
        yield Session(engine, Ledger(engine.store, engine.now, by=author()))
    finally:
        engine.close()


def author() -> str:
    """Who records revisions: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
