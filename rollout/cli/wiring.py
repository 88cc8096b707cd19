"""The composition root: the only place that makes an engine, a ledger and a session of them."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rollout.cli import messages
from rollout.cli.settings import Settings
from rollout.compose.settings import parallel_of
from rollout.controller.session import Session
from rollout.engine.protocol import OnUnreadable, Unreadable
from rollout.errors import EngineError, UsageError
from rollout.ledger.ledger import Ledger
from rollout.log import log

if TYPE_CHECKING:
    from rollout.engine.docker.engine import DockerEngine  # lazy: the SDK costs 250 ms


@contextmanager
def open_engine(
    settings: Settings, on_unreadable: OnUnreadable | None = None
) -> Iterator[DockerEngine]:
    """The engine that the global flags name; closed at the end.

    Raises UsageError for an engine that is not built, EngineUnavailableError where none answers.
    """
    if settings.engine != "docker":
        raise UsageError(
            f"--engine {settings.engine} is not in this version", hint="use --engine docker"
        )
    from rollout.engine.docker.engine import connect

    engine = connect(
        settings.host,
        settings.context,
        on_retry=_log_retry,
        on_unreadable=on_unreadable or _Told().once,
    )
    log.debug("connected", engine=engine.name, host=engine.host)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def open_session(
    settings: Settings, *, parallel: int | None = None, quiet: bool = False
) -> Iterator[Session]:
    """The engine and its ledger.

    `parallel`: how many actions may be under way at once, 0 for no limit; None: as the environment
    says.  `quiet`: what cannot be read is not told of.  Raises UsageError where that is no number.
    """
    told = _ignored if quiet else _Told().once
    limit = parallel_of(os.environ) if parallel is None else parallel
    with open_engine(settings, told) as engine:
        ledger = Ledger(engine.store, engine.now, by=author(), on_unreadable=told)
        yield Session(engine, ledger, parallel=limit)


def _ignored(_what: Unreadable) -> None: ...


class _Told:
    """Of what cannot be read each is told once, however often it is met."""

    _MOST = 10_000

    def __init__(self) -> None:
        self._names: set[str] = set()

    def once(self, what: Unreadable) -> None:
        if what.name not in self._names and len(self._names) < self._MOST:
            self._names.add(what.name)
            messages.warn(
                f"the {what.kind} {what.name} cannot be read and is left out: {what.why} "
                "(see `rollout doctor`)"
            )


def _log_retry(error: EngineError, pause_s: float) -> None:
    log.warning("engine call failed, trying again", error=str(error), pause_s=round(pause_s, 1))


def author() -> str:
    """Who records revisions: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
