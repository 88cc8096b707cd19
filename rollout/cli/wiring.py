"""The composition root: the only place that makes an engine, a ledger and a session of them."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rollout.cli.settings import Settings
from rollout.compose.settings import parallel_of
from rollout.controller.session import Session
from rollout.errors import EngineError, UsageError
from rollout.ledger.ledger import Ledger
from rollout.log import log

if TYPE_CHECKING:
    from rollout.engine.docker.engine import DockerEngine  # lazy: the SDK costs 250 ms


@contextmanager
def open_engine(settings: Settings) -> Iterator[DockerEngine]:
    """The engine that the global flags name; closed at the end.

    Raises UsageError for an engine that is not built, EngineUnavailableError where none answers.
    """
    if settings.engine != "docker":
        raise UsageError(
            f"--engine {settings.engine} is not in this version", hint="use --engine docker"
        )
    from rollout.engine.docker.engine import connect

    engine = connect(settings.host, settings.context, on_retry=_log_retry)
    log.debug("connected", engine=engine.name, host=engine.host)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def open_session(settings: Settings, *, parallel: int | None = None) -> Iterator[Session]:
    """The engine and its ledger.

    `parallel`: how many actions may be under way at once, 0 for no limit; None: as the environment
    says.  Raises UsageError where that is no number.
    """
    limit = parallel_of(os.environ) if parallel is None else parallel
    with open_engine(settings) as engine:
        ledger = Ledger(engine.store, engine.now, by=author())
        yield Session(engine, ledger, parallel=limit)


def _log_retry(error: EngineError, pause_s: float) -> None:
    log.warning("engine call failed, trying again", error=str(error), pause_s=round(pause_s, 1))


def author() -> str:
    """Who records revisions: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
