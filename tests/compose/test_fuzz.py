"""Whatever a file holds: a stack, or an error that a person can read.  Never anything else."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout.compose.environment import parse_env
from rollout.compose.load import Document, load, load_tree, render
from rollout.compose.schema_deploy import DEPLOY
from rollout.compose.schema_service import SERVICE
from rollout.compose.values import BadValueError
from rollout.compose.words import split
from rollout.errors import FileError

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
ENVIRON = {"A": "a"}
WORDS = st.sampled_from(
    [
        *("", "x", "a:b", "8080:80", "1-9:1-9", "/a:/b:ro", "10s", "-5s", "1g", "0.5", "-1", "3"),
        *("${A}", "${A:-b}", "${", "$$", "yes", "no", "host", "service:a", "none", "a=b", "CMD"),
        *("[::1]:80:80", "~", "é", "a b", "sh -c 'a'", "'", "on-failure:3", "rollback"),
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), WORDS
)
SERVICE_KEYS = st.sampled_from([*SERVICE.table, "x-foo", "imag"])
DEPLOY_KEYS = st.sampled_from([*DEPLOY.table, "parallelism", "limits", "a", "condition", "delay"])
KEYS = st.one_of(WORDS, SERVICE_KEYS, DEPLOY_KEYS, st.text(max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
SERVICES = st.dictionaries(SERVICE_KEYS, VALUES, max_size=5)
PROJECTS = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from(["a", "b", "."]), SERVICES | VALUES, max_size=2)},
    optional={
        "name": VALUES,
        "networks": VALUES,
        "volumes": VALUES,
        "configs": VALUES,
        "secrets": VALUES,
        "version": VALUES,
        "x-a": VALUES,
    },
)


def read(*texts: str) -> Document | None:
    """Load and print what can be loaded; errors must be short and printable."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p")
        path.mkdir()
        names = [f"{number}.yml" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (path / name).write_text(text, errors="surrogatepass")
        try:
            load(names, environ=ENVIRON, cwd=path, profiles=["*"])
        except FileError as error:
            shown = str(error)
            assert shown
            assert all(line.isprintable() for line in shown.splitlines())
        try:
            document = load_tree(names, environ=ENVIRON, cwd=path, profiles=["*"])
        except FileError:
            return None
        render(document, "json")
        render(document, "yaml")
        return document


@FUZZ
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    read(text)


@FUZZ
@given(st.text(alphabet="ab:-[]{}&*!|>'\"\n #%@`<,?$\t0x~", max_size=60))
def test_any_punctuation(text: str) -> None:
    read(text)
    read("services:\n  a:\n    image: " + text)


@FUZZ
@given(PROJECTS)
def test_any_project(project: Any) -> None:
    read(json.dumps(project))


@FUZZ
@given(SERVICES)
def test_any_service_with_an_image(service: dict[str, Any]) -> None:
    read(json.dumps({"services": {"a": {**service, "image": "x"}}}))


@FUZZ
@given(PROJECTS, PROJECTS)
def test_any_two_projects_merged(one: Any, other: Any) -> None:
    read(json.dumps(one), json.dumps(other))


EXTENDS = st.one_of(
    st.sampled_from(["a", "b", "c"]),
    st.fixed_dictionaries(
        {"service": st.sampled_from(["a", "b", "c"])},
        optional={"file": st.sampled_from(["0.yml", "1.yml", "2.yml", "gone", ".", "${A}"])},
    ),
    VALUES,
)
INCLUDES = st.lists(
    st.sampled_from(["0.yml", "1.yml", "2.yml", "gone", "/dev/null"])
    | st.fixed_dictionaries(
        {"path": st.lists(st.sampled_from(["1.yml", "2.yml"]), max_size=2)},
        optional={"env_file": VALUES, "project_directory": VALUES},
    )
    | VALUES,
    max_size=2,
)
HEIRS = st.fixed_dictionaries({}, optional={"extends": EXTENDS, "ports": VALUES, "image": WORDS})
CONNECTED = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from(["a", "b", "c"]), HEIRS, max_size=3)},
    optional={"include": INCLUDES, "networks": VALUES},
)


@FUZZ
@given(CONNECTED, CONNECTED, CONNECTED)
def test_any_files_that_include_and_extend_each_other(one: Any, other: Any, third: Any) -> None:
    read(json.dumps(one), json.dumps(other), json.dumps(third))


@FUZZ
@given(st.text(alphabet="AB=:'\"\\$ {}#\n-.é", max_size=60))
def test_any_file_of_variables(text: str) -> None:
    with contextlib.suppress(FileError):
        found = parse_env(text, "f", ENVIRON.get)
        assert all(isinstance(value, str) for value in found.values())


@FUZZ
@given(st.text(alphabet="ab '\"\\$()`;|\n", max_size=40))
def test_any_command(text: str) -> None:
    with contextlib.suppress(BadValueError):
        assert all(isinstance(word, str) for word in split(text))
