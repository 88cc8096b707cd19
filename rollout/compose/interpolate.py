"""`$VAR` and its braced forms in every text value of a file; keys stay as they are.

    ${VAR-default}  ${VAR:-default}     where VAR is unset  ·  unset or empty
    ${VAR+other}    ${VAR:+other}       where VAR is set    ·  set and not empty
    ${VAR?message}  ${VAR:?message}     an error where VAR is unset  ·  unset or empty
    $$                                  a dollar

Defaults and messages may hold variables themselves.  A `$` that begins none of these stays.  What
all substitutions of a project produce together is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rollout.compose.node import Node, Report, join, shown

Lookup = Callable[[str], str | None]

MAX_NESTING = 32
MAX_PRODUCED = 16 * 1024 * 1024

_START = re.compile(r"\$(?:(?P<escaped>\$)|(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)|(?P<brace>\{))")
_BRACED = re.compile(r"([_a-zA-Z][_a-zA-Z0-9]*)(?:(:?[-+?])(.*))?", re.DOTALL)


class TemplateError(ValueError):
    """What is wrong with a template; the text is for a person."""


class Interpolator:
    """Substitutes variables; remembers which were unset, and how much it may still produce."""

    def __init__(self, lookup: Lookup, unset: dict[str, None] | None = None) -> None:
        self.lookup = lookup
        self.unset = {} if unset is None else unset
        self.left = MAX_PRODUCED

    def substitute(self, template: str, depth: int = 0) -> str:
        """Raises TemplateError."""
        if "$" not in template:
            return template
        if depth > MAX_NESTING:
            raise TemplateError(f"variables are nested more than {MAX_NESTING} levels deep")
        parts: list[str] = []
        at = 0
        while match := _START.search(template, at):
            parts.append(template[at : match.start()])
            at = match.end()
            if match["escaped"]:
                parts.append("$")
            elif match["name"]:
                parts.append(self.value(match["name"]))
            else:
                end = _closing(template, at)
                parts.append(self.braced(template, at, end, depth))
                at = end + 1
        parts.append(template[at:])
        return self.taken("".join(parts))

    def braced(self, template: str, start: int, end: int, depth: int) -> str:
        match = _BRACED.fullmatch(template, start, end) if end >= 0 else None
        if match is None:
            raise TemplateError(
                f"{shown(template)} is not a valid template (write $$ for a dollar)"
            )
        name, operator, rest = match[1], match[2], match[3]
        if operator is None:
            return self.value(name)
        value = self.lookup(name)
        present = bool(value) if operator[0] == ":" else value is not None
        # As in Compose, what is wrong with it counts though it is not used.
        said = self.substitute(rest, depth + 1)
        match operator[-1]:
            case "-":
                return self.known(value) if present else said
            case "+":
                return said if present else self.known(value)
        if not present:
            reason = said
            text = f"required variable {name} is missing a value"
            raise TemplateError(f"{text}: {reason}" if reason else text)
        return self.known(value)

    def value(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            self.unset[name] = None
        return self.known(value)

    def known(self, value: str | None) -> str:
        return self.taken(value or "")

    def taken(self, text: str) -> str:
        self.left -= len(text)
        if self.left < 0:
            raise TemplateError(f"variables expand to more than {MAX_PRODUCED} characters")
        return text


def _closing(template: str, start: int) -> int:
    """Where the brace that was opened before `start` closes; -1 where it does not."""
    depth = 1
    for match in re.compile("[{}]").finditer(template, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return -1


def interpolate(node: Node, with_: Interpolator, report: Report, path: str = "") -> Node:
    """The tree with every text value substituted; what is wrong goes to the report."""
    value = node.value
    if isinstance(value, str):
        if "$" not in value:
            return node
        try:
            return node.of(_checked(with_.substitute(value)))
        except TemplateError as error:
            report.error(node.mark, path, str(error))
            return node.bad()
    if isinstance(value, dict):
        return node.of(
            {k: interpolate(each, with_, report, join(path, k)) for k, each in value.items()}
        )
    if isinstance(value, list):
        return node.of(
            [interpolate(each, with_, report, f"{path}[{i}]") for i, each in enumerate(value)]
        )
    return node


def _checked(text: str) -> str:
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise TemplateError("a variable's value is not text (UTF-8)")
    return text
