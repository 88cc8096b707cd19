"""The commands that faults are tried on: what was there before, what is run, how it may end."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tests.support.engine import IMAGE

_FILE = """
services:
  web:
    image: {image}
    command: [sleep, "3600"]
    stop_signal: SIGKILL
    {network}
    environment: {{VERSION: "{version}"}}
    {configs}
    deploy:
      replicas: {replicas}
      update_config: {{order: {order}, monitor: 300ms, failure_action: rollback}}
      rollback_config: {{order: {order}, monitor: 300ms}}
configs:
  settings:
    content: version {version}
"""
_CONFIGS = "configs: [settings]"
_ITS_NETWORK = "network_mode: host"


class Scenario(Struct, frozen=True, kw_only=True):
    name: str
    order: str = "stop-first"
    before: tuple[int, ...] = (1,)
    """Versions deployed before, the last of which runs."""
    replicas: int = 2
    files: bool = False
    """The task mounts a config, so that making it takes several calls, and has a network."""
    command: tuple[str, ...]
    """`{service}`, `{stack}` and `{file}` are filled in; the file says version 2."""
    again: tuple[str, ...] = ()
    """The same asked for once more, where that is not the command itself."""
    code: int = 0
    after: tuple[tuple[str, ...], ...] = ()
    """What the revisions that are added may be made by, when the command was recorded."""
    wanted: int = 2
    """Slots at the end, when the command was recorded."""
    removes: bool = False
    """Nothing of the stack is left at the end, once the removal was recorded."""

    @property
    def title(self) -> str:
        return f"{self.name}/{self.order}" + ("/files" if self.files else "")

    def text(self, version: int, replicas: int | None = None) -> str:
        """The Compose file."""
        return _FILE.format(
            image=IMAGE,
            version=version,
            order=self.order,
            replicas=replicas or self.replicas,
            configs=_CONFIGS if self.files else "",
            network="" if self.files else _ITS_NETWORK,
        )


def scenarios() -> Iterator[Scenario]:
    for order in ("stop-first", "start-first"):
        yield Scenario(
            name="update",
            order=order,
            command=("update", "{service}", "--env-add", "VERSION=2"),
            after=(("update",),),
        )
        yield Scenario(
            name="rollback",
            order=order,
            before=(1, 2),
            command=("rollback", "{service}"),
            again=("rollback", "{service}", "--to", "1"),
            after=(("rollback",),),
        )
        yield Scenario(
            name="automatic-rollback",
            order=order,
            # A machine at its limits may take half a second to say that a task has ended.
            command=("update", "{service}", "--args", "false", "--update-monitor", "3s"),
            code=4,
            after=(("update", "auto-rollback"), ("update", "auto-rollback") * 2),
        )
    for order in ("stop-first", "start-first"):
        yield Scenario(
            name="deploy-update",
            order=order,
            files=True,
            command=("deploy", "-c", "{file}", "--resolve-image", "never", "{stack}"),
            after=(("deploy",),),
        )
    for files in (False, True):
        yield Scenario(
            name="deploy-new",
            files=files,
            before=(),
            command=("deploy", "-c", "{file}", "--resolve-image", "never", "{stack}"),
            after=(("deploy",),),
        )
    yield Scenario(
        name="scale-up",
        replicas=1,
        command=("scale", "{service}=3"),
        after=(("scale",),),
        wanted=3,
    )
    yield Scenario(
        name="scale-down",
        replicas=3,
        command=("scale", "{service}=1"),
        after=(("scale",),),
        wanted=1,
    )
    yield Scenario(name="rm", files=True, command=("rm", "{stack}"), removes=True)
