"""`--filter` and `--format TEMPLATE`, as users of `docker service ps` know them."""

from __future__ import annotations

import pytest

from rollout.cli.filters import chosen
from rollout.errors import UsageError
from rollout.views.template import is_template, render

ROWS = [{"Name": "web.1", "CurrentState": "Running"}, {"Name": "db.1", "CurrentState": "Failed"}]
FIELDS = ("Name", "CurrentState")
KEYS = {
    "name": lambda each, value: each["Name"].startswith(value),
    "state": lambda each, value: each["CurrentState"] == value,
}


def test_one_key_any_value_several_keys_each() -> None:
    assert chosen(ROWS, ["name=web", "name=db"], KEYS) == ROWS
    assert chosen(ROWS, ["name=web", "state=Failed"], KEYS) == []
    assert chosen(ROWS, [], KEYS) == ROWS


@pytest.mark.parametrize(
    ("text", "said"),
    [("name", 'invalid argument "name" for --filter'), ("age=1", 'invalid filter "age"')],
)
def test_a_filter_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chosen(ROWS, [text], KEYS)


def test_a_template_makes_a_line_of_each() -> None:
    assert render("{{.Name}}: {{ .CurrentState }}", ROWS, FIELDS) == "web.1: Running\ndb.1: Failed"
    assert render("{{json .Name}}", ROWS, FIELDS) == '"web.1"\n"db.1"'
    assert render("{{json .}}", ROWS[:1], FIELDS) == '{"Name":"web.1","CurrentState":"Running"}'


def test_a_template_may_be_a_table() -> None:
    shown = render(r"table {{.Name}}\t{{.CurrentState}}", ROWS, FIELDS)

    assert shown.splitlines()[0].split("  ")[0] == "NAME"
    assert "CURRENT STATE" in shown.splitlines()[0]
    assert len(shown.splitlines()) == 3


@pytest.mark.parametrize("text", ["{{.Nmae}}", "{{range .}}{{end}}", "{{ .Name | upper }}"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    """Nothing is printed that only looks right."""
    assert is_template(text)
    with pytest.raises(UsageError, match=r"\.Name"):
        render(text, ROWS, FIELDS)


def test_no_name_steers_a_terminal() -> None:
    assert "\x1b" not in render("{{.Name}}", [{"Name": "\x1b[2J", "CurrentState": ""}], FIELDS)
