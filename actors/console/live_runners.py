"""Which runners are live: every `STATE/runs/PID/api.sock` that answers. Imports no actor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actors.console.errors import UserError
from actors.state_folder import default_state_folder
from actors.unix_socket import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRunner:
    """A runner that takes connections."""

    pid: int
    name: str
    socket: Path


def state_folder(state: str | Path | None) -> Path:
    """`state`, or the default state directory."""
    return default_state_folder() if state is None else Path(state)


def live_runners(state: str | Path | None = None) -> list[LiveRunner]:
    """All of a state directory, the oldest first."""
    runners = []
    for path in sorted(state_folder(state).glob("runs/*/api.sock"), key=lambda path: path.parent.stat().st_ctime_ns):
        if not path.parent.name.isdecimal():
            continue
        try:
            connect(path).close()
            name = (path.parent / "name").read_text("utf-8")
        except OSError:
            continue  # it has just ended, or left this behind
        runners.append(LiveRunner(pid=int(path.parent.name), name=name, socket=path))
    return runners


def find_runner(state: str | Path | None, wanted: str | int | None) -> LiveRunner:
    """The one that is meant; a UserError says which there are."""
    runners = live_runners(state)
    if not runners:
        raise UserError(f"no runner is live in {state_folder(state)}; `runner run` or `runner up` starts one")
    chosen = runners if wanted is None else [r for r in runners if str(wanted) in (r.name, str(r.pid))]
    if len(chosen) == 1:
        return chosen[0]
    raise UserError(several(chosen or runners, None if chosen else wanted))


def several(runners: list[LiveRunner], wanted: str | int | None = None) -> str:
    """A sentence that asks for a choice."""
    known = ", ".join(f"{runner.name} ({runner.pid})" for runner in runners)
    if wanted is not None:
        return f"no live runner is called {wanted!r}; there are {known}"
    return f"{len(runners)} runners are live; choose one with --runner NAME or PID: {known}"
