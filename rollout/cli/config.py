"""`rollout config -c FILE...`: the files as they are read, as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import click

from rollout.cli import options
from rollout.cli.files import load_document
from rollout.cli.settings import Settings
from rollout.compose.load import Document, hashes, images, render
from rollout.errors import UsageError
from rollout.views.text import clean


@click.command("config")
@options.compose_files
@click.option(
    "--format",
    "output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="How it is written.",
)
@click.option("--services", "what", flag_value="services", help="Only the services' names.")
@click.option("--images", "what", flag_value="images", help="Only the images' names.")
@click.option("--volumes", "what", flag_value="volumes", help="Only the volumes' names.")
@click.option("--profiles", "what", flag_value="profiles", help="Only the profiles' names.")
@click.option(
    "--hash",
    "hashed",
    metavar="SERVICE,...",
    help="Compose's hash of these services' containers, of all with '*'.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only check the files.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    profiles: tuple[str, ...],
    output: Literal["yaml", "json"],
    what: Literal["services", "images", "volumes", "profiles"] | None,
    hashed: str | None,
    quiet: bool,
) -> int:
    """Print Compose files merged, interpolated and in canonical form."""
    del settings  # no engine is asked
    names_only = what is not None or hashed is not None
    document = load_document(files, env_files=env_files, profiles=profiles, names_only=names_only)
    if hashed is not None:
        lines = list(_hash_lines(document, hashed))
    elif what is not None:
        lines = _names(document, what)
    else:
        lines = [render(document, output).rstrip("\n")]
    is_json = output == "json" and not names_only
    for line in [] if quiet else lines:
        click.echo(line, nl=not is_json)  # Compose ends JSON without a newline
    return 0


def _names(
    document: Document, what: Literal["services", "images", "volumes", "profiles"]
) -> list[str]:
    """One a line, sorted."""
    if what == "images":
        return sorted(map(clean, images(document)))
    found = document.profiles if what == "profiles" else tuple(document.tree.entries_at(what))
    return sorted(map(clean, found))


def _hash_lines(document: Document, wanted: str) -> Iterator[str]:
    """Raises UsageError for a service that is not there."""
    found = hashes(document)
    names = list(found) if wanted == "*" else wanted.split(",")
    for name in sorted(names):
        if name not in found:
            raise UsageError(f"no such service: {name}", hint=f"there are {', '.join(found)}")
        yield f"{name} {found[name]}"
