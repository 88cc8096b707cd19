"""`extends`: a service on top of another one, of the same file or of another, in chains.

The other one is the base, the extending service is merged over it as a second file would be.
Everything is inherited.  Paths of a base in another file start at that file's folder.
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from msgspec import Struct

from rollout.compose.interpolate import Interpolator, interpolate
from rollout.compose.kinds import settled
from rollout.compose.node import BAD, Node, Report, join, shown, size, suggest
from rollout.compose.paths import Paths, resolve_service
from rollout.compose.reader import Reader
from rollout.compose.schema_service import SERVICE
from rollout.errors import FileError

MAX_CHAIN = 50


class Frame(Struct, frozen=True):
    """The services among which a base is looked for."""

    file: str
    path: Path
    folder: Path
    """Where the files that they extend are looked for."""
    services: dict[str, list[Node]]
    """Each as the file's documents have it; usually one."""
    outside: bool
    """Of another file: not yet in normal form, and with paths of its own."""


class Extender:
    """One document's services; `report` takes what is wrong with them and their bases."""

    def __init__(
        self, reader: Reader, variables: Interpolator | None, home: str, report: Report
    ) -> None:
        self.reader = reader
        self.variables = variables
        """None where variables stay as they are written."""
        self.home = home
        self.report = report
        self.frames: dict[Path, Frame] = {}
        self.done: dict[tuple[str, bool, str], Node] = {}

    def document(self, root: Node, file: str, folder: Path) -> Node:
        """A document in normal form, with every `extends` of its services resolved."""
        services = root.find("services")
        if services is None or not any(
            "extends" in each.entries for each in services.entries.values()
        ):
            return root
        nodes = {name: [node] for name, node in services.entries.items()}
        frame = Frame(file, self.reader.path(file), folder, nodes, outside=False)
        extended = {name: self.service(name, frame, ()) for name in services.entries}
        return root.of({**root.entries, "services": services.of(extended)})

    def service(self, name: str, frame: Frame, trail: tuple[tuple[Path, str], ...]) -> Node:
        key = (frame.file, frame.outside, name)
        if key not in self.done:
            self.done[key] = self.extended(name, frame, (*trail, (frame.path, name)))
        return self.done[key]

    def extended(self, name: str, frame: Frame, trail: tuple[tuple[Path, str], ...]) -> Node:
        nodes = frame.services[name]
        path = join("services", name)
        if frame.outside:
            nodes = [settled(SERVICE.normal(node, path, self.report)) for node in nodes]
        node = reduce(SERVICE.merge, nodes)
        wanted = node.find("extends")
        if wanted is not None and (base := self.base(wanted, path, frame, trail)) is not None:
            node = SERVICE.merge(base, node)
            if "extends" not in base.entries:  # as it would be where its own base is not there
                node = node.of({k: each for k, each in node.entries.items() if k != "extends"})
        if frame.outside:
            node = resolve_service(node, Paths(frame.path.parent, self.home))
        return node

    def base(
        self, wanted: Node, path: str, frame: Frame, trail: tuple[tuple[Path, str], ...]
    ) -> Node | None:
        """The service that is extended; None where there is none, which is reported."""
        name, file = wanted.get("service"), wanted.find("file")
        at = f"{path}.extends"
        if not isinstance(name, str):
            return None
        try:
            other = frame if file is None else self.frame(file, frame)
        except FileError as error:
            self.refuse(file or wanted, f"{at}.file", error)
            return None
        if name not in other.services:
            where = "" if other is frame else f" in {other.file}"
            what = f"the service {shown(name)} is not defined{where}"
            self.report.error(wanted.mark, at, what, suggest(name, other.services))
            return None
        if (other.path, name) in trail or len(trail) > MAX_CHAIN:
            names = " → ".join([each for _, each in trail] + [name])
            long = f"is a chain of more than {MAX_CHAIN} services"
            what = f"goes in a circle: {names}" if len(trail) <= MAX_CHAIN else long
            self.report.error(wanted.mark, at, what)
            return None
        base = self.service(name, other, trail)
        if base.tag == BAD or not isinstance(base.value, dict):
            return None
        self.reader.take(size(base), wanted.mark)
        return settled(base)

    def frame(self, file: Node, frame: Frame) -> Frame:
        """The services of another file.  Raises FileError."""
        path = self.reader.path(Paths(frame.folder, self.home).whole(str(file.value)))
        if path not in self.frames:
            name = self.reader.name(path)
            services: dict[str, list[Node]] = {}
            for document in self.reader.documents(name, file.mark):
                found = document
                if self.variables is not None:
                    found = interpolate(document, self.variables, self.report)
                for key, node in found.entries_at("services").items():
                    services.setdefault(key, []).append(node)
            self.frames[path] = Frame(name, path, path.parent, services, outside=True)
        return self.frames[path]

    def refuse(self, node: Node, at: str, error: FileError) -> None:
        """Where the other file cannot be read as a whole, said where it is named."""
        if error.line:
            self.report.errors.append(error)
        else:
            what = f"{shown(error.file)} {error.message}"
            self.report.error(node.mark, at, what, error.hint)
