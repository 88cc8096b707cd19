"""The lease: one drives, whoever else wants to waits, and it frees itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import RLock

import pytest

from rollout.engine.docker.clock import EngineClock
from rollout.engine.protocol import Record
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.store import MemoryStore
from rollout.ledger.lease import EXPIRES_AFTER_S, RENEW_EVERY_S, Lease, newest_entry, unlock


class Host:
    """A store and a clock, and leases on them."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = MemoryStore(self.clock.now, RLock())

    def lease(self) -> Lease:
        return Lease(self.store, "shop", self.clock.now)

    def records(self) -> tuple[Record, ...]:
        return self.store.list("shop")

    def disguise(self, **changed: str) -> None:
        """Put the newest entry again with other labels, as another process would have."""
        newest = max(self.records(), key=lambda record: int(record.name.rpartition(".")[2]))
        self.store.drop(newest.name)
        self.store.put(newest.name, {**newest.labels, **changed})


def test_one_of_two_holds_it() -> None:
    """The other is told who."""
    host = Host()
    first, second = host.lease(), host.lease()

    assert first.hold(host.records()) is None
    holder = second.hold(host.records())

    assert first.ours
    assert holder is not None
    assert f"pid {os.getpid()}" in holder.holder


def test_it_is_renewed_by_taking_the_next_number() -> None:
    """Every few seconds; numbers before are dropped."""
    host = Host()
    lease = host.lease()
    lease.hold(host.records())

    for _ in range(20):
        host.clock.advance(RENEW_EVERY_S)
        assert lease.hold(host.records()) is None

    newest = newest_entry(host.records())
    assert newest is not None
    assert newest.number == 21
    assert len(host.records()) == 1


def test_it_expires_when_its_holder_was_not_heard_of() -> None:
    """Ten seconds on the engine's clock; the late holder then sees that it has lost it."""
    host = Host()
    silent, next_one = host.lease(), host.lease()
    silent.hold(host.records())

    host.clock.advance(EXPIRES_AFTER_S)
    assert next_one.hold(host.records()) is not None
    host.clock.advance(0.1)
    assert next_one.hold(host.records()) is None

    assert silent.hold(host.records()) is not None
    assert not silent.ours


def test_a_lease_given_back_is_free_at_once_and_leaves_nothing() -> None:
    host = Host()
    first, second = host.lease(), host.lease()
    first.hold(host.records())

    first.release()

    assert host.records() == ()
    assert second.hold(host.records()) is None


def test_a_lease_taken_over_is_not_given_back_by_who_lost_it() -> None:
    """Only what is below its own last number goes."""
    host = Host()
    late, heir = host.lease(), host.lease()
    late.hold(host.records())
    host.clock.advance(EXPIRES_AFTER_S + 1)
    heir.hold(host.records())

    late.release()

    newest = newest_entry(host.records())
    assert newest is not None
    assert newest.number == 2


def test_a_holder_whose_process_is_gone_is_succeeded_at_once() -> None:
    """On the same kernel and in the same process namespace that can be known."""
    host = Host()
    dead, heir = host.lease(), host.lease()
    dead.hold(host.records())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    mine = host.records()[0].labels["rollout.process"].split(" ")

    host.disguise(**{"rollout.process": f"{mine[0]} {child.pid} 12345"})

    assert heir.hold(host.records()) is None


def test_a_holder_on_another_host_is_waited_for() -> None:
    """Its process id means nothing here."""
    host = Host()
    far, heir = host.lease(), host.lease()
    far.hold(host.records())

    host.disguise(**{"rollout.process": "another-boot/4026531836 4711 12345"})

    assert heir.hold(host.records()) is not None


def test_of_two_who_take_over_one_wins() -> None:
    """Both saw the same expired entry; the number can be taken once."""
    host = Host()
    gone, one, other = host.lease(), host.lease(), host.lease()
    gone.hold(host.records())
    host.clock.advance(EXPIRES_AFTER_S + 1)
    seen = host.records()

    assert one.hold(seen) is None
    assert other.hold(seen) is not None


def test_a_holder_that_nobody_has_collected_yet_is_gone_all_the_same() -> None:
    """Its parent has not waited for it: a zombie drives nothing."""
    host = Host()
    dead, heir = host.lease(), host.lease()
    dead.hold(host.records())
    kernel = host.records()[0].labels["rollout.process"].split(" ")[0]
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8").split()[21]
    host.disguise(**{"rollout.process": f"{kernel} {child.pid} {started}"})
    assert heir.hold(host.records()) is not None

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert heir.hold(host.records()) is None
    child.communicate()


def test_whoever_has_just_taken_it_looks_again_before_acting() -> None:
    """Renewed in time it has been ours all along; taken, or renewed too late, it has not."""
    host = Host()
    lease = host.lease()

    lease.hold(host.records())
    assert lease.anew
    host.clock.advance(RENEW_EVERY_S)
    lease.hold(host.records())
    assert not lease.anew

    host.clock.advance(EXPIRES_AFTER_S + 1)
    assert not lease.surely_ours
    lease.hold(host.records())
    assert lease.anew
    assert lease.surely_ours
    lease.release()
    assert not lease.surely_ours


def test_who_takes_over_on_an_old_view_gives_way() -> None:
    """The expired holder came back, gave it up, and a third took it from the beginning: two
    numbers, one holder."""
    host = Host()
    gone, third, stale = host.lease(), host.lease(), host.lease()
    for _ in range(5):
        gone.hold(host.records())
        host.clock.advance(RENEW_EVERY_S)
    host.clock.advance(EXPIRES_AFTER_S)
    old_view = host.records()
    gone.hold(host.records())
    gone.release()
    assert third.hold(host.records()) is None

    holder = stale.hold(old_view)

    assert holder is not None
    assert not stale.ours
    assert third.hold(host.records()) is None
    assert len(host.records()) == 1


def test_a_late_renewal_on_an_old_view_gives_way_to_the_heir() -> None:
    """The name it takes was free again, since the heir had gone on to higher numbers."""
    host = Host()
    late, heir = host.lease(), host.lease()
    late.hold(host.records())
    view = host.records()
    host.clock.advance(EXPIRES_AFTER_S + 1)
    for _ in range(3):
        assert heir.hold(host.records()) is None
        host.clock.advance(RENEW_EVERY_S)
    assert heir.hold(host.records()) is None

    assert late.hold(view) is not None

    assert not late.ours
    assert heir.hold(host.records()) is None


def test_nothing_that_a_record_says_keeps_a_lease_from_being_taken() -> None:
    """Numbers that are none, numbers without end, a volume of that name that is no record."""
    host = Host()
    host.store.put("rollout.shop.lease.1", {})
    for number in ("x", "", "-1", "²", "9" * 5000):
        found = {"rollout.record": "lease", "rollout.stack": "shop", "rollout.since": "nan"}
        host.store.put(f"rollout.shop.lease.{number}", found)
    host.store.put("rollout.shop.lease.2", {"rollout.record": "lease", "rollout.stack": "shop"})
    host.clock.advance(EXPIRES_AFTER_S + 1)
    lease = host.lease()

    assert lease.hold(host.records()) is None
    assert lease.ours


def test_a_record_of_the_future_holds_nothing() -> None:
    """The engine's clock was set back by an hour: its holder's record is not waited for so long."""
    host = Host()
    gone = host.lease()
    host.clock.advance(3600)
    gone.hold(host.records())
    heir = Lease(host.store, "shop", lambda: host.clock.now() - 3600)

    assert heir.hold(host.records()) is None


def test_a_client_whose_clock_is_wrong_or_jumps_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What counts is the engine's clock, carried on by one of ours that nobody can set."""
    asked = [0]

    def info() -> dict[str, str]:
        asked[0] += 1
        return {"SystemTime": f"2026-11-23T10:00:0{asked[0]}Z"}

    one, other = EngineClock(info), EngineClock(info)
    store = MemoryStore(one.now, RLock())
    holder, waiting = Lease(store, "shop", one.now), Lease(store, "shop", other.now)
    assert holder.hold(()) is None

    for hours in (1, -1):
        real = time.time
        monkeypatch.setattr(time, "time", lambda real=real, hours=hours: real() + 3600 * hours)
        assert holder.hold(store.list("shop")) is None
        assert waiting.hold(store.list("shop")) is not None
    assert asked == [2]


def test_unlock_frees_it_and_says_who_held_it() -> None:
    """The next who wants it has it at once; the one who held it follows."""
    host = Host()
    holder, heir = host.lease(), host.lease()
    host.clock.advance(5)
    holder.hold(host.records())
    host.clock.advance(2)

    was = unlock(host.store, "shop", host.clock.now)

    assert was is not None
    assert f"pid {os.getpid()}" in was.holder
    assert host.clock.now() - was.since == 2
    assert heir.hold(host.records()) is None
    assert holder.hold(host.records()) is not None
    assert not holder.ours
    assert len(host.records()) == 1


def test_who_was_unlocked_leaves_it_to_others_for_a_while() -> None:
    """Else it would take it again before anybody else could."""
    host = Host()
    holder = host.lease()
    holder.hold(host.records())
    unlock(host.store, "shop", host.clock.now)

    assert holder.hold(host.records()) is not None
    host.clock.advance(EXPIRES_AFTER_S)
    assert holder.hold(host.records()) is not None
    host.clock.advance(0.1)
    assert holder.hold(host.records()) is None


def test_there_is_nothing_to_unlock_where_nobody_holds_it() -> None:
    host = Host()
    assert unlock(host.store, "shop", host.clock.now) is None
    host.lease().hold(host.records())
    host.clock.advance(EXPIRES_AFTER_S + 1)
    assert unlock(host.store, "shop", host.clock.now) is None
