"""Where rollout differs from Swarm on purpose: the rules, in the README's words.

A rule turns what Swarm did into what we are to do; so a departure is checked as strictly as an
agreement, and two rules may meet in one recording.  They are applied in the order of `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from tests.conformance import expectations, failures
from tests.conformance.case import Case
from tests.conformance.facts import Facts

Expectation = Callable[[Case, Facts], Facts]


class Rule(Struct, frozen=True, kw_only=True):
    """The three texts are the README's; `expect` gives facts back unchanged where it does not
    apply."""

    swarm: str
    rollout: str
    why: str
    expect: Expectation | None = None
    """None: nothing in a recording shows it."""


def expected(case: Case) -> tuple[Facts, tuple[Rule, ...]]:
    """What we must do where Swarm did what was recorded, and by which rules it differs."""
    facts, applied = case.facts, []
    for rule in RULES:
        if rule.expect is None:
            continue
        changed = rule.expect(case, facts)
        if changed != facts:
            applied.append(rule)
        facts = changed
    return facts, tuple(applied)


RULES = (
    Rule(
        swarm="accepts `rollback_config.failure_action: rollback`",
        rollout="refuses the file",
        why="a rollback cannot roll back",
        expect=expectations.rollback_rolls_back,
    ),
    Rule(
        swarm="a published port with start-first hangs",
        rollout="is refused before anything is done",
        why="one port, one task",
        expect=expectations.port_twice,
    ),
    Rule(
        swarm="stops the old task while the new one is still being pulled",
        rollout="stops it when the new one is Ready",
        why="a wrong tag or a full disk costs nothing",
        expect=expectations.ready_before_stop,
    ),
    Rule(
        swarm="`parallelism` workers, each going on by itself",
        rollout="batches: the next one waits for all of this one",
        why="what the documentation says, and what one can watch",
    ),
    Rule(
        swarm="picks slots at random",
        rollout="down and unhealthy ones first, then ascending",
        why="replacing those costs no availability",
        expect=expectations.in_order,
    ),
    Rule(
        swarm="sees no failure while it waits for a slot: late behind a slow sibling, or never",
        rollout="judges by when it happened",
        why="a crash is a crash whoever was looking",
        expect=failures.judged_by_when,
    ),
    Rule(
        swarm="`continue` goes on until nothing runs",
        rollout="after a failure, the last running task is kept, and the update pauses",
        why="no outage by choice",
        expect=failures.last_one_is_kept,
    ),
    Rule(
        swarm="waits for ever for a task that never becomes healthy",
        rollout="fails it after the progress deadline (0: waits for ever)",
        why="an update ends",
        expect=expectations.deadline,
    ),
    Rule(
        swarm="starts the new task after 60 s though the old one still runs",
        rollout="waits until the old one is down",
        why="two at once was not asked for",
        expect=expectations.sixty_seconds,
    ),
    Rule(
        swarm="while paused, a dead old task is replaced by the new definition",
        rollout="by the old one",
        why="the new one has just failed",
        expect=failures.old_one_again,
    ),
    Rule(
        swarm="start-first, paused: old and crashing new side by side",
        rollout="the failed new one stays down, the old one serves",
        why="it would fail again beside a task that works",
        expect=failures.old_one_alone,
    ),
    Rule(
        swarm="start-first: the old task is stopped as soon as the new one is started",
        rollout="without a healthcheck half a second later, if the new one lives still",
        why="an image that exits at once costs nothing",
        expect=failures.proven_first,
    ),
    Rule(
        swarm="a rollback that only adds tasks is completed before they run",
        rollout="when they run and were watched for `monitor`",
        why="completed means that it runs",
        expect=expectations.watched_too,
    ),
    Rule(
        swarm="a rollback that finds every old task running is watched for `monitor`",
        rollout="is completed at once",
        why="nothing was replaced",
        expect=expectations.nothing_to_watch,
    ),
    Rule(
        swarm="a no-op deploy or a resume loses the rollback target",
        rollout="no change, no revision; resume is none either",
        why="the definition before is still the one before",
        expect=expectations.no_change_no_revision,
    ),
    Rule(
        swarm="a command in mid-update begins the next slot at once, whatever the delay",
        rollout="the same tasks asked for: the update in progress goes on, its delay too",
        why="scaling is no reason to hurry",
        expect=expectations.goes_on,
    ),
    Rule(
        swarm="automatic rollback goes to the spec before, good or not",
        rollout="to the last one that was completed",
        why="what never ran well is nothing to go back to",
        expect=expectations.to_the_last_completed,
    ),
    Rule(
        swarm="`rollback` goes to the spec before, complete or not",
        rollout="to the newest other one that was complete; else it is refused, with the choices",
        why="what never ran well is nothing to go to unasked",
        expect=expectations.only_to_what_was_complete,
    ),
    Rule(
        swarm="keeps one previous spec",
        rollout="keeps at least ten revisions, `--to N`",
        why="the last good one may be two changes back",
    ),
    Rule(
        swarm="a task that turns unhealthy and exits 0 is complete",
        rollout="it has failed",
        why="it did not end of its own will",
        expect=failures.sick_is_failed,
    ),
    Rule(
        swarm="replaces a task that turns unhealthy after the update",
        rollout="leaves it alone where no controller runs",
        why="Docker's own policy knows no healthcheck",
        expect=failures.sick_at_rest,
    ),
    Rule(
        swarm="a task is found by its service's name once it is healthy",
        rollout="from its start on, and also while it is unhealthy",
        why="Docker's own DNS knows no healthcheck",
    ),
    Rule(
        swarm="a command that changes no task leaves down what had failed for good",
        rollout="tries it anew",
        why="to ask for it is to have it running",
        expect=failures.tried_again,
    ),
    Rule(
        swarm="restarts after `delay`, always",
        rollout="as long as an update or `rollout controller` watches, and once after an update; "
        "then Docker's own policy does: at once, then slower",
        why="it holds where nothing of ours runs",
        expect=failures.docker_restarts,
    ),
    Rule(
        swarm='`restart: "no"` means any',
        rollout="means none, as in Compose",
        why="the word says so",
    ),
    Rule(
        swarm="exit code 0 once an update is complete, though tasks are down",
        rollout="1",
        why="0 says that every task runs",
        expect=expectations.all_of_it_runs,
    ),
    Rule(
        swarm="exit code 0 after an automatic rollback",
        rollout="4",
        why="CI must know",
        expect=expectations.rolled_back_is_no_success,
    ),
)
