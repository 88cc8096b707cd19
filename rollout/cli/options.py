"""Flags: the table of `docker service update`'s, and those that several commands share.

One row of UPDATE_FLAGS is one flag: its name, its kind, what it takes, its help.  `edits.edit`
gives them their meaning.  A flag that is not given is not passed on, so it leaves its field alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from rollout.errors import UsageError
from rollout.views.template import is_template

F = TypeVar("F", bound=Callable[..., Any])


class Flag(NamedTuple):
    name: str
    kind: str
    """`text`, `list` (may be repeated), `count` (a whole number from 0), `number` (a whole number),
    `ratio`, `switch` (given or not), `choice` (`--x` or `--no-x`)."""
    takes: str
    help: str


def _cadence(kind: str, task: str, actions: str) -> tuple[Flag, ...]:
    return (
        Flag(f"{kind}-parallelism", "count", "N", f"Most tasks {task} together; 0 for all at once"),
        Flag(f"{kind}-delay", "text", "DURATION", f"Pause between batches of tasks {task}"),
        Flag(f"{kind}-failure-action", "text", actions, "What to do when too many tasks fail"),
        Flag(f"{kind}-monitor", "text", "DURATION", "How long a task is watched once it runs"),
        Flag(f"{kind}-max-failure-ratio", "ratio", "RATIO", "Share of failures to put up with"),
        Flag(f"{kind}-order", "text", "start-first|stop-first", "Which task first, old or new"),
    )


def _both(name: str, takes: str, key: str, what: str) -> tuple[Flag, Flag]:
    return (
        Flag(f"{name}-add", "list", takes, f"Add or replace {what}"),
        Flag(f"{name}-rm", "list", key, f"Remove {what}"),
    )


UPDATE_FLAGS: tuple[Flag, ...] = (
    Flag("image", "text", "IMAGE", "Image to run, resolved to its digest"),
    Flag("replicas", "count", "N", "Number of tasks"),
    Flag("replicas-max-per-node", "count", "N", "Most tasks on one host; 0 for no limit"),
    Flag("args", "text", "COMMAND", "Arguments of the service's command, as one string"),
    Flag("entrypoint", "text", "COMMAND", "Overwrite the image's entrypoint"),
    Flag("force", "switch", "", "Replace every task even if nothing changed"),
    *_both("env", "KEY=VALUE", "KEY", "an environment variable"),
    *_both("label", "KEY=VALUE", "KEY", "a label of the service"),
    *_both("constraint", "EXPRESSION", "EXPRESSION", "a rule for the host, as node.role==manager"),
    *_both("container-label", "KEY=VALUE", "KEY", "a label of the containers"),
    *_cadence("update", "updated", "pause|continue|rollback"),
    *_cadence("rollback", "rolled back", "pause|continue"),
    Flag("restart-condition", "text", "none|on-failure|any", "When a task that ended is restarted"),
    Flag("restart-delay", "text", "DURATION", "Pause between restart attempts"),
    Flag("restart-max-attempts", "count", "N", "Restarts before giving up; 0 for no limit"),
    Flag("restart-window", "text", "DURATION", "Time over which restarts are counted"),
    Flag("health-cmd", "text", "COMMAND", "Command that checks health; empty for the image's own"),
    Flag("health-interval", "text", "DURATION", "Time between two checks"),
    Flag("health-timeout", "text", "DURATION", "Most time a check may take"),
    Flag("health-retries", "count", "N", "Failures in a row that mean unhealthy"),
    Flag("health-start-period", "text", "DURATION", "Time in which failures do not count yet"),
    Flag("health-start-interval", "text", "DURATION", "Time between checks in the start period"),
    Flag("no-healthcheck", "switch", "", "Turn any health check off"),
    Flag("limit-cpu", "text", "CPUS", "Most CPUs, for example 0.5"),
    Flag("limit-memory", "text", "BYTES", "Most memory, for example 512m"),
    Flag("limit-pids", "count", "N", "Most processes; 0 for no limit"),
    Flag("reserve-cpu", "text", "CPUS", "CPUs kept for a task"),
    Flag("reserve-memory", "text", "BYTES", "Memory kept for a task"),
    Flag("memory-swap", "text", "BYTES", "Memory and swap together; -1 for no limit"),
    Flag("memory-swappiness", "number", "N", "0 to 100; -1 for the engine's default"),
    Flag("oom-score-adj", "number", "N", "-1000 to 1000"),
    Flag("stop-grace-period", "text", "DURATION", "Time between the stop signal and the kill"),
    Flag("stop-signal", "text", "SIGNAL", "Signal that asks a task to stop"),
    Flag("user", "text", "USER[:GROUP]", "User to run as"),
    Flag("workdir", "text", "PATH", "Working directory"),
    Flag("hostname", "text", "NAME", "Host name of the containers"),
    Flag("init", "choice", "", "Run an init that reaps processes"),
    Flag("read-only", "choice", "", "Mount the root file system read-only"),
    Flag("tty", "choice", "", "Allocate a terminal"),
    *_both("publish", "PUBLISHED:TARGET", "TARGET", "a published port"),
    *_both("mount", "type=…,source=…,target=…", "TARGET", "a mount"),
    *_both("network", "NETWORK", "NETWORK", "a network"),
    *_both("host", "HOST:IP", "HOST", "an entry of /etc/hosts"),
    *_both("dns", "IP", "IP", "a DNS server"),
    *_both("dns-option", "OPTION", "OPTION", "a DNS option"),
    *_both("dns-search", "DOMAIN", "DOMAIN", "a DNS search domain"),
    *_both("group", "GROUP", "GROUP", "a supplementary group"),
    *_both("sysctl", "KEY=VALUE", "KEY", "a sysctl"),
    *_both("ulimit", "NAME=SOFT[:HARD]", "NAME", "a ulimit"),
    Flag("cap-add", "list", "CAPABILITY", "Add a Linux capability"),
    Flag("cap-drop", "list", "CAPABILITY", "Drop a Linux capability"),
    Flag("log-driver", "text", "DRIVER", "Logging driver"),
    Flag("log-opt", "list", "KEY=VALUE", "Option of the logging driver; replaces all there were"),
)

_FROM_THE_FILE = "its content is part of the definition: change the Compose file, and deploy it"
_ONE_HOST = "there is one host to place tasks on"
_WINDOWS = "it is for Windows containers"
_RESOURCES_BY_NAME = "devices are named in the Compose file (devices, gpus), and deployed"
NOT_HERE = {
    "config-add": _FROM_THE_FILE,
    "config-rm": _FROM_THE_FILE,
    "secret-add": _FROM_THE_FILE,
    "secret-rm": _FROM_THE_FILE,
    "placement-pref-add": _ONE_HOST,
    "placement-pref-rm": _ONE_HOST,
    "credential-spec": _WINDOWS,
    "isolation": _WINDOWS,
    "generic-resource-add": _RESOURCES_BY_NAME,
    "generic-resource-rm": _RESOURCES_BY_NAME,
    "endpoint-mode": "how a service is reached is its ports' mode: ingress or host",
    "max-concurrent": "it is for jobs, and services here run until they are told to stop",
}
"""Flags of `docker service update` that are refused, and why."""

_SHORT = {"user": "-u", "workdir": "-w", "tty": "-t"}


def update_flags(command: F) -> F:
    """Decorate a command with all of UPDATE_FLAGS, and with those that are only refused."""
    for flag in reversed(UPDATE_FLAGS):
        command = _option(flag)(command)
    for name in NOT_HERE:
        refused = click.option(
            f"--{name}", multiple=True, hidden=True, expose_value=False, callback=_refuse
        )
        command = refused(command)
    return command


def _refuse(_context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        flag = option.opts[0]
        raise UsageError(f"{flag} is not taken here", hint=NOT_HERE[flag.removeprefix("--")])


def _option(flag: Flag) -> Callable[[F], F]:
    names = [f"--{flag.name}", *([_SHORT[flag.name]] if flag.name in _SHORT else [])]
    more: dict[str, Any] = {"help": f"{flag.help}."}
    if flag.takes:
        more["metavar"] = flag.takes
    match flag.kind:
        case "list":
            more |= {"multiple": True}
        case "count":
            more |= {"type": click.IntRange(min=0)}
        case "number":
            more |= {"type": int}
        case "ratio":
            more |= {"type": float}
        case "switch":
            more |= {"is_flag": True}
        case "choice":
            names[0] = f"--{flag.name}/--no-{flag.name}"
            more |= {"is_flag": True, "default": None}
    return click.option(*names, **more)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Of a command's parameters, the flags of UPDATE_FLAGS that were given, by their own names."""
    found = {flag.name: values[flag.name.replace("-", "_")] for flag in UPDATE_FLAGS}
    absent: tuple[Any, ...] = (None, ())
    switches = {flag.name for flag in UPDATE_FLAGS if flag.kind == "switch"}
    return {
        name: value
        for name, value in found.items()
        if value not in absent and not (name in switches and value is False)
    }


def following(command: F) -> F:
    """The flags of every command that drives a stack: how to show it, how long, with whom."""
    for option in reversed(
        (
            click.option("-d", "--detach", is_flag=True, help="Record and return; do not wait."),
            click.option(
                "--progress",
                type=click.Choice(["auto", "tty", "plain", "json", "quiet"]),
                default="auto",
                show_default=True,
                help="How progress is shown.",
            ),
            click.option("-q", "--quiet", is_flag=True, help="Same as --progress quiet."),
            click.option(
                "--timeout",
                metavar="DURATION",
                help="How long a batch may take to run, instead of the file's; 0 for ever.",
            ),
            click.option(
                "--on-conflict",
                type=click.Choice(["follow", "fail"]),
                default="follow",
                show_default=True,
                help="What to do when another command drives the stack.",
            ),
        )
    ):
        command = option(command)
    return command


def compose_files(command: F) -> F:
    """The flags that say which file, and how it is read."""
    for option in reversed(
        (
            click.option(
                "-c",
                "--compose-file",
                "files",
                multiple=True,
                metavar="FILE",
                help="Compose file, - for stdin; later ones are merged over earlier ones.",
            ),
            click.option(
                "--env-file", "env_files", multiple=True, metavar="FILE", help="Instead of .env."
            ),
            click.option(
                "--profile", "profiles", multiple=True, metavar="NAME", help="Profile to enable."
            ),
        )
    ):
        command = option(command)
    return command


def check_output(output: str) -> None:
    """Raises UsageError for a --format that is none."""
    if output not in ("table", "json") and not is_template(output):
        raise UsageError(
            f'invalid argument "{output}" for --format', hint="use table, json, or {{.Field}}"
        )


output_format = click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or one JSON document.",
)
output_or_template = click.option(
    "--format",
    "output",
    default="table",
    show_default=True,
    metavar="table|json|TEMPLATE",
    help="For people, one JSON document, or lines such as '{{.Name}} {{.Image}}'.",
)
filters = click.option(
    "-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Only what fits."
)
registry_auth = click.option(
    "--with-registry-auth",
    is_flag=True,
    expose_value=False,
    help="Always so here: what this host is logged in to is used.",
)
no_trunc = click.option("--no-trunc", is_flag=True, help="Do not shorten anything.")
show_secrets = click.option("--show-secrets", is_flag=True, help="Do not mask secrets.")
quiet_names = click.option("-q", "--quiet", is_flag=True, help="Only names or ids.")
