"""`rollout`: the table of commands, the global flags, and what becomes of an error.

Only click is imported here.  A command's module is imported when that command runs, so that
`--help`, `--version`, completion and usage errors stay quick (tests/test_startup.py).
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from rollout.cli import messages
from rollout.cli.settings import Settings
from rollout.errors import FileError, FileErrors, RolloutError
from rollout.log import FORMATS, LEVELS, log

COMMANDS = {
    "deploy": ("rollout.cli.deploy", "Make the engine match a Compose file"),
    "update": ("rollout.cli.update", "Change a service, batch by batch"),
    "rollback": ("rollout.cli.rollback", "Go back to an earlier revision of a service"),
    "scale": ("rollout.cli.scale", "Set how many replicas services have"),
    "pause": ("rollout.cli.pause", "Hold an update after what is in flight"),
    "resume": ("rollout.cli.resume", "Go on with a paused update"),
    "status": ("rollout.cli.status", "Say where updates are, or wait until they are done"),
    "ps": ("rollout.cli.ps", "List the tasks of services or stacks"),
    "services": ("rollout.cli.services", "List services"),
    "ls": ("rollout.cli.ls", "List stacks"),
    "inspect": ("rollout.cli.inspect", "Show all there is to know about services"),
    "history": ("rollout.cli.history", "List the revisions of a service"),
    "diff": ("rollout.cli.diff", "Show what differs between two revisions"),
    "logs": ("rollout.cli.logs", "Show the logs of a service or stack"),
    "config": ("rollout.cli.config", "Print a Compose file as it is read"),
    "build": ("rollout.cli.build", "Build the images of a Compose file"),
    "push": ("rollout.cli.push", "Push the images of a Compose file"),
    "rm": ("rollout.cli.rm", "Remove stacks"),
    "controller": ("rollout.cli.controller", "Stay, and keep every stack as it was asked for"),
    "doctor": ("rollout.cli.doctor", "Look for what is not as it should be"),
    "unlock": ("rollout.cli.unlock", "Free a stack though its holder seems alive"),
}
"""Name → module with an attribute `command`, and its line in `--help`."""

_BROKEN_PIPE = 141
"""128 + SIGPIPE, as a shell says it of a command whose reader went away."""
_OUTPUT_LOST = (errno.ENOSPC, errno.EIO)


class Table(click.Group):
    """A group that knows its commands by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        found: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import rollout

        click.echo(f"rollout {rollout.__version__}")
        ctx.exit()


@click.group(
    cls=Table,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A service is STACK_SERVICE. `rollout COMMAND --help` says more.",
)
@click.option("-H", "--host", metavar="URL", help="Engine to talk to (default: DOCKER_HOST).")
@click.option("--context", metavar="NAME", help="Docker context to use.")
@click.option(
    "--engine",
    type=click.Choice(["docker", "swarm"]),
    default="docker",
    show_default=True,
    help="What runs the tasks.",
)
@click.option(
    "--log-level",
    type=click.Choice(list(LEVELS)),
    default="warning",
    show_default=True,
    help="What is logged on stderr; debug shows tracebacks too.",
)
@click.option(
    "--log-format",
    type=click.Choice(list(FORMATS)),
    default="console",
    show_default=True,
    help="How it is logged: for people or for machines.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Print the version and exit.",
)  # fmt: skip
@click.pass_context
def main(
    ctx: click.Context,
    host: str | None,
    context: str | None,
    engine: str,
    log_level: str,
    log_format: str,
) -> None:
    """Rolling updates for Compose services on a plain Docker engine."""
    log.configure(level=log_level, fmt=log_format)
    if host and context:
        raise click.UsageError("--host and --context exclude each other")
    ctx.obj = Settings(host=host, context=context, engine=engine)


def run(arguments: list[str] | None = None) -> NoReturn:
    """The entry point: runs a command and leaves with its exit code."""
    from rollout.cli.interrupt import end, heeded

    _open_streams()
    with heeded():
        code = execute(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _unwritable(error, code)
    end(code)


def execute(arguments: list[str] | None = None) -> int:
    """Run a command; every error ends here as text on stderr, or as JSON where that was asked for,
    and an exit code."""
    messages.choose(sys.argv[1:] if arguments is None else arguments)
    try:
        result: Any = main.main(arguments, prog_name="rollout", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        messages.fail(_usage(error), reference="usage", code=2)
        return 2
    except (click.Abort, KeyboardInterrupt):
        messages.fail("interrupted", reference="interrupted", code=130)
        return 130
    except BrokenPipeError as error:
        return _unwritable(error, _BROKEN_PIPE)
    except RolloutError as error:
        _trace(error)
        _tell(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last line of defence: never a traceback
        if isinstance(error, OSError) and error.errno in _OUTPUT_LOST and not error.filename:
            return _unwritable(error, 1)
        _trace(error)
        messages.fail(
            f"this is a bug, sorry: {type(error).__name__}: {error}",
            hint="reference internal-error; --log-level debug shows the traceback",
            reference="internal-error",
            code=1,
        )
        return 1
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> str:
    text = error.format_message()
    text = text[:1].lower() + text[1:].rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{text} (see `{context.command_path} --help`)" if context else text


def _tell(error: RolloutError) -> None:
    """An error about a file says where in it; one about a whole file has all of them."""
    if not isinstance(error, FileError):
        messages.fail(
            error.message, hint=error.hint, reference=error.reference, code=error.exit_code
        )
        return
    each = error.errors if isinstance(error, FileErrors) else [error]
    places = [
        {
            "error": one.message,
            "hint": one.hint,
            "file": one.file,
            "line": one.line or None,
            "column": one.column or None,
            "key": one.key or None,
        }
        for one in each
    ]
    more = {"errors": places}
    messages.fail(str(error), reference=error.reference, code=error.exit_code, more=more)


def _trace(error: BaseException) -> None:
    if log.debugging:
        log.debug("traceback", exc_info=error)


def _open_streams() -> None:
    """A stream that was closed when we were started leads nowhere, rather than to whatever is
    opened next."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  to the end


def _unwritable(error: OSError, code: int) -> int:
    """Nobody reads on: what is still buffered goes nowhere, so that the interpreter's own flush is
    silent.  Any other reason is an error of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return code
    messages.fail(
        f"the output could not be written: {error.strerror}", reference="output", code=code or 1
    )
    return code or 1
