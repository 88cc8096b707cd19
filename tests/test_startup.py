"""What is imported for what: `--help` imports click and nothing else of weight, so it is quick.

Sets of modules are compared rather than times, so that the test says the same on any machine; the
times themselves are measured by `make bench`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "asyncio", "click", "docker", "msgspec", "requests", "rich", "structlog", "tenacity", "urllib3",
    "yaml",
}  # fmt: skip

_PROBE = """
import sys
from rollout.cli.main import execute
code = execute(sys.argv[1:])
print("", *sorted(sys.modules), sep="\\n@", file=sys.stderr)
sys.exit(code)
"""


def _imported(*arguments: str, expect: int = 0) -> set[str]:
    """The top-level modules there are after a command."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == expect, done.stderr
    names = [line[1:] for line in done.stderr.splitlines() if line.startswith("@")]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--help",), 0), (("--version",), 0), (("nonsense",), 2), (("--log-level", "loud"), 2)],
)
def test_help_and_usage_errors_import_click_alone(arguments: tuple[str, ...], code: int) -> None:
    assert _imported(*arguments, expect=code) & HEAVY == {"click"}


def test_a_command_s_help_does_not_import_the_sdk() -> None:
    assert not _imported("update", "--help") & {"docker", "requests", "yaml", "rich", "structlog"}


def test_reading_a_file_does_not_import_the_sdk(tmp_path: Path) -> None:
    """`config` pays for YAML, and neither for the engine nor for logging."""
    file = tmp_path / "compose.yml"
    file.write_text("services: {web: {image: bb}}\n", encoding="utf-8")

    imported = _imported("config", "-c", str(file))

    assert "yaml" in imported
    assert not imported & {"docker", "requests", "rich", "structlog", "tenacity"}


def test_talking_to_an_engine_imports_neither_yaml_nor_rich_nor_structlog() -> None:
    """A viewing command pays for the SDK alone, also when nobody answers."""
    imported = _imported("-H", "unix:///nowhere/docker.sock", "ls", expect=1)

    assert "docker" in imported
    assert not imported & {"yaml", "rich", "structlog"}
