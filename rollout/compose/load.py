"""Compose files → a Stack: the front of this package.

    files ─reader─▶ nodes ─interpolate─▶ ─schema─▶ long form ─merge─▶ ─complete─▶ Document
    Document ─read─▶ Stack        Document ─write─▶ what `config` prints

All that is wrong with the files is raised together, in the order of their lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from msgspec import Struct, structs

from rollout.compose import write
from rollout.compose.beside import check_beside
from rollout.compose.check import check
from rollout.compose.complete import Project, complete, named, used_only
from rollout.compose.finding import find
from rollout.compose.interpolate import Interpolator, TemplateError
from rollout.compose.merge import Merger, Scope
from rollout.compose.node import Mark, Node, Report, shown
from rollout.compose.read import read
from rollout.compose.read_task import image_name
from rollout.compose.reader import Reader
from rollout.compose.settings import parallel_of, settings_of, without_effect
from rollout.compose.support import check_support
from rollout.errors import FileError, UsageError
from rollout.model.labels import is_stack_name
from rollout.model.stack import Stack


class Document(Struct, frozen=True, kw_only=True):
    """A project's files as one: merged, interpolated, checked, in Compose's normal form."""

    project: Project
    merged: Node
    """As the files say it, nothing filled in."""
    tree: Node
    warnings: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    """Services whose profiles are off."""
    profiles: tuple[str, ...] = ()
    """All that the files name, on or off."""


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
    Where none is named, they are those of COMPOSE_FILE, or what lies in `cwd` or above it.
    Raises FileError, or FileErrors where several things are wrong; UsageError without a file.
    """
    report = Report()
    sources = _Sources(files, environ, cwd, env_files, stdin)
    document = sources.assemble(project_name, profiles, report)
    check_support(document.tree, report)
    report.check()
    stack = read(named(document.tree, document.project), document.project, report)
    report.check()
    check_beside(document.tree, stack.services, report)
    report.check()
    return structs.replace(stack, disabled=document.disabled, settings=settings_of(sources.environ))


def load_tree(
    files: Sequence[str],
    *,
    environ: Mapping[str, str],
    project_name: str | None = None,
    cwd: Path,
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    stdin: TextIO | None = None,
    names_only: bool = False,
) -> Document:
    """The files as one, without asking whether this engine can do it all.  Raises as `load`.

    `names_only`: no `env_file` is read, as nobody asks for what is in it.
    """
    report = Report()
    sources = _Sources(files, environ, cwd, env_files, stdin)
    document = sources.assemble(project_name, profiles, report, names_only=names_only)
    report.check()
    return document


def render(document: Document, form: Literal["yaml", "json"] = "yaml") -> str:
    """What `docker compose config` prints."""
    return write.to_json(document.tree) if form == "json" else write.to_yaml(document.tree)


def images(document: Document) -> list[str]:
    """Every service's image; what is built without a name has the one Compose gives it."""
    services = document.tree.entries_at("services")
    return [image_name(name, node, document.project) for name, node in services.items()]


def hashes(document: Document) -> dict[str, str]:
    """Service → the hash that `docker compose config --hash` prints: over the names of its
    `env_file`s, not over what is in them."""
    unread = complete(document.merged, document.project, Report(), read=["label_file"])
    return write.hashes(unread)


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
        self.reader = Reader(cwd, stdin)
        found = find(files, env_files, environ, self.reader.cwd)
        self.files = found.files
        self.folder = found.folder
        self.environ = found.environ
        parallel_of(found.environ)  # as Compose, which refuses what is no number here
        self.warnings = (*found.warnings, *without_effect(found.environ))

    def assemble(
        self,
        project_name: str | None,
        profiles: Sequence[str],
        report: Report,
        *,
        names_only: bool = False,
    ) -> Document:
        for warning in self.warnings:
            report.warn(warning)
        name = self.name(project_name)
        environ = {**self.environ, "COMPOSE_PROJECT_NAME": name}
        project = Project(name, self.folder, environ)
        if not any(self.reader.documents(file) for file in self.files):
            hint = "write services: with one image"
            raise FileError("is empty", file=self.files[0], hint=hint)
        merger = Merger(self.reader, project.home, report)
        merged = merger.project(self.files, Scope(folder=self.folder, environ=environ))
        for variable in merger.unset:
            report.warn(f'The "{variable}" variable is not set. Defaulting to a blank string.')
        if merger.has_version:
            report.warn("the attribute `version` is obsolete and ignored, remove it")
        enabled, disabled = _enabled(merged, self.profiles(profiles))
        read_files = ["label_file", *([] if names_only else ["env_file"])]
        tree = complete(enabled, project, report, read=read_files)
        check(tree, disabled, report)
        return Document(
            project=project,
            merged=enabled,
            tree=used_only(tree),
            warnings=tuple(report.warnings),
            disabled=disabled,
            profiles=tuple(
                dict.fromkeys(
                    profile
                    for each in merged.entries_at("services").values()
                    for profile in each.strings("profiles")
                )
            ),
        )

    def profiles(self, asked: Sequence[str]) -> frozenset[str]:
        said = self.environ.get("COMPOSE_PROFILES", "")
        return frozenset(asked or (each.strip() for each in said.split(",")))

    def name(self, asked: str | None) -> str:
        """As Compose has it: asked for, COMPOSE_PROJECT_NAME, the file's `name`, the folder's."""
        mark = Mark(self.files[0])
        said = asked or self.environ.get("COMPOSE_PROJECT_NAME", "")
        if not said:
            written = self.written_name()
            if written is not None:
                mark, said = written.mark, self.substituted(written)
            said = _normalised(said or self.folder.name)
        if is_stack_name(said):
            return said
        hint = "lower-case letters, digits, - and _, up to 63, a letter or digit first"
        what = f"{shown(said)} is not a project name"
        if asked:
            raise UsageError(what, hint=hint)
        if self.environ.get("COMPOSE_PROJECT_NAME"):
            raise UsageError(f"COMPOSE_PROJECT_NAME: {what}", hint=hint)
        raise FileError(
            what, file=mark.file, line=mark.line, column=mark.column, key="name", hint=hint
        )

    def written_name(self) -> Node | None:
        """The last `name` of the files."""
        documents = [each for file in self.files for each in self.reader.documents(file)]
        said = [node for each in documents if (node := each.find("name")) and node.value]
        return said[-1] if said else None

    def substituted(self, written: Node) -> str:
        try:
            return Interpolator(self.environ.get).substitute(str(written.value))
        except TemplateError as error:
            mark = written.mark
            raise FileError(
                str(error), file=mark.file, line=mark.line, column=mark.column, key="name"
            ) from None


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
