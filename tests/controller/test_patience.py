"""An engine that is away is waited for, in growing pauses, until the deadline."""

from __future__ import annotations

import math

import pytest

from rollout.controller.patience import Patience, limit_of
from rollout.errors import EngineError, EngineUnavailableError, NotFoundError
from tests.support.shown import revision, spec, status

AWAY = EngineUnavailableError("no engine answers")


class Watch:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_pauses_grow_and_the_deadline_ends_them() -> None:
    """Never a pause beyond the deadline, and the end says how to go on."""
    watch = Watch()
    patience = Patience("shop", watch)
    pauses = []

    for _ in range(8):
        pauses.append(round(patience.pause_s(AWAY, 20.0), 3))
        watch.at += pauses[-1]
    with pytest.raises(EngineUnavailableError) as caught:
        patience.pause_s(AWAY, 20.0)

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 3.8]
    assert str(caught.value) == (
        "shop: the engine has been away for 20s: no engine answers "
        "(once it is back, `rollout status shop --wait` goes on)"
    )


def test_each_outage_has_its_own_time() -> None:
    """Back in between, the next one starts from nothing."""
    watch = Watch()
    patience = Patience("shop", watch)
    patience.pause_s(AWAY, 20.0)
    watch.at += 12.5

    assert patience.over() == 12.5
    assert not patience.waits
    watch.at += 1000
    assert patience.pause_s(AWAY, 20.0) == 0.2


def test_what_will_not_pass_is_not_waited_for() -> None:
    """A 4xx is an answer; a 5xx is an engine that is not well."""
    with pytest.raises(NotFoundError):
        Patience("shop").pause_s(NotFoundError("no such thing", status=404), 20.0)

    assert Patience("shop").pause_s(EngineError("no space left on device", status=500), 20.0)


def test_the_limit_is_the_longest_deadline() -> None:
    """What was given with --timeout comes first, and 0 is for ever."""
    short, long = (
        status(revision=revision(spec=spec(progress_deadline_s=limit))) for limit in (30.0, 90.0)
    )

    assert limit_of([short, long], None) == 90.0
    assert limit_of([short, long], 5.0) == 5.0
    assert limit_of([short], 0.0) == math.inf
    assert limit_of([], None) == 600.0
