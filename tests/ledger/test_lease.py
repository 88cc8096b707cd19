"""The lease: one drives, whoever else wants to waits, and it frees itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import RLock

from rollout.engine.protocol import Record
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.store import MemoryStore
from rollout.ledger.lease import EXPIRES_AFTER_S, RENEW_EVERY_S, Lease, newest_entry


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
        newest = max(self.records(), key=lambda record: int(record.labels["rollout.lease"]))
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


def test_a_released_lease_is_free_at_once() -> None:
    """And its number is never used again."""
    host = Host()
    first, second = host.lease(), host.lease()
    first.hold(host.records())

    first.release()

    assert second.hold(host.records()) is None
    newest = newest_entry(host.records())
    assert newest is not None
    assert newest.number == 3


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


def test_a_number_that_was_dropped_is_not_taken_for_a_free_one() -> None:
    """One who slept between looking and taking puts a number that others had and dropped: the next
    look says that the stack is theirs."""
    host = Host()
    late, busy = host.lease(), host.lease()
    late.hold(host.records())
    old = host.records()
    host.clock.advance(EXPIRES_AFTER_S + 1)
    for _ in range(4):
        busy.hold(host.records())
        host.clock.advance(RENEW_EVERY_S)
    busy.hold(host.records())

    assert late.hold(old) is None
    assert late.anew
    assert late.hold(host.records()) is not None
    assert busy.hold(host.records()) is None
