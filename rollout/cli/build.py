"""`rollout build -c FILE... [SERVICE...]`: build the images of the services that have `build:`."""

from __future__ import annotations

import time

import click

from rollout.cli import options
from rollout.cli.files import load_stack
from rollout.cli.settings import Settings
from rollout.cli.shipping import Images, open_images, shippable
from rollout.model.stack import Build
from rollout.views.text import clean


@click.command("build")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@options.compose_files
@click.option("--no-cache", is_flag=True, help="Build every step again.")
@click.option("--pull", is_flag=True, help="Ask for newer base images.")
@click.option("--build-arg", "arguments", multiple=True, metavar="KEY[=VALUE]",
              help="Set a build argument.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show what the builder prints, on stderr.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    services: tuple[str, ...],
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    profiles: tuple[str, ...],
    no_cache: bool,
    pull: bool,
    arguments: tuple[str, ...],
    verbose: bool,
) -> int:
    """Build the images of a Compose file's services, those that have `build:`."""
    stack = load_stack(files, name=None, env_files=env_files, profiles=profiles)
    extra = dict(_argument(text) for text in arguments)
    with open_images(settings) as images:
        for service, image, build in shippable(stack, services):
            wanted = _with(build, extra, no_cache=no_cache, pull=pull)
            _build(images, service, image, wanted, verbose=verbose)
    return 0


def _argument(text: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    return key, value if equals else None


def _with(build: Build, extra: dict[str, str | None], *, no_cache: bool, pull: bool) -> Build:
    from msgspec.structs import replace

    return replace(
        build,
        args=build.args | extra,
        no_cache=build.no_cache or no_cache,
        pull=build.pull or pull,
    )


def _build(images: Images, service: str, image: str, build: Build, *, verbose: bool) -> None:
    began = time.monotonic()
    for line in images.build(build, image):
        if verbose:
            click.echo(clean(line), err=True)
    click.echo(f"built {clean(service)}: {clean(image)} in {time.monotonic() - began:.1f} s")
