"""What a real Swarm did is what rollout does, on the simulated engine; and the README says where
not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rollout.decide import batch, repair, update, view
from rollout.decide import verdict as verdict_rules
from rollout.decide.run import Run, run_of
from rollout.decide.slots import Slot
from rollout.decide.view import View
from rollout.engine.simulated.container import Container
from rollout.model.action import LedgerAction
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction, Order
from tests.conformance.case import Case
from tests.conformance.compare import Verdict, differences, verdict
from tests.conformance.departures import expected
from tests.conformance.facts import Facts
from tests.conformance.known import known_faults
from tests.conformance.recording import recordings
from tests.conformance.table import departures, in_readme
from tests.conformance.virtual import Virtual

Slots = tuple[tuple[Slot, ...], tuple[Slot, ...]]
CASES = {each.id: Case(each) for each in recordings()}
ALIKE: tuple[set[str], ...] = (
    {"s09b", "s15"},
    {"s42a", "s42b", "s42d"},
    {"s51", "s78"},
    {"s116", "s120"},
    {"s74", "s102"},
)
"""Nothing is done; one task is replaced; the only task fails; four in two batches; what has failed
while paused is tried anew, after a resume or a new label."""


def played(name: str, folder: Path) -> Verdict:
    return verdict(CASES[name], Virtual(CASES[name], folder).play())


@pytest.mark.parametrize("name", known_faults(CASES))
def test_as_recorded_or_by_design(name: str, tmp_path: Path) -> None:
    """The controller's own loop in virtual time; tasks behave as those of the recording did."""
    assert played(name, tmp_path).unexplained == ()


def test_the_readme_names_every_departure() -> None:
    """`make departures` writes it."""
    assert in_readme() == departures(CASES.values())


@pytest.mark.parametrize("field", Facts.__struct_fields__)
def test_whatever_differs_is_seen(field: str) -> None:
    """In every recording in which there is such a fact."""
    for case in CASES.values():
        wanted, _ = expected(case)
        assert verdict(case, wanted).unexplained == ()
        if getattr(wanted, field) or field != "seconds":
            other = replace(wanted, **{field: _another(getattr(wanted, field))})
            assert len(verdict(case, other).unexplained) >= 1, case.id


def _another(value: object) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case dict():
            return {name: tuple(at + 0.6 for at in times) for name, times in value.items()}
        case tuple():
            return (*value, ("something",))
        case _:
            return "something"


def test_no_recording_passes_for_another() -> None:
    """Those that tell of the same thing in other ways apart."""
    alike = {frozenset({one, other}) for found in ALIKE for one in found for other in found}
    wanted = {name: expected(case)[0] for name, case in CASES.items()}
    passing = {
        frozenset({name, other})
        for name in CASES
        for other in CASES
        if name != other and not any(differences(wanted[name], wanted[other]))
    }
    assert passing == {pair for pair in alike if len(pair) == 2}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("s01", {"delay_s": 1.0}),
        ("s01", {"monitor_s": 4.0}),
        ("s02", {"parallelism": 1}),
        ("s02", {"parallelism": 3}),
        ("s04", {"max_failure_ratio": 0.5}),
        ("s07", {"failure_action": FailureAction.PAUSE}),
        ("s12", {"order": Order.STOP_FIRST}),
        ("s47", {"order": Order.STOP_FIRST}),
        ("s43", {"max_failure_ratio": 0.0}),
        ("s43", {"max_failure_ratio": 1.0}),
        ("s51", {"delay_s": 0.0}),
    ],
)
def test_another_meaning_of_a_word_is_seen(
    name: str, change: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller that takes one key of update_config for something else does not pass."""

    def mistaken(revisions: tuple[Revision, ...], *rest: float) -> Run:
        newest = revisions[-1]
        spec = replace(newest.spec, update=replace(newest.spec.update, **change))
        return run_of((*revisions[:-1], replace(newest, spec=spec)), *rest)

    monkeypatch.setattr(view, "run_of", mistaken)

    assert played(name, tmp_path).unexplained


def _no_delay(original: Callable[..., float | None]) -> Callable[..., float | None]:
    def mistaken(view: View, slot: Slot) -> float | None:
        due = original(view, slot)
        return None if due is None or slot.last is None else slot.last.finished_at

    return mistaken


def _first_named(original: Callable[[View], LedgerAction]) -> Callable[[View], LedgerAction]:
    return lambda view: original(replace(view, failures=tuple(reversed(view.failures))))


def _highest_kept(original: Callable[..., Slots]) -> Callable[..., Slots]:
    def mistaken(found: tuple[Slot, ...], run: Run) -> Slots:
        wanted, extra = original(found, run)
        if not extra:
            return wanted, extra
        return found[len(found) - len(wanted) :], found[: len(found) - len(wanted)]

    return mistaken


def _no_grace(original: Callable[..., None]) -> Callable[..., None]:
    def mistaken(container: Container, grace_s: float, done: Callable[[], None]) -> None:
        original(container, min(grace_s, 0.1), done)

    return mistaken


@pytest.mark.parametrize(
    ("where", "rule", "mistaken", "name"),
    [
        (repair, "restart_at", _no_delay, "s48"),
        (repair, "restart_at", lambda _: lambda view, slot: None, "s82"),
        (verdict_rules, "on_failure", _first_named, "s62"),
        (view, "_choose", _highest_kept, "s106"),
        (view, "_choose", _highest_kept, "s69"),
        (view, "too_many", lambda _: lambda bad, all_, ratio: bad / all_ >= ratio, "s61"),
        (Container, "stop", _no_grace, "s87"),
        (repair, "arm_at", lambda _: lambda view, slot, task: None, "s18"),
        (update, "proven_at", lambda _: lambda slot, run: 0.0, "s92"),
        (update, "held_back", lambda _: lambda view, chosen: (), "s06"),
        (batch, "_urgency", lambda _: lambda slot: (0, -slot.number), "s01"),
    ],
)
def test_a_rule_that_is_wrong_is_seen(
    where: object,
    rule: str,
    mistaken: Callable[[Any], Any],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No recording shows `max_attempts` and `window` as we keep them: at rest Docker restarts, and
    no recording has a controller.  Their rules are tested in `tests/decide`."""
    monkeypatch.setattr(where, rule, mistaken(getattr(where, rule)))

    assert played(name, tmp_path).unexplained
