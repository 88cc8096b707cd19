"""A Docker engine of the tests' own, to be killed and started again while others use the machine.

It lives in a network namespace that a sleeping process holds open, with folders, a containerd
namespace and a socket of its own; of the host it shares kernel and cgroups.  `close` leaves
nothing behind: no process, no mount, no folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import docker

from tests.support.engine import build_image, eventually

_UP_WITHIN_S = 60.0
_ENDS_WITHIN_S = 30.0
TCP = "tcp://127.0.0.1:2375"
"""Where it can be reached from within its namespace, without TLS."""


class OwnEngine:
    """Started at once, with the tests' image; `room` (such as `64m`) limits its disk."""

    def __init__(self, *, live_restore: bool = False, room: str = "") -> None:
        self.live_restore = live_restore
        # The engine names a containerd namespace after it: no name that begins or ends with "_".
        self._folder = Path(tempfile.gettempdir()) / f"rollout-engine-{uuid.uuid4().hex[:12]}"
        self._folder.mkdir(mode=0o700)
        self._data = self._folder / "data"
        self._data.mkdir()
        self._limited = bool(room)
        if room:
            _run("mount", "-t", "tmpfs", "-o", f"size={room}", "none", str(self._data))
        self.host = f"unix://{self._folder}/engine.sock"
        self._holder = subprocess.Popen(
            [*_DYING_WITH_US, "unshare", "--net", "busybox", "sleep", "2147483647"]
        )
        self._namespace = f"/proc/{self._holder.pid}/ns/net"
        ours = Path("/proc/self/ns/net").readlink()
        eventually(lambda: Path(self._namespace).readlink() != ours)
        _run(*self.inside("busybox", "ip", "link", "set", "lo", "up"))
        self._daemon: subprocess.Popen[bytes] | None = None
        self.start()
        self.client = docker.APIClient(self.host, version="1.41", timeout=60)
        self._load(build_image())

    def inside(self, *command: str) -> list[str]:
        """A command line that runs in the engine's network namespace."""
        return ["nsenter", f"--net={self._namespace}", "--", *command]

    def start(self) -> None:
        """Returns once it answers."""
        flags = {
            "--data-root": self._data,
            "--exec-root": self._folder / "exec",
            "--pidfile": self._folder / "pid",
            "--config-file": self._folder / "none.json",
            "--containerd-namespace": self._folder.name,
            "--containerd-plugins-namespace": f"{self._folder.name}-plugins",
            "--host": self.host,
            "--log-level": "warn",
        }
        (self._folder / "none.json").write_text("{}")
        # A zombie that nobody has reaped yet would be taken for the process that lives.
        for left in ("pid", "exec/containerd/containerd.pid"):
            (self._folder / left).unlink(missing_ok=True)
        given = [f"{flag}={value}" for flag, value in flags.items()]
        given += [f"--host={TCP}", *(["--live-restore"] if self.live_restore else [])]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*_DYING_WITH_US, *self.inside("dockerd", *given)], stdout=log, stderr=log
            )
        eventually(self._answers, within_s=_UP_WITHIN_S)

    def kill(self) -> None:
        """SIGKILL, as the kernel does it when memory runs out; the tasks run on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as an upgrade of the package does it."""
        self._end(signal.SIGTERM)

    def power_off(self) -> None:
        """Everything gone at the same moment, as when the machine loses its power."""
        ours = self._processes()
        for pid in ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._daemon is not None:
            self._daemon.wait(_ENDS_WITHIN_S)
        eventually(lambda: not self._processes())
        self._unmount(self._folder / "exec")
        self._unmount(self._data / "overlay2")
        shutil.rmtree(self._folder / "exec", ignore_errors=True)

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    @property
    def data(self) -> Path:
        return self._data

    def close(self) -> None:
        self.client.close()
        self.power_off()
        self._holder.kill()
        self._holder.wait()
        self._unmount(self._folder)
        shutil.rmtree(self._folder)

    def _load(self, image: str) -> None:
        with contextlib.closing(docker.APIClient(version="1.41")) as others:
            content = b"".join(others.get_image(image))
        self.client.load_image(content)  # type: ignore[no-untyped-call]

    def _signal(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        os.kill(self._daemon.pid, number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        assert self._daemon is not None
        self._daemon.wait(_ENDS_WITHIN_S)
        # Its containerd goes with it, a moment later; two at once would share one folder.
        eventually(lambda: "containerd" not in map(_name, self._processes()))

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, self.log
        try:
            client = docker.APIClient(self.host, version="1.41", timeout=5)
            with contextlib.closing(client):
                return bool(client.ping())
        except (docker.errors.DockerException, OSError):
            return False

    def _processes(self) -> list[int]:
        """The daemon, what it started in its namespace, and the tasks below."""
        parents = _parents()
        found = {pid for pid in parents if pid != self._holder.pid and self._is_inside(pid)}
        while below := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= below
        return sorted(found)

    def _is_inside(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/ns/net").readlink() == Path(self._namespace).readlink()
        except OSError:
            return False

    def _unmount(self, below: Path) -> None:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted(
            (each for each in mounts if each.startswith(f"{below}/")), reverse=True
        ):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


_DYING_WITH_US = ("setpriv", "--pdeathsig", "KILL")


def _parents() -> dict[int, int]:
    """Every process and its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(errors="replace")
                if stat.rpartition(")")[2].split()[0] != "Z":
                    found[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
