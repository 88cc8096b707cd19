"""Records what a real `docker-compose` makes of the inputs in data/recorded.json, once more.

    python -m tests.compose.record /path/to/docker-compose

A case is a folder's `files` (null for a folder), which of them are named (`use`, c.yml where it is
left out), in which folder one is (`cwd`), options before and after the command (`global`,
`options`), variables (`environ`) and standard input (`stdin`); `out` is what was printed, null
where it was refused; `hashes` what `--hash` printed, where no folder's name is in it.

Further cases are recorded with their file: a JSON list of cases without `out`.

    python -m tests.compose.record /path/to/docker-compose cases.json
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "data" / "recorded.json"


def placeless(text: str, folder: Path) -> str:
    """With names for the folder of the files and the one above it."""
    return text.replace(str(folder), "<CWD>").replace(str(folder.parent), "<ABOVE>")


def lay_out(case: dict[str, Any], folder: Path) -> list[str]:
    """Write a case's files; the names of those that are read."""
    for name, text in case["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_text(text)
    use: list[str] = case.get("use", ["c.yml"])
    return use


def record(compose: str, case: dict[str, Any], folder: Path) -> str | None:
    command = [compose]
    for name in lay_out(case, folder):
        command += ["-f", name]
    command += case.get("global", [])
    done = subprocess.run(
        [*command, "config", *case.get("options", [])],
        cwd=folder / case.get("cwd", "."),
        env={"PATH": "/bin:/usr/bin", "HOME": "/root", **case.get("environ", {})},
        input=case.get("stdin", ""),
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode else placeless(done.stdout, folder)


def record_anew(compose: str, case: dict[str, Any]) -> dict[str, Any]:
    """The case with what is printed now."""
    given = {key: each for key, each in case.items() if key not in ("out", "hashes")}
    found = {**given, "out": _in_a_folder(compose, given)}
    if found["out"] is not None and "options" not in given:
        hashed = {**given, "options": ["--hash", "*"]}
        once, again = (_in_a_folder(compose, hashed) for _ in range(2))
        if once == again:
            found["hashes"] = once
    return found


def _in_a_folder(compose: str, case: dict[str, Any]) -> str | None:
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above, "p")
        folder.mkdir()
        return record(compose, case, folder)


def main() -> None:
    compose, *more = sys.argv[1:]
    recorded = json.loads(RECORDED.read_text())
    if more:
        added = [record_anew(compose, case) for case in json.loads(Path(more[0]).read_text())]
        names = {case["name"] for case in added}
        write([*(case for case in recorded if case["name"] not in names), *added])
    else:
        write([record_anew(compose, case) for case in recorded])


def write(cases: list[dict[str, Any]]) -> None:
    """One line a case."""
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    RECORDED.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
