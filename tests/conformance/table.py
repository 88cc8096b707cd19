"""The suite's result as text, and the README's table of departures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance.case import Case
from tests.conformance.compare import Verdict
from tests.conformance.departures import RULES, expected

README = Path(__file__).parents[2] / "README.md"
_BEGIN = "<!-- departures: `make departures` writes this table -->"
_END = "<!-- end of departures -->"
_BLOCK = re.compile(f"(?<={re.escape(_BEGIN)}\n).*?(?={re.escape(_END)})", re.DOTALL)


def result_lines(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """A line a recording, what is unexplained below it, and a count at the end."""
    count = {"equal": 0, "departs by design": 0, "UNEXPLAINED": 0}
    for verdict in sorted(verdicts, key=lambda each: each.case.recording.name):
        count[verdict.word] += 1
        why = "; ".join(f"Swarm {rule.swarm}: we {rule.rollout}" for rule in verdict.rules)
        yield f"{verdict.case.recording.name:34}  {verdict.word:18} {why}".rstrip()
        yield from (f"    {line}" for line in verdict.unexplained)
    yield "  ".join(f"{word}: {number}" for word, number in count.items())


def departures(cases: Iterable[Case]) -> str:
    """Every rule, and the recordings in which Swarm is seen to do otherwise."""
    seen: dict[str, list[str]] = {rule.swarm: [] for rule in RULES}
    for case in cases:
        for rule in expected(case)[1]:
            seen[rule.swarm].append(case.id)
    lines = ["| Swarm | rollout | why | seen in |", "|---|---|---|---|"]
    lines += [
        f"| {rule.swarm} | {rule.rollout} | {rule.why} | {' '.join(seen[rule.swarm])} |"
        for rule in RULES
    ]
    return "\n".join(lines) + "\n"


def in_readme() -> str:
    """The table as it stands there.  Raises ValueError where its marks are gone."""
    found = _BLOCK.search(README.read_text())
    if found is None:
        raise ValueError(f"README.md has no {_BEGIN}")
    return found[0]


def write_readme(table: str) -> None:
    README.write_text(_BLOCK.sub(lambda _: table, README.read_text()))
