"""Several files → one project: each document interpolated, extended, with what it includes, and
merged over those before it.

What is included is a project of its own: with its own folder, its own `.env`, merged from its own
files; only what it defines comes over, and nothing may be defined twice in different ways.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rollout.compose.complete import fill
from rollout.compose.environment import env_file_variables
from rollout.compose.extends import Extender
from rollout.compose.interpolate import Interpolator, interpolate
from rollout.compose.kinds import settled
from rollout.compose.node import BAD, Mark, Node, Report, join, same, shown
from rollout.compose.paths import Paths, resolve
from rollout.compose.reader import STDIN, Reader
from rollout.compose.schema import ROOT
from rollout.errors import FileError

IMPORTED = ("services", "volumes", "networks", "secrets", "configs")
MAX_DEPTH = 50


class Scope(Struct, frozen=True, kw_only=True):
    """What a group of files is read against."""

    folder: Path
    """Relative paths start here."""
    environ: Mapping[str, str]
    within: tuple[Path, ...] = ()
    """The files that include one another, the outermost first."""


class Merger:
    """Reads and merges; what is wrong goes to the report."""

    def __init__(self, reader: Reader, home: str, report: Report, *, literal: bool = False) -> None:
        self.reader = reader
        self.home = home
        self.report = report
        self.literal = literal
        """Leave variables as they are written."""
        self.unset: dict[str, None] = {}
        self.has_version = False

    def project(self, files: Sequence[str], scope: Scope) -> Node:
        """The files as one, in normal form.  Raises FileError where one cannot be read at all."""
        read = [(file, self.reader.documents(file)) for file in files]
        variables = Interpolator(scope.environ.get, self.unset)
        merged = Node({}, Mark(files[0]))
        for file, documents in read:
            for document in documents:
                node = self.document(document, file, scope, variables)
                if node.tag != BAD:
                    merged = ROOT.merge(merged, node)
        self.report.partial = False
        return ROOT.normal(settled(merged), "", self.report)

    def document(self, node: Node, file: str, scope: Scope, variables: Interpolator) -> Node:
        known = node if self.literal else interpolate(node, variables, self.report)
        self.report.partial = True
        normal = ROOT.normal(known, "", self.report)
        if normal.tag == BAD:
            return normal
        self.has_version |= "version" in normal.entries
        extender = Extender(
            self.reader, None if self.literal else variables, self.home, self.report
        )
        extended = extender.document(normal, file, scope.folder)
        within = (*scope.within, *([] if file == STDIN else [self.reader.path(file)]))
        for number, wanted in enumerate(extended.items_at("include")):
            if wanted.tag != BAD:
                inner = Scope(folder=scope.folder, environ=scope.environ, within=within)
                included = self.included(wanted, f"include[{number}]", inner)
                extended = self.imported(extended, included)
        return extended.of({k: each for k, each in extended.entries.items() if k != "include"})

    def included(self, wanted: Node, at: str, scope: Scope) -> Node:
        """The project that an entry of `include` brings."""
        empty = Node({}, wanted.mark)
        paths = Paths(scope.folder, self.home)
        files = [self.reader.path(paths.whole(each)) for each in wanted.strings("path")]
        if not files:
            self.report.error(wanted.mark, at, "path is missing")
            return empty
        if files[0] in scope.within or len(scope.within) > MAX_DEPTH:
            names = " → ".join(self.reader.name(each) for each in (*scope.within, files[0]))
            what = (
                f"goes in a circle: {names}" if files[0] in scope.within else "is nested too deep"
            )
            self.report.error(wanted.mark, at, what)
            return empty
        said = wanted.get("project_directory")
        folder = Path(paths.whole(said)) if said else files[0].parent
        try:
            environ = self.environ(wanted, folder, scope)
            inner = Scope(folder=folder, environ=environ, within=scope.within)
            project = self.project([self.reader.name(each) for each in files], inner)
        except FileError as error:
            self.refuse(wanted, at, error)
            return empty
        return resolve(fill(project, environ), Paths(folder, self.home))

    def environ(self, wanted: Node, folder: Path, scope: Scope) -> dict[str, str]:
        """The includer's variables, then those of the entry's `env_file` or of a `.env`."""
        paths = Paths(scope.folder, self.home)
        files = [Path(paths.whole(each)) for each in wanted.strings("env_file")]
        default = folder / ".env"
        if not wanted.entries.get("env_file") and os.path.isfile(default):  # noqa: PTH113  never raises
            files = [default]
        return {**env_file_variables(files, scope.environ), **scope.environ}

    def imported(self, root: Node, project: Node) -> Node:
        entries = dict(root.entries)
        for kind in IMPORTED:
            brought = project.entries_at(kind)
            if not brought or (kind in entries and entries[kind].tag == BAD):
                continue
            own = entries.get(kind) or Node({}, root.mark)
            for name, node in brought.items():
                before = own.entries.get(name)
                if before is not None and before.tag != BAD and not same(before, node):
                    other = f"{before.at_key.file}:{before.at_key.line}"
                    what = f"is defined in another way in {other}, which includes or is included"
                    self.report.error(node.at_key, join(kind, name), what, "rename one of the two")
            entries[kind] = own.of({**brought, **own.entries})
        return root.of(entries)

    def refuse(self, node: Node, at: str, error: FileError) -> None:
        if error.line:
            self.report.errors.append(error)
        else:
            what = f"{shown(error.file)} {error.message}"
            self.report.error(node.mark, at, what, error.hint)
