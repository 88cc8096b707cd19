"""Records that cannot be read: skipped, told of, never in the way, and their numbers are taken."""

from __future__ import annotations

import base64
import zlib
from itertools import count
from threading import RLock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollout.engine.protocol import Unreadable
from rollout.engine.simulated.store import MemoryStore
from rollout.errors import ConflictError, NotFoundError
from rollout.ledger.history import previous_of
from rollout.ledger.lease import Lease, newest_entry
from rollout.ledger.ledger import CONTENT_STAYS_S, KEEP, Ledger, hidden_in
from rollout.ledger.records import FILE, LEASE, MARK, REMOVAL, REVISION
from rollout.ledger.removal import removal_in
from rollout.model import labels
from rollout.model.spec import ServiceSpec, TaskSpec
from rollout.model.state import Cause, MarkKind

WEB = ServiceSpec(name="web", task=TaskSpec(image="web:1"))
SPEC = '{"name":"web","task":{"image":"x"}}'


class Book:
    """A ledger in memory, with what it told of."""

    def __init__(self) -> None:
        self.ticks = count(1_000)
        self.store = MemoryStore(lambda: float(next(self.ticks)), RLock())
        self.told: list[Unreadable] = []
        clock: Any = lambda: float(next(self.ticks))  # noqa: E731
        self.ledger = Ledger(self.store, clock, "ann@host", self.told.append)

    def record(self, *numbers: int) -> Book:
        for number in numbers:
            assert self.ledger.record("shop", version(number), Cause.DEPLOY)
        return self

    def junk(self, name: str, **found: str) -> Book:
        """A record `name` of the stack; a keyword is a label's last word."""
        words = {f"rollout.{key.replace('_', '-')}": value for key, value in found.items()}
        self.store.put(name, {labels.STACK: "shop", **words})
        return self

    @property
    def numbers(self) -> list[int]:
        return [each.number for each in self.ledger.read("shop").get("web", ())]

    @property
    def names(self) -> set[str]:
        return {each.name for each in self.store.list()}


def version(number: int) -> ServiceSpec:
    return replace(WEB, task=replace(WEB.task, image=f"web:{number}"))


NONSENSE = [
    ("rollout.shop_web.r2", {"record": REVISION}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "2"}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "2",
                             "spec": '{"na'}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "x", "spec": SPEC}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "9" * 5000,
                             "spec": SPEC, "action": "deploy"}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "2",
                             "spec": "[" * 100_000, "action": "deploy"}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "2",
                             "spec": SPEC, "action": "canary"}),
    ("rollout.shop_web.r2", {"record": REVISION, "service": "web", "revision": "2",
                             "spec": SPEC, "action": "deploy", "at": "nan"}),
    ("other", {"record": REVISION, "service": "web", "revision": "2", "spec": SPEC,
               "action": "deploy"}),
    ("rollout.shop_web.r1.m9", {"record": MARK}),
    ("rollout.shop_web.r1.m9", {"record": MARK, "service": "web", "revision": "1",
                                "mark_number": "9", "mark": "canary"}),
    ("rollout.shop_web.r1.m9", {"record": MARK, "service": "web", "revision": "1",
                                "mark_number": "1e9", "mark": "paused"}),
    ("rollout.shop.lease.x", {"record": LEASE}),
    ("rollout.shop.lease." + "9" * 30, {"record": LEASE}),
    ("junk", {"record": REMOVAL}),
    ("junk", {"record": FILE}),
    ("rollout.shop.plan", {"record": "plan"}),
    ("rollout.shop.\x1b[31m", {"record": "\x1b]0;title\x07"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "found"), NONSENSE)
def test_nonsense_is_told_of_and_in_nobody_s_way(name: str, found: dict[str, str]) -> None:
    """Whatever it says it is, the rest is read, recorded, marked and held as without it."""
    book = Book().record(1).junk(name, **found)

    assert book.numbers == [1]
    assert [each.name for each in book.told] == [name]
    assert removal_in(book.store.list("shop")) is None
    assert newest_entry(book.store.list("shop")) is None
    assert Lease(book.store, "shop", lambda: float(next(book.ticks))).hold(
        book.store.list("shop")
    ) is None  # fmt: skip
    newest = book.record(2).ledger.read("shop")["web"][-1]
    assert book.ledger.note(newest, MarkKind.COMPLETED, "done")
    assert book.ledger.read("shop")["web"][-1].last_mark is MarkKind.COMPLETED
    assert all(each.why and len(each.why) < 300 for each in book.told)


def test_a_number_that_is_taken_is_not_used_again() -> None:
    """Nor is a rollback to it: there is nothing that could be restored."""
    book = Book().record(1).junk("rollout.shop_web.r2", record=REVISION).record(3)

    assert book.numbers == [1, 3]
    assert hidden_in(book.store.list("shop")) == {"web": {2}}
    newest, before = book.ledger.read("shop")["web"][::-1]
    book.ledger.note(before, MarkKind.COMPLETED, "done")
    assert previous_of(book.ledger.read("shop")["web"]).number == 1
    assert newest.spec == version(3)


def test_the_same_again_is_a_revision_where_a_newer_one_cannot_be_read() -> None:
    """What it asked for is not known: what is asked for now is to be the newest."""
    book = Book().record(1).junk("rollout.shop_web.r7", record=REVISION).record(1)

    assert book.numbers == [1, 8]
    assert book.ledger.record("shop", version(1), Cause.DEPLOY) is None


def test_a_name_that_bears_no_label_at_all_is_passed_over() -> None:
    book = Book().record(1)
    book.store.put("rollout.shop_web.r2", {})
    book.store.put("rollout.shop_web.r3.m1", {"some": "label"})

    newest = book.record(2).ledger.read("shop")["web"][-1]

    assert newest.number == 3
    mark = book.ledger.note(newest, MarkKind.PAUSED, "")
    assert mark is not None
    assert mark.number == 2


def test_a_mark_that_cannot_be_read_keeps_its_number() -> None:
    book = Book().record(1).junk("rollout.shop_web.r1.m1", record=MARK, mark="canary")

    (revision,) = book.ledger.read("shop")["web"]
    mark = book.ledger.note(revision, MarkKind.COMPLETED, "done")

    assert mark is not None
    assert mark.number == 2


def test_another_stack_s_record_is_no_nonsense() -> None:
    """`a_b` with `c` and `a` with `b_c` have the same names: neither takes the other's."""
    book = Book()
    book.ledger.record("a_b", replace(WEB, name="c"), Cause.DEPLOY)

    with pytest.raises(ConflictError, match="taken by another stack"):
        book.ledger.record("a", replace(WEB, name="b_c"), Cause.DEPLOY)


def test_what_a_newer_version_wrote_outlives_trimming() -> None:
    """So do contents, whichever it mounts.  It outlives its service, but not its stack."""
    book = Book().record(1)
    book.junk("rollout.shop_web.r2", record=REVISION, service="web", revision="2")
    book.junk("rollout.shop_web.r1.m5", record=MARK, service="web", revision="1", mark="canary")
    book.ledger.put_contents("shop", {"abc": b"hello"})
    book.record(*range(3, 3 + KEEP + 3))
    for _ in range(int(CONTENT_STAYS_S) + 10):
        next(book.ticks)

    book.ledger.trim("shop", "web")
    book.ledger.trim_contents("shop")

    kept = {"rollout.shop_web.r2", "rollout.shop_web.r1.m5", "rollout.shop.file.abc"}
    assert kept <= book.names
    assert "rollout.shop_web.r1" not in book.names
    book.ledger.remove("shop", "web")
    assert book.names == kept
    book.ledger.remove("shop")
    assert not book.names


def test_content_that_cannot_be_read_is_named_before_anything_is_recorded() -> None:
    book = Book().junk("rollout.shop.file.abc", record=FILE, content="!!")

    with pytest.raises(ConflictError, match=r"rollout\.shop\.file\.abc .* cannot be read"):
        book.ledger.put_contents("shop", {"abc": b"hello"})
    with pytest.raises(NotFoundError):
        book.ledger.contents("shop")("abc")


def test_content_that_unpacks_to_any_size_is_not_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(b"\0" * 50_000_000, 9)).decode()
    book = Book().junk("rollout.shop.file.abc", record=FILE, content=bomb)

    with pytest.raises(NotFoundError):
        book.ledger.contents("shop")("abc")


def test_a_removal_takes_the_place_of_one_that_cannot_be_read() -> None:
    book = Book().record(1).junk("rollout.shop.removal", record="x")

    book.ledger.begin_removal("shop", None)

    found = removal_in(book.store.list("shop"))
    assert found is not None
    assert found.whole


_TEXT = st.text("0a-{\x1b\ud800/", max_size=9) | st.sampled_from(
    ["1", "2", "web", SPEC, "deploy", "paused", "1e400"]
)


@given(
    kind=st.sampled_from([REVISION, MARK, LEASE, REMOVAL, FILE, "other"]),
    name=st.sampled_from(
        ["rollout.shop_web.r2", "rollout.shop_web.r1.m1", "rollout.shop.lease.3", "x"]
    ),
    found=st.dictionaries(
        st.sampled_from(
            ["service", "revision", "spec", "action", "at", "mark", "mark_number", "restores",
             "since", "process", "holder"]
        ),
        _TEXT,
    ),
)  # fmt: skip
def test_no_labels_break_anything(kind: str, name: str, found: dict[str, str]) -> None:
    book = Book().record(1).junk(name, record=kind, **found)

    before = book.numbers
    assert before[0] == 1
    if removal_in(book.store.list("shop")) is None:
        wanted = replace(WEB, task=replace(WEB.task, image="web:last"))
        newest = book.ledger.record("shop", wanted, Cause.UPDATE)
        assert newest is not None
        assert newest.number > before[-1]
        assert book.ledger.note(newest, MarkKind.COMPLETED, "")
    book.ledger.trim("shop", "web")
    book.ledger.trim_contents("shop")
    book.ledger.remove("shop")
    assert not book.names
