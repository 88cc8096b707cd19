"""Hostile files: refused in bounded time and memory, and nothing of them reaches a terminal raw."""

from __future__ import annotations

import time

import pytest

from tests.compose.project import Folder

LEVEL = "  - &l{} [{}]\n"
BOMBS = {
    "aliases": "x:\n  - &l0 [a, a, a, a, a, a, a, a, a, a]\n"
    + "".join(LEVEL.format(i, ", ".join([f"*l{i - 1}"] * 10)) for i in range(1, 10)),
    "merges": "x0: &x0 {a: 1}\n"
    + "".join(f"x{i}: &x{i} {{k{i}: [*x{i - 1}, *x{i - 1}, *x{i - 1}]}}\n" for i in range(1, 40)),
    "depth": "x: " + "[" * 10_000 + "]" * 10_000,
    "depth of mappings": "x: " + "{a: " * 10_000 + "1" + "}" * 10_000,
    "variables": "x: " + "${A:-" * 5_000 + "}" * 5_000,
    "produced": "x: [" + "$BIG, " * 100_000 + "]",
    "long number": "services: {a: {image: x, scale: " + "9" * 10_000 + "}}",
    "long duration": "services: {a: {image: x, stop_grace_period: " + "9" * 10_000 + "s}}",
    "long size": "services: {a: {image: x, mem_limit: " + "9" * 10_000 + "g}}",
    "too large": "#" * (5 * 1024 * 1024),
    "many ports": "services: {a: {image: x, ports: ['1-60000:1-60000']}}",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_bounded_time_with_a_short_text(folder: Folder, text: str) -> None:
    started = time.process_time()

    found = folder.errors(text, BIG="x" * 10_000)

    assert time.process_time() - started < 5
    assert all(len(each) < 400 for each in found)


def test_an_env_file_that_doubles_itself_is_refused(folder: Folder) -> None:
    lines = ["A0=xxxxxxxxxx"] + [f"A{i}=$A{i - 1}$A{i - 1}" for i in range(1, 60)]
    folder.write(_env="\n".join(lines))

    found = folder.errors("services: {a: {image: x}}")

    assert len(found) == 1
    assert "variables expand to more than" in found[0]


def test_what_a_file_says_reaches_the_terminal_escaped(folder: Folder) -> None:
    found = folder.errors('services: {a: {image: x, "k\\e[31m": 1, restart: "\\e[2J"}}')

    assert all(each.isprintable() for each in found)
    assert len(found) == 2
