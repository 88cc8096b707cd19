"""Which failed engine calls are tried again, how often, and how long apart.

Only what may pass by itself: a connection that broke, a gateway's 502 to 504, and for calls that
can be repeated without harm a plain 500.  Never a 4xx: the engine has understood and said no.

Six attempts wait 0.1, 0.2, 0.4, 0.8 and 1.6 s (with a little jitter): 3 s, the time of a quick
daemon restart.  Whatever takes longer is the controller's to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_fixed,
    wait_random,
)

from rollout.engine.docker.faults import LinkError
from rollout.errors import EngineError, NotFoundError

T = TypeVar("T")

OnRetry = Callable[[EngineError, float], None]
"""Told before each pause: what failed, and how many seconds the pause is."""

_GATEWAY = frozenset({502, 503, 504})
_ATTEMPTS = 6
_ATTEMPTS_500 = 3


class Again(Enum):
    """What may be tried again."""

    NOTHING = "nothing"
    """Doing it twice would do harm, or the caller looks first."""
    LINK = "link"
    """Broken connections and gateways."""
    FAULTS = "faults"
    """A plain 500 too: reads, and writes that find their own traces."""


def retried(call: Callable[[], T], again: Again, on_retry: OnRetry) -> T:
    """The call's result, or its last error."""
    if again is Again.NOTHING:
        return call()
    return _POLICIES[again].copy(before_sleep=_telling(on_retry))(call)


def appears(look: Callable[[], T]) -> T:
    """The result of a look at what somebody else is making just now; waits 2 s for it to be there.

    Raises NotFoundError where it never comes.
    """
    return _APPEARS.copy()(look)


def _passes(again: Again) -> Callable[[BaseException], bool]:
    def passes(error: BaseException) -> bool:
        if isinstance(error, LinkError):
            return True
        status = error.status if isinstance(error, EngineError) else 0
        return status in _GATEWAY or (again is Again.FAULTS and status == 500)

    return passes


def _stop(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    plain = isinstance(error, EngineError) and error.status == 500
    return stop_after_attempt(_ATTEMPTS_500 if plain else _ATTEMPTS)(state)


def _telling(on_retry: OnRetry) -> Callable[[RetryCallState], None]:
    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, EngineError):
            on_retry(error, state.upcoming_sleep)

    return tell


_POLICIES = {
    again: Retrying(
        retry=retry_if_exception(_passes(again)),
        stop=_stop,
        wait=wait_exponential(multiplier=0.1, max=1.6) + wait_random(0, 0.05),
        reraise=True,
    )
    for again in (Again.LINK, Again.FAULTS)
}

_APPEARS = Retrying(
    retry=retry_if_exception_type(NotFoundError),
    stop=stop_after_delay(2),
    wait=wait_fixed(0.05),
    reraise=True,
)
