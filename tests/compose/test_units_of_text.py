"""The small grammars inside a file: scalars, commands, variables, files of variables."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.compose.environment import parse_env
from rollout.compose.interpolate import Interpolator, TemplateError
from rollout.compose.scalars import as_text, resolve
from rollout.compose.values import BadValueError, is_image
from rollout.compose.words import split
from rollout.errors import FileError

SET = {"S": "s", "E": ""}
OUTSIDE = {"OUT": "outside"}


@pytest.mark.parametrize(
    ("written", "value", "text"),
    [
        ("yes", "yes", "yes"),
        ("on", "on", "on"),
        ("true", True, "true"),
        ("TRUE", True, "true"),
        ("tRue", "tRue", "tRue"),
        ("~", None, ""),
        ("Null", None, ""),
        ("22:22", "22:22", "22:22"),
        ("017", 15, "15"),
        ("0o17", 15, "15"),
        ("018", 18.0, "18"),
        ("0x1F", 31, "31"),
        ("0b11", 3, "3"),
        ("1_000", 1000, "1000"),
        ("-12", -12, "-12"),
        ("1e3", 1000.0, "1000"),
        (".5", 0.5, "0.5"),
        ("1.0", 1.0, "1"),
        ("1e21", 1e21, "1e+21"),
        ("1e-7", 1e-7, "1e-07"),
        (".inf", float("inf"), "+Inf"),
        ("12345678901234567890123", 1.2345678901234568e22, "1.2345678901234568e+22"),
        ("2001-12-14", "2001-12-14 00:00:00 +0000 UTC", "2001-12-14 00:00:00 +0000 UTC"),
        ("2001-13-14", "2001-13-14", "2001-13-14"),
        ("1.2.3", "1.2.3", "1.2.3"),
        ("-", "-", "-"),
    ],
)
def test_a_bare_scalar_is_read_as_compose_reads_it(written: str, value: Any, text: str) -> None:
    assert resolve(written) == value
    assert isinstance(resolve(written), type(value))
    assert as_text(resolve(written)) == text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("a b", ["a", "b"]),
        ("  a\tb\n", ["a", "b"]),
        ("sh -c 'a; b | c'", ["sh", "-c", "a; b | c"]),
        ('echo "a b"c', ["echo", "a bc"]),
        ("echo ''", ["echo", ""]),
        (r"a\ b", ["a b"]),
        (r'echo "a\nb\tc\"d"', ["echo", 'a\nb\tc"d']),
        (r"echo 'a\nb'", ["echo", r"a\nb"]),
        ("echo $(date -u)", ["echo", "$(date -u)"]),
        ("echo `a b`", ["echo", "`a b`"]),
        ("", []),
    ],
)
def test_a_command_is_split_as_compose_splits_it(command: str, words: list[str]) -> None:
    assert split(command) == words


@pytest.mark.parametrize("command", ["a 'b", 'a "b', "a\\", "a && b", "a > b", "(a)", "a $(b"])
def test_a_command_that_needs_a_shell_or_is_half_is_refused(command: str) -> None:
    with pytest.raises(BadValueError):
        split(command)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${A:-${B:-${C:-c}}}", "c"),
        ("${A-}x", "x"),
        ("${E-d}${E:-d}", "d"),
        ("${S:+<$S>}${E:+x}${E+y}", "<s>y"),
        ('${A:-{"k": {"n": 1}}}', '{"k": {"n": 1}}'),
        ("$$S $S_ ${S}_", "$S  s_"),
        ("$FÖO", "ÖO"),
        ("${A:-a\nb}", "a\nb"),
        ("100%$", "100%$"),
    ],
)
def test_a_template_is_filled(template: str, value: str) -> None:
    assert Interpolator(SET.get).substitute(template) == value


def test_unset_variables_are_remembered_once() -> None:
    interpolator = Interpolator(lambda _: None)
    interpolator.substitute("$A $B $A ${C:-d}")

    assert list(interpolator.unset) == ["A", "B"]


def test_the_message_of_a_required_variable_is_filled_too() -> None:
    with pytest.raises(TemplateError, match="required variable A is missing a value: ask s"):
        Interpolator({"S": "s"}.get).substitute("${A:?ask $S}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A='x # y'  # c\nB=z # c\nC=#d\n", {"A": "x # y", "B": "z", "C": "#d"}),
        ('A="1\n2"\nB=\'3\n4\'', {"A": "1\n2", "B": "3\n4"}),
        (r'A="a\"b\\c\$d\n"', {"A": 'a"b\\c$d\n'}),
        (r"A='it\'s'", {"A": "it's"}),
        ("A=1\nB=${A}${OUT}\nOUT=inside\nC=$OUT", {
            "A": "1", "B": "1outside", "OUT": "inside", "C": "outside",
        }),
        ("export  A = 1\n\n# c\nOUT\nNONE\nD: e", {"A": "1", "OUT": "outside", "D": "e"}),
        ("A=", {"A": ""}),
        ("LAST", {}),
        ("a.b-c[0]=1", {"a.b-c[0]": "1"}),
    ],
)  # fmt: skip
def test_a_file_of_variables(text: str, found: dict[str, str]) -> None:
    assert parse_env(text, "f", OUTSIDE.get) == found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A=1\nB C=2\n", 'f:2: "B C=2" is not NAME=value'),
        ("!=1\n", 'f:1: "!=1" is not NAME=value'),
        ("A=1\n\nB='x\n", 'f:3: the quote of "\'x" is not closed'),
        ("A=${x!}\n", 'f:1: "${x!}" is not a valid template (write $$ for a dollar)'),
    ],
)
def test_a_file_of_variables_that_is_wrong(text: str, wanted: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_env(text, "f", OUTSIDE.get)

    assert str(caught.value) == wanted


@pytest.mark.parametrize(
    "reference",
    ["x", "x:1", "a/b_c/d-e:v1.0", "127.0.0.1:5000/x", "r.io/x@sha256:" + "a" * 64, "[::1]:5/x:t"],
)
def test_an_image_reference(reference: str) -> None:
    assert is_image(reference)


@pytest.mark.parametrize("reference", ["", "x:", "X", "x y", "-x", "x@sha256:1", "x:-a", "a//b"])
def test_no_image_reference(reference: str) -> None:
    assert not is_image(reference)
