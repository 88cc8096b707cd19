"""`rollout controller`: stays, drives every stack to its newest revision, and repairs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http import HTTPStatus

import click
from click.core import ParameterSource

from rollout.cli.event_log import log_events
from rollout.cli.interrupt import FINISHING, Interruption
from rollout.cli.metrics import CONTENT_TYPE, exposition
from rollout.cli.serving import Page, address, serving
from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.session import Session
from rollout.controller.supervise import Supervisor
from rollout.errors import EngineUnavailableError, RolloutError
from rollout.ledger.process import own_container
from rollout.log import log
from rollout.views.document import document

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


@click.command("controller")
@click.option(
    "--listen",
    default="127.0.0.1:9470",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /healthz and /metrics are served; off for nowhere.",
)
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    metavar="STACK",
    help="Watch over this stack only; may be repeated.",
)
@click.pass_context
def command(context: click.Context, /, listen: str, stacks: tuple[str, ...]) -> int:
    """Stay, and keep every stack of the engine as it was asked for.

    Updates that were recorded with --detach, or left by a command that died, are driven to their
    end; unhealthy, removed and ended tasks are replaced under their restart policy; what cannot be
    made ready is tried again for ever.  Other commands go on working beside it.

    It ends at SIGTERM or Ctrl-C, with exit code 0, once what is in flight is finished; a second
    signal ends it at once.
    """
    _log_events_unless_told_otherwise(context)
    settings: Settings = context.obj
    controller = _Controller(settings, frozenset(stacks))
    with ExitStack() as open_things:
        interruption = open_things.enter_context(Interruption(FINISHING))
        if listen != "off":
            pages = {"/healthz": controller.health, "/metrics": controller.metrics}
            where = open_things.enter_context(serving(address(listen), pages))
            log.info("listening", address=str(where))
        controller.run(interruption)
    log.info("ended")
    return 0


def _log_events_unless_told_otherwise(context: click.Context) -> None:
    """Events are all that a controller has to say: they are shown unless a level was asked for."""
    main = context.parent
    given = main and main.get_parameter_source("log_level") is not ParameterSource.DEFAULT
    if main is not None and not given:
        log.configure(level="info", fmt=main.params["log_format"])


class _Controller:
    def __init__(self, settings: Settings, stacks: frozenset[str]) -> None:
        self._settings = settings
        self._stacks = stacks
        self._session: Session | None = None
        self._supervisor: Supervisor | None = None
        self._away = "the engine has not answered yet"

    def run(self, interruption: Interruption) -> None:
        """Until interrupted; an engine that is not there yet is waited for."""
        with self._connected(interruption) as session:
            if session is None:
                return
            supervisor = Supervisor(
                session,
                report=partial(log_events, alone=True),
                failed=_log_failure,
                only=self._stacks,
                own=own_container(),
            )
            self._session, self._supervisor = session, supervisor
            log.info("watching", stacks=sorted(self._stacks) or "all", engine=session.engine.host)
            supervisor.run(interruption.stop, interruption.wake)

    @contextmanager
    def _connected(self, interruption: Interruption) -> Iterator[Session | None]:
        """None where it was interrupted before the engine answered."""
        pause_s = _FIRST_PAUSE_S
        with ExitStack() as open_things:
            session = None
            while session is None and not interruption.stop.is_set():
                try:
                    session = open_things.enter_context(open_session(self._settings))
                except EngineUnavailableError as error:
                    self._away = str(error)
                    _log_failure("", error, pause_s)
                    interruption.stop.wait(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            yield session

    def health(self) -> Page:
        ailments = self._supervisor.ailments() if self._supervisor else (self._away,)
        status = HTTPStatus.SERVICE_UNAVAILABLE if ailments else HTTPStatus.OK
        stacks = [each.stack for each in self._supervisor.watched()] if self._supervisor else []
        found = {"healthy": not ailments, "reasons": ailments, "stacks": stacks}
        return Page(status, "application/json", f"{document(found)}\n".encode())

    def metrics(self) -> Page:
        if self._session is None or self._supervisor is None:
            return Page(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{self._away}\n".encode())
        try:
            text = exposition(self._supervisor, self._session.engine.calls())
        except RolloutError as error:
            return Page(HTTPStatus.NOT_IMPLEMENTED, "text/plain", f"{error}\n".encode())
        return Page(HTTPStatus.OK, CONTENT_TYPE, text)


def _log_failure(stack: str, error: Exception, pause_s: float) -> None:
    """What went wrong with a stack's loop, or with the engine; a bug with its traceback."""
    known = isinstance(error, RolloutError)
    text = str(error) if known else f"internal error: {type(error).__name__}: {error}"
    more = {} if known and not log.debugging else {"exc_info": error}
    tell = log.warning if known else log.error
    tell(text, stack=stack, again_in_s=round(pause_s, 1), **more)
