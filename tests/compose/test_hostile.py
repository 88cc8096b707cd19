"""Hostile files: refused in bounded time and memory, and nothing of them reaches a terminal raw."""

from __future__ import annotations

import os
import time

import pytest

from tests.compose.project import Folder

ONE = "services: {one: {image: x}}\n"
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


def refused(folder: Folder, *files: str) -> list[str]:
    """The errors, found in bounded time, each of them short."""
    started = time.process_time()
    found = folder.errors(None, *(files or ("c.yml",)))
    assert time.process_time() - started < 10
    assert all(len(each) < 600 for each in found)
    return found


def test_files_that_include_each_other_are_refused(folder: Folder) -> None:
    folder.write(
        c_yml="include: [a.yml]\n" + ONE, a_yml="include: [b.yml]\n", b_yml="include: [c.yml]\n"
    )

    assert refused(folder) == [
        "b.yml:1:11: include[0]: goes in a circle: c.yml → a.yml → b.yml → c.yml"
    ]


def test_a_fan_of_includes_is_refused(folder: Folder) -> None:
    for number in range(40):
        following = f"f{number + 1}.yml"
        (folder.path / f"f{number}.yml").write_text(f"include: [{following}, {following}]\n")
    folder.write(**{"f40.yml": ONE, "c.yml": "include: [f0.yml]\n"})

    assert any("files are read" in each or "too deep" in each for each in refused(folder))


def test_a_long_chain_of_services_is_refused(folder: Folder) -> None:
    chain = "".join(f"  s{i}: {{extends: s{i + 1}}}\n" for i in range(2_000))
    folder.write(c_yml="services:\n" + chain + "  s2000: {image: x}\n")

    assert "is a chain of more than 50 services" in refused(folder)[0]


def test_services_that_extend_each_other_are_refused(folder: Folder) -> None:
    folder.write(
        c_yml="services: {a: {extends: {service: b, file: d.yml}}}",
        d_yml="services: {b: {image: x, extends: {service: a, file: c.yml}}}",
    )

    assert len(refused(folder)) == 1
    assert "goes in a circle: a → b → a" in refused(folder)[0]


def test_many_services_that_extend_a_large_one_are_refused(folder: Folder) -> None:
    labels = ", ".join(f"l{i}: x" for i in range(1_000))
    heirs = "".join(f"  s{i}: {{extends: base}}\n" for i in range(1_000))
    folder.write(c_yml=f"services:\n  base: {{image: x, labels: {{{labels}}}}}\n{heirs}")

    assert any("values, each counted as often as used" in each for each in refused(folder))


@pytest.mark.parametrize(
    "text",
    [
        "services: {a: {image: x, env_file: odd}}",
        "services: {a: {image: x, label_file: odd}}",
        "services: {a: {extends: {service: b, file: odd}}}",
        "include: [odd]\n",
        "include: [{path: ok.yml, env_file: odd}]\n",
        "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./odd}}",
    ],
)
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device", "bytes"])
def test_a_file_that_is_none_does_not_hang(folder: Folder, text: str, kind: str) -> None:
    odd = folder.path / "odd"
    match kind:
        case "a pipe":
            os.mkfifo(odd)
        case "a folder":
            odd.mkdir()
        case "a device":
            odd.symlink_to("/dev/zero")
        case _:
            odd.write_bytes(b"\xff\xfe\0")
    folder.write(**{"ok.yml": ONE, "c.yml": text})

    if kind == "bytes" and "secrets" in text:
        assert folder.load(None).services
    else:
        assert len(refused(folder)) == 1


def test_variables_that_name_themselves_end(folder: Folder) -> None:
    folder.write(_env="A=$B\nB=$A\n", c_yml="services: {a: {image: 'x:${A:-1}${B:-2}'}}")

    assert folder.load(None).services[0].image == "x:12"
