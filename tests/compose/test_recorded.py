"""What a real `docker compose config` 2.26 printed for hundreds of inputs of ours is what we print.

tests/compose/record.py records them; what differs on purpose stands in data/differences.json.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from rollout.cli.main import execute
from tests.compose.record import RECORDED, lay_out, placeless

CASES = json.loads(RECORDED.read_text())
DIFFERENCES = json.loads((Path(__file__).parent / "data" / "differences.json").read_text())
"""Case → why it is read in another way than Compose reads it."""
HASHED = [case for case in CASES if "hashes" in case and case["name"] not in DIFFERENCES]


def printed(
    case: dict[str, Any],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
) -> str | None:
    """What `rollout config` prints; nothing where it refuses."""
    chosen = [word for name in lay_out(case, folder) for word in ("-c", name)]
    monkeypatch.chdir(folder / case.get("cwd", "."))
    code = execute(["config", *chosen, *case.get("global", []), *options])
    said = capsys.readouterr()
    assert code in (0, 2)
    assert "this is a bug" not in said.err
    return None if code else placeless(said.out, folder)


@pytest.fixture
def folder(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the case's files are, with its variables and its standard input."""
    folder = tmp_path / "p"
    folder.mkdir()
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in {"HOME": "/root", **case.get("environ", {})}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO(case.get("stdin", "")))
    return folder


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_it_is_what_compose_printed(
    case: dict[str, Any],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = printed(case, folder, capsys, monkeypatch, *case.get("options", []))

    same = (found or "").rstrip("\n") == (case["out"] or "").rstrip("\n")
    assert same != (case["name"] in DIFFERENCES), found


@pytest.mark.parametrize("case", HASHED, ids=[case["name"] for case in HASHED])
def test_its_hashes_are_those_of_compose(
    case: dict[str, Any],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are taken over the JSON form, so that is the same, too."""
    found = printed(case, folder, capsys, monkeypatch, "--hash", "*")

    assert sorted((found or "").splitlines()) == sorted(case["hashes"].splitlines())


def test_every_difference_that_is_listed_is_one_of_a_case() -> None:
    assert DIFFERENCES.keys() <= {case["name"] for case in CASES}
