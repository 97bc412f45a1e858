"""Which runners are live: every `STATE/runs/PID/api.sock` that answers. Imports no actor."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from dataclasses import dataclass
from pathlib import Path

from actors.console.errors import UserError
from actors.deployment.folder import DEPLOYMENTS, DeploymentFolder, deployments
from actors.doors.unix_socket import connect
from actors.preparation.state_folder import default_state_folder
from runtimes import locks

RESTART_S = 30.0  # the longest that a runner is waited for that has no door yet, or none for now
LOOK_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRunner:
    """A runner that takes connections, or the door of a deployment with several; `deployment`: whose member it is."""

    pid: int
    name: str
    socket: Path
    deployment: str | None = None

    @property
    def path(self) -> str:
        """What no other is called: of a member, with its deployment."""
        return self.name if self.deployment is None else f"{self.deployment}/{self.name}"


def state_folder(state: str | Path | None) -> Path:
    """`state`, or the default state directory."""
    return default_state_folder() if state is None else Path(state)


def live_runners(state: str | Path | None = None) -> list[LiveRunner]:
    """All of a state directory that this user can reach, the oldest first."""
    runners = []
    for path in state_folder(state).glob("runs/*/api.sock"):
        if not path.parent.name.isdecimal():
            continue
        try:
            with contextlib.suppress(BlockingIOError):  # it is there, though so many wait that it takes no more
                connect(path).close()
            name = (path.parent / "name").read_text("utf-8")
            began = path.parent.stat().st_ctime_ns
            of = path.parent / "deployment"
            deployment = of.read_text("utf-8") if of.exists() else None
        except OSError:
            continue  # it has just ended, or left this behind
        found = LiveRunner(pid=int(path.parent.name), name=name, socket=path, deployment=deployment)
        runners.append((began, found))
    return [runner for _, runner in sorted(runners, key=lambda entry: entry[0])]


def doors(runners: list[LiveRunner]) -> list[LiveRunner]:
    """Without the members of deployments whose own door is there: that speaks for them."""
    names = {runner.name for runner in runners if runner.deployment is None}
    return [runner for runner in runners if runner.deployment not in names]


def find_runner(state: str | Path | None, wanted: str | int | None) -> LiveRunner:
    """The one that is meant; a UserError says which there are."""
    runners = live_runners(state) or _awaited(state_folder(state))
    chosen = doors(runners) if wanted is None else [r for r in runners if str(wanted) in (r.name, str(r.pid), r.path)]
    if len(chosen) == 1:
        return chosen[0]
    raise UserError(several(chosen or runners, None if chosen else wanted))


def _awaited(folder: Path) -> list[LiveRunner]:
    """Those of a runner that starts, or is being restarted; a UserError if nothing is to be waited for, or too long."""
    if foreign := _foreign(folder):
        raise UserError(foreign)
    until = time.monotonic() + RESTART_S
    while coming := _coming(folder):
        if time.monotonic() > until:
            raise UserError(f"{coming} in {folder}, and nobody answers for it: its log says why")
        time.sleep(LOOK_S)
        if runners := live_runners(folder):
            return runners
    raise UserError(f"no runner is live in {folder}; `runner run` or `runner up` starts one", *_failed(folder))


def _failed(folder: Path) -> list[str]:
    """Of each deployment that did not end in order: why, and where its log is."""
    left = [DeploymentFolder(folder, path.name) for path in sorted((folder / DEPLOYMENTS).glob("*"))]
    return [
        f"{one.name}, the last time: {'; '.join(facts['errors'])}; its log: {one.path / 'log'}"
        for one in left if (facts := one.read()) and facts["errors"]
    ]  # fmt: skip


def _coming(folder: Path) -> str | None:
    """What lives there without an open door."""
    for deployment in deployments(folder):
        return f"the deployment {deployment.name} is up"
    for run in sorted((folder / "runs").glob("[0-9]*")):
        if locks.is_locked(run / locks.LOCK):
            return f"the process {run.name} is at work"
    return None


def _foreign(folder: Path) -> str | None:
    """A sentence about a runner that only another user can reach."""
    try:
        runs = [(run, run.stat().st_uid) for run in (folder / "runs").iterdir() if run.name.isdecimal()]
    except PermissionError:
        return f"{folder} cannot be looked into: it belongs to {_user(folder.stat().st_uid)}"
    except OSError:
        return None
    for run, owner in runs:
        if owner != os.geteuid() and Path("/proc", run.name).exists():
            return f"the runner in {folder} ({run.name}) belongs to {_user(owner)}: nobody else can reach it"
    return None


def _user(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user {number}"


def several(runners: list[LiveRunner], wanted: str | int | None = None) -> str:
    """A sentence that asks for a choice."""
    known = ", ".join(f"{runner.path} ({runner.pid})" for runner in runners)
    if wanted is not None:
        return f"no live runner is called {wanted!r}; there are {known}"
    return f"{len(runners)} runners are live; choose one with --runner NAME or PID: {known}"
