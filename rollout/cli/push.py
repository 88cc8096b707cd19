"""`rollout push -c FILE... [SERVICE...]`: push the images of the services that have `build:`."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.files import load_stack
from rollout.cli.settings import Settings
from rollout.cli.shipping import open_images, shippable
from rollout.views.text import clean


@click.command("push")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@options.compose_files
@click.option("-v", "--verbose", is_flag=True, help="Show what the engine says, on stderr.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    services: tuple[str, ...],
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    profiles: tuple[str, ...],
    verbose: bool,
) -> int:
    """Push the images of a Compose file's services, those that have `build:`."""
    stack = load_stack(files, name=None, env_files=env_files, profiles=profiles)
    with open_images(settings) as images:
        for service, image, build in shippable(stack, services):
            for name in dict.fromkeys((image, *build.tags)):
                for line in images.push(name):
                    if verbose:
                        click.echo(clean(line), err=True)
                click.echo(f"pushed {clean(service)}: {clean(name)}")
    return 0
