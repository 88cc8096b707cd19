"""Around the file: its name, its variables, its profiles, several of it, standard input."""

from __future__ import annotations

import pytest

from rollout.compose.load import load, render
from rollout.compose.write import to_data
from rollout.errors import FileError, UsageError
from tests.compose.project import Folder

ONE = "services: {web: {image: x}}"


def test_a_project_is_named_as_compose_names_it(folder: Folder) -> None:
    named = "name: ${WHO:-filed}\n" + ONE

    assert folder.load(ONE).name == "p"
    assert folder.load(named).name == "filed"
    assert folder.load(named, environ={"WHO": "me"}).name == "me"
    assert folder.load(named, environ={"COMPOSE_PROJECT_NAME": "env"}).name == "env"
    assert folder.load(named, environ={"COMPOSE_PROJECT_NAME": "env"}, name="asked").name == "asked"


def test_a_folders_name_is_made_fit(folder: Folder) -> None:
    odd = folder.path / "_My Project.2"
    odd.mkdir()
    (odd / "c.yml").write_text(ONE)

    assert folder.load(None, "_My Project.2/c.yml").name == "myproject2"


def test_a_folder_is_named_by_where_it_is_not_by_how_it_was_reached(folder: Folder) -> None:
    (folder.path / "sub").mkdir()
    folder.write(c_yml=ONE)

    stack = load(["../c.yml"], environ={}, cwd=folder.path / "sub")

    assert stack.name == "p"


def test_without_a_file_there_is_nothing_to_read(folder: Folder) -> None:
    with pytest.raises(UsageError, match="no Compose file"):
        load([], environ={}, cwd=folder.path)


def test_the_name_is_a_variable_in_the_file(folder: Folder) -> None:
    text = "services: {web: {image: 'x/${COMPOSE_PROJECT_NAME}'}}"

    assert folder.load(text).services[0].image == "x/p"


def test_dot_env_beside_the_file_yields_to_the_process(folder: Folder) -> None:
    folder.write(_env="TAG=from-file\nOTHER='o'\n")
    text = "services: {web: {image: 'x:${TAG}-${OTHER}'}}"

    assert folder.load(text).services[0].image == "x:from-file-o"
    assert folder.load(text, environ={"TAG": "process"}).services[0].image == "x:process-o"


def test_env_files_that_are_named_stand_instead_of_dot_env(folder: Folder) -> None:
    folder.write(_env="TAG=dot\n", a_env="TAG=a\nX=x\n", b_env="TAG=b$X\n")
    text = "services: {web: {image: 'x:${TAG}'}}"

    assert folder.load(text, env_files=["a.env", "b.env"]).services[0].image == "x:bx"
    with pytest.raises(FileError, match="no such file"):
        folder.load(text, env_files=["gone.env"])


def test_env_file_of_a_service(folder: Folder) -> None:
    folder.write(e1="A=1\nB=1\nC=1\nE\n", e2="B=2\nC=${A}2\n", raw="Q='x' # $A\n")
    text = """
services:
  web:
    image: x
    env_file:
      - e1
      - {path: e2}
      - {path: raw, format: raw}
      - {path: gone, required: false}
    environment: {C: said, D: }
"""

    environment = folder.load(text, environ={"D": "ours"}).services[0].task.environment

    assert environment == {"A": "1", "B": "2", "C": "said", "D": "ours", "Q": "'x' # $A"}


def test_a_service_with_a_profile_is_off_until_it_is_enabled(folder: Folder) -> None:
    text = "services: {web: {image: x}, debug: {image: y, profiles: [dev, test]}}"

    def names(*profiles: str, **environ: str) -> list[str]:
        stack = folder.load(text, profiles=profiles, environ=environ)
        return [each.name for each in stack.services]

    assert names() == ["web"]
    assert names("test") == ["debug", "web"]
    assert names("*") == ["debug", "web"]
    assert names(COMPOSE_PROFILES="other, dev") == ["debug", "web"]


def test_what_is_off_may_be_waited_for_only_if_it_need_not_be_there(folder: Folder) -> None:
    text = """
services:
  web:
    image: x
    depends_on: {debug: {condition: service_started, required: %s}}
  debug: {image: y, profiles: [dev]}
"""

    assert folder.load(text % "false").services[0].depends_on == {}
    assert folder.errors(text % "true") == [
        "c.yml:5:18: services.web.depends_on.debug: the service is not enabled by a profile"
    ]


def test_a_project_where_everything_is_off_is_empty(folder: Folder) -> None:
    assert folder.load("services: {a: {image: x, profiles: [dev]}}").services == ()


def test_standard_input_is_read_against_the_working_folder(folder: Folder) -> None:
    stack = folder.load(None, "-", stdin="services: {web: {image: x, volumes: ['./a:/a']}}")

    assert stack.name == "p"
    assert stack.services[0].task.mounts[0].source == f"{folder.path}/a"


def test_paths_start_in_the_folder_of_the_first_file(folder: Folder) -> None:
    (folder.path / "sub").mkdir()
    (folder.path / "sub" / "a.yml").write_text("services: {web: {image: x, volumes: ['./a:/a']}}")
    (folder.path / "b.yml").write_text("services: {web: {volumes: ['./b:/b']}}")

    stack = folder.load(None, "sub/a.yml", "b.yml")

    assert stack.name == "sub"
    assert [each.source for each in stack.services[0].task.mounts] == [
        f"{folder.path}/sub/a",
        f"{folder.path}/sub/b",
    ]


RESET = """
services:
  web:
    ports: !reset []
    environment: {A: !reset null, B: 2}
    command: !override [b]
    deploy: !override {replicas: 2}
  gone: !reset null
"""


def test_reset_takes_away_and_override_replaces(folder: Folder) -> None:
    folder.write(
        a_yml="""
services:
  web:
    image: x
    ports: ["8080:80"]
    environment: {A: 1, C: 3}
    command: a
    deploy: {labels: {a: b}}
  gone: {image: y}
""",
        b_yml=RESET,
    )

    (spec,) = folder.load(None, "a.yml", "b.yml").services

    assert spec.task.ports == ()
    assert spec.task.environment == {"B": "2", "C": "3"}
    assert spec.task.command == ("b",)
    assert (spec.replicas, spec.labels) == (2, {})


def test_reset_in_a_file_alone_leaves_nothing_behind(folder: Folder) -> None:
    (spec,) = folder.load(RESET.replace("web:", "web:\n    image: x")).services

    assert spec.task.environment == {"B": "2"}


def test_what_is_printed_means_the_same_when_it_is_read_again(folder: Folder) -> None:
    text = """
services:
  web:
    image: x
    command: echo "$$HOME" '$$$$'
    environment: {yes: "no", n: "012", t: "22:22", m: "a\\nb\\n", s: " lead", d: "2001-12-14"}
    ports: ["8000-8001:80", "443/udp"]
    volumes: [data:/data, ./a:/a:ro]
    secrets: [key]
    depends_on: [db]
    ulimits: {nofile: 1}
    x-rollout: {progress_deadline: 5m}
  db: {image: y, healthcheck: {test: [CMD, x], interval: 90s}}
volumes: {data: }
secrets: {key: {file: ./c.yml}}
"""
    first = folder.tree(text)

    for form in ("yaml", "json"):
        (folder.path / "again.yml").write_text(render(first, form))
        again = folder.tree(None, "again.yml")
        assert to_data(again.tree) == to_data(first.tree)


def test_json_is_the_same_project_and_holds_what_compose_puts_in_though_it_is_empty(
    folder: Folder,
) -> None:
    document = folder.tree("services: {web: {image: x, scale: 2, hostname: <&>}}")

    assert render(document, "json") == (
        '{\n  "name": "p",\n  "networks": {\n    "default": {\n'
        '      "name": "p_default",\n      "ipam": {}\n    }\n  },\n'
        '  "services": {\n    "web": {\n      "command": null,\n      "entrypoint": null,\n'
        '      "hostname": "\\u003c\\u0026\\u003e",\n      "image": "x",\n'
        '      "networks": {\n        "default": null\n      },\n      "scale": 2\n'
        "    }\n  }\n}"
    )


@pytest.mark.parametrize(
    ("asked", "environ", "said"),
    [
        ("Shop", {}, '"Shop" is not a project name'),
        (None, {"COMPOSE_PROJECT_NAME": "Shop"}, 'COMPOSE_PROJECT_NAME: "Shop" is not a project'),
    ],
)
def test_a_bad_name_from_outside_is_not_blamed_on_the_file(
    folder: Folder, asked: str | None, environ: dict[str, str], said: str
) -> None:
    """Who reads the message looks where the name was given."""
    with pytest.raises(UsageError) as raised:
        folder.load(ONE, environ=environ, name=asked)

    assert raised.value.message.startswith(said)
