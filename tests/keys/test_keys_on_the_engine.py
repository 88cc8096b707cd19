"""Every key ends in the container as the table says: read from a file, looked at by inspect."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.compose.load import load
from rollout.engine.docker.engine import DockerEngine
from tests.keys.table import CASES, Case
from tests.support.engine import new_stack, prepared, revision, sweep

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What stands for the table's placeholders: one stack and its networks for all cases."""
    name = new_stack()
    number = secrets.token_bytes(2)
    yield {
        "{stack}": name,
        "{folder}": str(tmp_path_factory.mktemp("keys")),
        "{net}": f"10.{100 + number[0] % 100}.{number[1]}",
        "{net6}": f"fd0d:{number.hex()}",
    }
    sweep(name)


def _filled(text: str, place: dict[str, str]) -> str:
    for word, value in place.items():
        text = text.replace(word, value)
    return text


def _file(case: Case, service: str, image: str) -> str:
    lines = "".join(f"    {line}\n" for line in case.body.splitlines())
    peer = f"  peer: {{image: '{image}'}}\n"
    return f"services:\n  {service}:\n    image: {image}\n{lines}{peer}{case.top}\n"


@pytest.mark.parametrize("key", CASES)
def test_a_key_is_honoured(
    key: str, place: dict[str, str], engine: DockerEngine, image: str, client: docker.APIClient
) -> None:
    case, name = CASES[key], place["{stack}"]
    service = "".join(c if c.isalnum() else "-" for c in key)
    file = Path(place["{folder}"]) / f"{service}.yml"
    file.write_text(_filled(_file(case, service, image), place))
    stack = load((str(file),), environ={}, project_name=name, cwd=file.parent)
    spec = stack.service(service)
    assert spec is not None
    assert [text for text in stack.warnings if "unsupported" in text] == []
    assert engine.check(spec, name) == ()

    engine.ensure(spec, name)
    task = prepared(engine, revision(name, spec))

    shown = client.inspect_container(task.container_id)
    for endpoint in shown["NetworkSettings"]["Networks"].values():
        # Engines before 27 have the container's own id among them.
        aliases = [each for each in endpoint["Aliases"] or [] if each != shown["Id"][:12]]
        endpoint["Aliases"] = aliases or None
    found = {**place, "{service}": service}
    _has(shown, json.loads(_filled(json.dumps(case.wanted), found)), "")


def _has(shown: Any, wanted: Any, path: str) -> None:
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            assert key in shown, f"{path}.{key} is not there: {shown}"
            _has(shown[key], value, f"{path}.{key}")
    elif isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        assert len(shown) == len(wanted), f"{path}: {shown}"
        for number, (each, part) in enumerate(zip(shown, wanted, strict=True)):
            _has(each, part, f"{path}[{number}]")
    else:
        assert shown == wanted, path
