"""Configs and secrets: their content, by digest, and where a service mounts them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rollout.compose.check import SOURCES
from rollout.compose.complete import SECRETS, Project
from rollout.compose.files import read_regular
from rollout.compose.node import Node, Report, join
from rollout.errors import FileError
from rollout.model.spec import FileMount

MAX_CONTENT = 500 * 1000
"""As much as Swarm takes for a secret."""


def file_target(kind: str, item: Node) -> str:
    """Where a config or secret is mounted: whole, or from / and /run/secrets."""
    target = str(item.get("target") or item.get("source"))
    if not target.startswith("/"):
        target = f"{SECRETS if kind == 'secrets' else ''}/{target}"
    return target


class Contents:
    """What the project's configs and secrets contain; each is read once, when it is first used."""

    def __init__(self, root: Node, project: Project, report: Report) -> None:
        self.root = root
        self.project = project
        self.report = report
        self.found: dict[str, bytes] = {}
        self.digests: dict[tuple[str, str], str] = {}

    def mounts(self, service: Node) -> tuple[FileMount, ...]:
        """A service's configs and secrets, sorted by where they are mounted."""
        mounts = [
            self.mount(kind, item)
            for kind in ("configs", "secrets")
            for item in service.items_at(kind)
        ]
        return tuple(sorted(mounts, key=lambda each: (each.target, each.kind)))

    def mount(self, kind: str, item: Node) -> FileMount:
        source = str(item.get("source"))
        target = file_target(kind, item)
        return FileMount(
            kind=kind.removesuffix("s"),
            source=source,
            target=target,
            digest=self.digest(kind, source),
            uid=item.get("uid", default="0"),
            gid=item.get("gid", default="0"),
            mode=item.get("mode", default=0o444),
        )

    def digest(self, kind: str, source: str) -> str:
        """SHA-256 in hex; empty where the content cannot be had, which is reported."""
        if (kind, source) not in self.digests:
            node = self.root.find(kind, source)
            content = None if node is None else self.content(join(kind, source), node)
            digest = "" if content is None else hashlib.sha256(content).hexdigest()
            if content is not None:
                self.found[digest] = content
            self.digests[kind, source] = digest
        return self.digests[kind, source]

    def content(self, path: str, node: Node) -> bytes | None:
        if (external := node.find("external")) is not None and external.value:
            why = "there is no store of configs and secrets on a plain engine"
            hint = "use file:, environment: or content:"
            self.report.error(external.mark, f"{path}.external", why, hint)
            return None
        said = [(key, found) for key in SOURCES if (found := node.find(key)) is not None]
        if len(said) != 1:
            return None  # check.py has said so
        key, source = said[0]
        content = self.bytes_of(key, source, f"{path}.{key}")
        if content is not None and len(content) > MAX_CONTENT:
            what = f"is larger than {MAX_CONTENT // 1000} kB"
            self.report.error(source.mark, f"{path}.{key}", what)
            return None
        return content

    def bytes_of(self, key: str, source: Node, path: str) -> bytes | None:
        if key == "content":
            return str(source.value).encode()
        if key == "environment":
            value = self.project.environ.get(source.value)
            if value is None:
                what = f"the variable {source.value} is not set"
                self.report.error(source.mark, path, what)
            return None if value is None else value.encode(errors="surrogateescape")
        try:
            return read_regular(Path(source.value), MAX_CONTENT)
        except FileError as error:
            self.report.error(source.mark, path, f"{source.value} {error.message}")
            return None
