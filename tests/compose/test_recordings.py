"""What `docker compose config` 2.26 made of the same inputs is what we make of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rollout.compose.load import render
from rollout.compose.write import to_data
from rollout.errors import FileError
from tests.compose.project import Folder

DATA = Path(__file__).parent / "data"
SINGLE = json.loads((DATA / "single_key_cases.json").read_text())
MERGED = json.loads((DATA / "merge_cases.json").read_text())
WHOLE = json.loads((DATA / "whole_file_cases.json").read_text())

DIFFERENCES = {
    '{"mode": "bogus"}': "no engine knows such a mode: refused when the file is read",
    '{"restart_policy": {"condition": "bogus"}}': "no engine knows it: refused as well",
    '{"update_config": {"max_failure_ratio": 2}}': "a ratio is between 0 and 1: refused as well",
}
"""Where Compose takes a file and we refuse it, by the case's name, its key or its value."""

SECTIONS: dict[str, Callable[[Any], tuple[str, Any]]] = {
    "durations": lambda value: ("deploy", {"update_config": {"delay": value}}),
    "bytes": lambda value: ("deploy", {"resources": {"limits": {"memory": value}}}),
    "ports": lambda value: ("ports", [value]),
    "volumes": lambda value: ("volumes", [value]),
    "deploy_keys": lambda value: ("deploy", value),
}


def _single() -> list[Any]:
    cases = [
        pytest.param(*wrap(case["in"]), case, id=f"{section}-{json.dumps(case['in'])}")
        for section, wrap in SECTIONS.items()
        for case in SINGLE[section]
    ]
    return cases + [
        pytest.param(case["key"], case["in"], case, id=f"{case['key']}-{json.dumps(case['in'])}")
        for case in SINGLE["service_keys"]
    ]


def _agree(wanted: Mapping[str, Any], differs: bool, make: Any) -> None:
    """The same value, or an error where Compose has one."""
    if "error" in wanted or differs:
        with pytest.raises(FileError):
            make()
        return
    assert make() == wanted["value"]


@pytest.mark.parametrize(("key", "value", "case"), _single())
def test_a_key_reads_as_compose_reads_it(
    folder: Folder, key: str, value: Any, case: dict[str, Any]
) -> None:
    project = {
        "services": {"a": {"image": "x", key: value}, "b": {"image": "y"}},
        "volumes": {"data": None},
        "networks": {"n1": None, "n2": None},
    }

    def make() -> Any:
        text = json.dumps(to_data(folder.tree(json.dumps(project)).tree)["services"]["a"].get(key))
        here, above = str(folder.path), str(folder.path.parent)
        return json.loads(text.replace(here, "<CWD>").replace(above, "<CWD>"))

    differs = key in DIFFERENCES or json.dumps(value) in DIFFERENCES
    _agree(case["docker_compose"], differs, make)


@pytest.mark.parametrize("case", SINGLE["interpolation"]["cases"], ids=lambda c: c["template"])
def test_a_template_becomes_what_compose_makes_of_it(folder: Folder, case: dict[str, Any]) -> None:
    project = {"services": {"a": {"image": "x", "labels": {"t": case["template"]}}}}
    environ = SINGLE["interpolation"]["env"]

    def make() -> Any:
        tree = folder.tree(json.dumps(project), environ=environ).tree
        return to_data(tree)["services"]["a"]["labels"]["t"]

    _agree(case["docker_compose"], False, make)


@pytest.mark.parametrize("case", SINGLE["env_file"], ids=lambda c: c["name"])
def test_an_env_file_reads_as_compose_reads_it(folder: Folder, case: dict[str, Any]) -> None:
    folder.write(e=case["content"])

    def make() -> Any:
        tree = folder.tree("services: {a: {image: x, env_file: e}}", environ=case["env"]).tree
        return to_data(tree)["services"]["a"]["environment"]

    _agree(case["docker_compose"], False, make)


@pytest.mark.parametrize("case", [*MERGED, *WHOLE], ids=lambda c: c["name"])
def test_a_project_prints_byte_for_byte_as_compose_prints_it(
    folder: Folder, case: dict[str, Any]
) -> None:
    files = ["a.yml", "b.yml"] if "a.yml" in case else ["c.yml"]
    for name in files:
        (folder.path / name).write_text(case.get(name) or case["yaml"])
    for name, text in case.get("extra", {}).items():
        (folder.path / name).write_text(text)

    def make() -> str:
        document = folder.tree(None, *files, environ=case.get("env") or {}, name="p")
        text = render(document)
        return text.replace(str(folder.path), "<CWD>")

    recorded = case["docker_compose"]
    wanted = {"error": ""} if recorded["rc"] else {"value": recorded["stdout"]}
    _agree(wanted, case["name"] in DIFFERENCES, make)
