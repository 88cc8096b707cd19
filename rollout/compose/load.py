"""Compose files → a Stack: the front of this package.

    files ─source─▶ nodes ─interpolate─▶ ─schema─▶ long form ─merge─▶ ─complete─▶ Document
    Document ─read─▶ Stack        Document ─write─▶ what `config` prints

All that is wrong with the files is raised together, in the order of their lines.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Literal, TextIO

from msgspec import Struct, structs

from rollout.compose import write
from rollout.compose.check import check
from rollout.compose.complete import Project, complete, used_only
from rollout.compose.environment import project_environment
from rollout.compose.files import MAX_TEXT, decode, read_text
from rollout.compose.interpolate import Interpolator, TemplateError, interpolate
from rollout.compose.kinds import settled
from rollout.compose.node import BAD, Mark, Node, Report, shown
from rollout.compose.read import read
from rollout.compose.schema import ROOT
from rollout.compose.support import check_support
from rollout.errors import FileError, UsageError
from rollout.model.labels import is_stack_name
from rollout.model.stack import Stack

STDIN = "-"


class Document(Struct, frozen=True, kw_only=True):
    """A project's files as one: merged, interpolated, checked, in Compose's normal form."""

    project: Project
    tree: Node
    warnings: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    """Services whose profiles are off."""


def load(
    files: Sequence[str],
    *,
    environ: Mapping[str, str],
    project_name: str | None = None,
    cwd: Path,
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    stdin: TextIO | None = None,
) -> Stack:
    """The stack that the files ask for.

    `files` are paths from `cwd`, or `-` for `stdin`; later ones are merged over earlier ones.
    Raises FileError, or FileErrors where several things are wrong; UsageError without a file.
    """
    report = Report()
    sources = _Sources(files, environ, cwd, env_files, stdin)
    document = sources.assemble(project_name, profiles, report)
    check_support(document.tree, report)
    report.check()
    stack = read(document.tree, document.project, report)
    report.check()
    return structs.replace(stack, disabled=document.disabled)


def load_tree(
    files: Sequence[str],
    *,
    environ: Mapping[str, str],
    project_name: str | None = None,
    cwd: Path,
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    stdin: TextIO | None = None,
) -> Document:
    """The files as one, without asking whether this engine can do it all.  Raises as `load`."""
    report = Report()
    sources = _Sources(files, environ, cwd, env_files, stdin)
    document = sources.assemble(project_name, profiles, report)
    report.check()
    return document


def render(document: Document, form: Literal["yaml", "json"] = "yaml") -> str:
    """What `docker compose config` prints."""
    return write.to_json(document.tree) if form == "json" else write.to_yaml(document.tree)


class _Sources:
    """Where a project's text and variables come from."""

    def __init__(
        self,
        files: Sequence[str],
        environ: Mapping[str, str],
        cwd: Path,
        env_files: Sequence[str],
        stdin: TextIO | None,
    ) -> None:
        self.files = files
        self.cwd = cwd
        self.stdin = stdin
        if not files:
            raise UsageError("no Compose file was named", hint="use -c FILE")
        first = cwd if files[0] == STDIN else (cwd / files[0]).parent
        self.folder = Path(os.path.normpath(first.absolute()))
        paths = tuple(cwd / each for each in env_files)
        self.environ = project_environment(self.folder, paths, environ)

    def assemble(
        self, project_name: str | None, profiles: Sequence[str], report: Report
    ) -> Document:
        raw = self.documents()
        name = self.name(project_name, raw)
        environ = {**self.environ, "COMPOSE_PROJECT_NAME": name}
        project = Project(name, self.folder, environ)
        interpolator = Interpolator(environ.get)
        normal = [ROOT.normal(interpolate(each, interpolator, report), "", report) for each in raw]
        for variable in interpolator.unset:
            report.warn(f'The "{variable}" variable is not set. Defaulting to a blank string.')
        if any("version" in each.entries for each in normal):
            report.warn("the attribute `version` is obsolete and ignored, remove it")
        empty = Node({}, Mark(self.files[0]))
        merged = settled(reduce(ROOT.merge, (each for each in normal if each.tag != BAD), empty))
        merged, disabled = _enabled(merged, self.profiles(profiles))
        tree = complete(merged, project, report)
        check(tree, disabled, report)
        return Document(
            project=project,
            tree=used_only(tree),
            warnings=tuple(report.warnings),
            disabled=disabled,
        )

    def documents(self) -> list[Node]:
        from rollout.compose.source import parse  # noqa: PLC0415  lazy: yaml costs 45 ms

        found: list[Node] = []
        for file in self.files:
            documents = parse(self.text(file), file)
            if not documents:
                raise FileError("is empty", file=file, hint="write services: with one image")
            found.extend(documents)
        return found

    def text(self, file: str) -> str:
        if file != STDIN:
            return read_text(self.cwd / file, file)
        if self.stdin is None:
            raise FileError("standard input is not connected", file=file)
        try:
            raw = self.stdin.read(MAX_TEXT + 1)
        except UnicodeDecodeError:
            raise FileError("is not UTF-8: send it in that encoding", file=file) from None
        return decode(raw.encode(errors="surrogateescape"), file)

    def profiles(self, asked: Sequence[str]) -> frozenset[str]:
        said = self.environ.get("COMPOSE_PROFILES", "")
        return frozenset(asked or (each.strip() for each in said.split(",")))

    def name(self, asked: str | None, documents: Sequence[Node]) -> str:
        """As Compose has it: asked for, COMPOSE_PROJECT_NAME, the file's `name`, the folder's."""
        if name := asked or self.environ.get("COMPOSE_PROJECT_NAME"):
            source = Node(name, Mark(self.files[0]))
        else:
            said = [node for each in documents if (node := each.find("name"))]
            source = said[-1] if said else Node(_normalised(self.folder.name), Mark(self.files[0]))
        try:
            name = Interpolator(self.environ.get).substitute(str(source.value))
        except TemplateError as error:
            name, reason = "", str(error)
        else:
            reason = f"{shown(name)} is not a project name"
        if is_stack_name(name):
            return name
        hint = "lower-case letters, digits, - and _, up to 63, a letter or digit first"
        mark = source.mark
        raise FileError(
            reason, file=mark.file, line=mark.line, column=mark.column, key="name", hint=hint
        )


def _normalised(folder: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", folder.lower()).lstrip("_-")


def _enabled(root: Node, profiles: frozenset[str]) -> tuple[Node, tuple[str, ...]]:
    """The project without the services whose profiles are all off, and their names."""
    services = root.find("services")
    if services is None:
        return root, ()
    on = {
        name: node
        for name, node in services.entries.items()
        if _is_on(node.strings("profiles"), profiles)
    }
    off = tuple(name for name in services.entries if name not in on)
    return root.of({**root.entries, "services": services.of(on)}), off


def _is_on(wanted: tuple[str, ...], profiles: frozenset[str]) -> bool:
    return not wanted or "*" in profiles or not profiles.isdisjoint(wanted)
