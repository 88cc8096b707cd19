"""Compose's own variables beyond which files are read: what is done as they say, and what is named.

Which files and variables are found is recorded from Compose itself: test_recorded.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.cli.deploy import _prunes
from rollout.cli.files import here
from rollout.cli.sinks import choose
from rollout.compose.settings import NAMED, settings_of
from rollout.controller.session import Session
from rollout.controller.workers import THREADS, Workers
from rollout.errors import UsageError
from rollout.model.stack import ComposeSettings, Stack
from tests.compose.project import Folder

FILE = "services: {a: {image: x}}"


def settings(folder: Folder, **environ: str) -> ComposeSettings:
    return folder.load(FILE, environ=environ).settings


@pytest.mark.parametrize("word", ["1", "t", "true", "TRUE", " true "])
def test_orphans_go_or_stay_as_a_variable_says(folder: Folder, word: str) -> None:
    assert settings(folder, COMPOSE_REMOVE_ORPHANS=word).remove_orphans
    assert settings(folder, COMPOSE_IGNORE_ORPHANS=word).ignore_orphans


def test_a_variable_in_the_env_file_is_one_of_the_environment(folder: Folder) -> None:
    folder.write(_env="COMPOSE_REMOVE_ORPHANS=1\nCOMPOSE_PARALLEL_LIMIT=3\nCOMPOSE_ANSI=never\n")

    found = settings(folder)

    assert found == ComposeSettings(remove_orphans=True, parallel=3, progress="plain")
    assert settings(folder, COMPOSE_REMOVE_ORPHANS="0", COMPOSE_ANSI="auto") == ComposeSettings(
        parallel=3
    )


def test_orphans_cannot_be_removed_and_ignored_at_once() -> None:
    stack = Stack(name="s", services=(), settings=ComposeSettings(ignore_orphans=True))

    assert not _prunes(False, stack)
    with pytest.raises(UsageError, match="exclude each other"):
        _prunes(True, stack)


@pytest.mark.parametrize(
    ("environ", "progress"),
    [
        ({}, ""),
        ({"COMPOSE_ANSI": "always"}, "tty"),
        ({"COMPOSE_ANSI": "auto"}, ""),
        ({"COMPOSE_PROGRESS": "json"}, "json"),
        ({"COMPOSE_PROGRESS": "none"}, "quiet"),
        ({"COMPOSE_PROGRESS": "auto", "COMPOSE_ANSI": "never"}, "plain"),
        ({"COMPOSE_PROGRESS": "quiet", "COMPOSE_ANSI": "always"}, "quiet"),
    ],
)
def test_how_progress_is_shown(environ: dict[str, str], progress: str) -> None:
    assert settings_of(environ).progress == progress
    if progress:
        assert choose("auto", quiet=False, said=progress) == progress
    assert choose("json", quiet=False, said=progress) == "json"


@pytest.mark.parametrize("value", ["x", "", "1.5", "٣"])
def test_a_limit_is_a_whole_number(folder: Folder, value: str) -> None:
    with pytest.raises(UsageError, match="COMPOSE_PARALLEL_LIMIT"):
        settings(folder, COMPOSE_PARALLEL_LIMIT=value)


@pytest.mark.parametrize(("said", "most"), [("-1", 0), ("0", 0), ("2", 2)])
def test_no_limit_is_written_in_two_ways(folder: Folder, said: str, most: int) -> None:
    assert settings(folder, COMPOSE_PARALLEL_LIMIT=said).parallel == most


def test_no_more_is_under_way_than_the_limit_says() -> None:
    assert Session.__struct_fields__[-1] == "parallel"
    assert Workers(lambda _: (), lambda: None, 2)._most == 2
    assert Workers(lambda _: (), lambda: None)._most == THREADS


@pytest.mark.parametrize("name", NAMED)
def test_what_has_no_effect_is_named_once(folder: Folder, name: str) -> None:
    folder.write(_env=f"{name}=true\n")

    found = folder.load(FILE, environ={name: "1"}).warnings

    assert [each for each in found if each.startswith(f"{name} is set and has no effect: ")]
    assert len(found) == 1
    assert not folder.load(FILE, environ={name: "false"}).warnings


def test_a_file_that_is_not_there_is_blamed_on_where_it_is_said(folder: Folder) -> None:
    folder.write(_env="COMPOSE_FILE=c.yml:prod.yml\n", c_yml=FILE)

    with pytest.raises(UsageError, match=r'COMPOSE_FILE in \.env: "prod\.yml": no such file'):
        folder.load(None, files=())
    with pytest.raises(UsageError, match=r'COMPOSE_FILE: "x\.yml": no such file'):
        folder.load(None, files=(), environ={"COMPOSE_FILE": "x.yml"})


def test_the_platform_is_the_one_asked_for_where_the_file_names_none(folder: Folder) -> None:
    folder.write(_env="DOCKER_DEFAULT_PLATFORM=linux/arm64\n")

    found = folder.load("services: {a: {image: x}, b: {image: x, platform: linux/amd64}}")

    assert [each.task.platform for each in found.services] == ["linux/arm64", "linux/amd64"]


def test_a_folder_entered_by_a_link_has_the_link_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "link")

    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    assert here() == tmp_path / "link"
    for other in (str(tmp_path), "link", "", str(tmp_path / "gone")):
        monkeypatch.setenv("PWD", other)
        assert here() == tmp_path / "real"
