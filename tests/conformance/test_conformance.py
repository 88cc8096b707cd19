"""What a real Swarm did is what rollout does, on the simulated engine; and the README says where
not."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from rollout.decide import view
from rollout.decide.run import Run, run_of
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

CASES = {each.id: Case(each) for each in recordings()}
ALIKE: tuple[set[str], ...] = (
    {"s09b", "s15"},
    {"s42a", "s42b", "s42d"},
    {"s51", "s78"},
    {"s116", "s120"},
)
"""Nothing is done; one task is replaced; the only task fails; four in two batches."""


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
