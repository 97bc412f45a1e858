"""podman or docker, whichever is there: the commands that start and end the container of a runner.

Nothing is pulled: an image is there, or it is said how to get it.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from actors.messages.dispatcher_to_runner import HostRunner

ENGINES = ("podman", "docker")
ANSWER_S = 20.0
VERB = "contained"  # what `runner` is told inside


class NoContainerError(Exception):
    """It cannot be run in a container here. A whole sentence."""


class Engine:
    """One that answers. Raises NoContainerError: none does."""

    def __init__(self) -> None:
        problems = []
        for name in ENGINES:
            if shutil.which(name) is None:
                problems.append(f"{name} is not installed")
                continue
            said = _run([name, "info"])
            if said is None:
                self.name = name
                return
            problems.append(f"`{name} info`: {said}")
        raise NoContainerError(f"no container engine works here ({'; '.join(problems)})")

    def check(self, image: str) -> None:
        """See that the image is there. Raises NoContainerError."""
        if _run([self.name, "image", "inspect", image, "--format", "{{.Id}}"]) is not None:
            pull = f"`{self.name} pull {image}`, or `scripts/container`, which builds polyglot-flow-runner:latest"
            raise NoContainerError(f"{self.name} has no image {image} here, and none is pulled by itself: {pull}")

    def command(self, order: HostRunner, log: Sequence[str]) -> list[str]:
        """Runs the runner of an order; its standard input and output are those of the process inside. `log`: level and
        format of what it logs.

        It sees the processes and the network of the machine, so that it is found as any other runner, and the folders
        that it needs at the paths that they have here.
        """
        assert order.container is not None
        state, name = Path(order.state), container_name(order.kept)
        home = state / "containers" / name
        writable = {state, Path(order.kept).parent, Path(order.journals).parent, home}
        for folder in writable:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        limits = () if order.memory_mb is None else ("--memory", f"{order.memory_mb}m")
        return [
            self.name, "run", "--rm", "-i", "--pull", "never", "--no-healthcheck", "--sig-proxy=false", "--name", name,
            "--network", "host", "--pid", "host", *self._user(), *_ulimits(), *limits,
            *_mounts(writable, ""), *_mounts([Path(order.keys)], ":ro"),
            "-e", f"RUNNER_STATE={state}", "-e", f"RUNNER_CACHE={home / 'cache'}", "-e", f"HOME={home}",
            "-e", "TINI_SUBREAPER=1",
            order.container, VERB, *log,
        ]  # fmt: skip

    def remove(self, order: HostRunner) -> None:
        """Whatever is left of it. Blocks for as long as that takes."""
        _run([self.name, "rm", "-f", container_name(order.kept)])

    def _user(self) -> tuple[str, ...]:
        """Who has started the deployment: what is written is his."""
        own = f"{os.getuid()}:{os.getgid()}"
        keep = ("--userns", "keep-id") if self.name == "podman" and os.getuid() else ()
        return (*keep, "--user", own)


def container_name(kept: str) -> str:
    """Of a runner that keeps its flows there: the same at every start, no other's on this machine."""
    path = Path(kept)
    return f"runner-{path.parent.name}-{path.name}-{sha256(kept.encode()).hexdigest()[:8]}"


def end_by_force(kept: str) -> None:
    """The container of that runner, whichever engine has it; not waited for."""
    for name in filter(shutil.which, ENGINES):
        command = [name, "rm", "-f", container_name(kept)]
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def _ulimits() -> list[str]:
    """Those of this process: who has no more cannot give more. podman has no more processes than there are numbers."""
    found = []
    numbers = int(Path("/proc/sys/kernel/pid_max").read_text())
    for name, kind, most in (("nofile", resource.RLIMIT_NOFILE, None), ("nproc", resource.RLIMIT_NPROC, numbers)):
        soft, hard = (one if most is None else min(one, most) for one in resource.getrlimit(kind))
        if resource.getrlimit(kind)[1] != resource.RLIM_INFINITY:
            found += ["--ulimit", f"{name}={soft}:{hard}"]
    return found


def _mounts(folders: Iterable[Path], how: str) -> list[str]:
    """Without those that are inside others."""
    tops = [one for one in folders if not any(one != other and one.is_relative_to(other) for other in folders)]
    return [word for one in sorted(tops) for word in ("-v", f"{one}:{one}{how}")]


def _run(command: Sequence[str]) -> str | None:
    """Returns the last line of what has gone wrong."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return None if done.returncode == 0 else lines[-1]
