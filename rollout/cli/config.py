"""`rollout config -c FILE...`: the files as they are read, as one."""

from __future__ import annotations

from typing import Literal

import click

from rollout.cli import options
from rollout.cli.files import load_document
from rollout.cli.settings import Settings
from rollout.compose.load import render


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
@click.option("-q", "--quiet", is_flag=True, help="Only check the files.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    profiles: tuple[str, ...],
    output: Literal["yaml", "json"],
    quiet: bool,
) -> int:
    """Print Compose files merged, interpolated and in canonical form."""
    del settings  # no engine is asked
    text = render(load_document(files, env_files=env_files, profiles=profiles), output)
    if not quiet:
        click.echo(text.rstrip("\n"))
    return 0
