"""No secret is shown by any command, whatever happens, unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import compose_file, rollout

pytestmark = pytest.mark.docker

SECRET = "corr3ct-horse"
FILE = """
    services:
      web:
        image: {image}
        environment:
          DB_PASSWORD: {secret}
          URL: redis://app:{secret}@cache/0
          VERSION: "{version}"
        command: ["/bin/busybox", "sh", "-c", "{script}"]
        configs: [{{source: app, target: /app.conf}}]
        deploy:
          restart_policy: {{condition: none}}
          update_config: {{monitor: 1s}}
    configs:
      app: {{content: "password = {secret}"}}
"""


def test_nothing_shows_a_secret(tmp_path: Path, stack: str, image: str) -> None:
    """The new definition fails and says its password as its last words."""
    name = f"{stack}_web"
    said = ""

    def run(*command: str, expect: int = 0) -> None:
        nonlocal said
        ran = rollout(*command, expect=expect)
        said += ran.out + ran.err

    def deploy(version: int, script: str, expect: int, *more: str) -> None:
        text = FILE.format(image=image, secret=SECRET, version=version, script=script)
        flags = ("--log-level", "debug", "deploy", "-c", compose_file(tmp_path, text))
        run(*flags, *more, stack, expect=expect)

    deploy(1, "sleep 1000", 0)
    deploy(2, "echo with $$DB_PASSWORD on $$URL; exit 3", 3, "--progress", "json")
    assert "with ********" in said, "the last words are told, without the secret"
    for command in (
        ("inspect", name),
        ("inspect", "--pretty", name),
        ("history", name, "--format", "json"),
        ("diff", name),
        ("ps", name, "--format", "json"),
        ("status", stack),
        ("status", stack, "--format", "json"),
    ):
        run(*command)

    assert SECRET not in said
    assert SECRET in rollout("inspect", name, "--show-secrets").out
