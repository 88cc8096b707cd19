"""Projects for the tests: files in a folder named `p`, loaded as a command would load them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rollout.compose.load import Document, load, load_tree
from rollout.errors import FileError, FileErrors
from rollout.model.spec import ServiceSpec
from rollout.model.stack import Stack

FILE = "c.yml"


class Folder:
    """A folder with Compose files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path / "p"
        self.path.mkdir(parents=True)

    def write(self, **files: str | bytes) -> Folder:
        """`web_yml="…"` is the file `web.yml`; `_env` is `.env`."""
        for name, content in files.items():
            path = self.path / name.replace("_", ".")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def load(
        self,
        text: str | None = None,
        *named: str,
        files: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        profiles: Sequence[str] = (),
        env_files: Sequence[str] = (),
        name: str | None = None,
        stdin: str | None = None,
    ) -> Stack:
        """`files`: instead of those named, none where the command names none."""
        if text is not None:
            (self.path / FILE).write_text(text)
        return load(
            (named or (FILE,)) if files is None else files,
            environ=environ or {},
            project_name=name,
            cwd=self.path,
            profiles=profiles,
            env_files=env_files,
            stdin=None if stdin is None else io.StringIO(stdin),
        )

    def tree(
        self,
        text: str | None = None,
        *files: str,
        environ: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> Document:
        if text is not None:
            (self.path / FILE).write_text(text)
        return load_tree(files or (FILE,), environ=environ or {}, project_name=name, cwd=self.path)

    def service(self, body: str, **environ: str) -> ServiceSpec:
        """The one service `web` with these lines."""
        return self.load(web(body), environ=environ).services[0]

    def errors(self, text: str | None = None, *files: str, **environ: str) -> list[str]:
        """Every error as a person reads it."""
        with pytest.raises(FileError) as caught:
            self.load(text, *files, environ=environ)
        found = caught.value
        return (
            [str(each) for each in found.errors] if isinstance(found, FileErrors) else [str(found)]
        )


def web(body: str) -> str:
    """A file with the service `web`, whose keys begin in column 5 of line 3 (image) and on."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    return f"services:\n  web:\n    image: x\n{lines}"
