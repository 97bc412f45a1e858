"""What one key sets it takes away: breakpoints, pause, whether a flow runs; and the way back to an earlier version."""

from __future__ import annotations

from collections.abc import Callable

from actors.console.view.desk import Desk
from actors.console.view.picture import Picture


def toggle_breakpoint(desk: Desk, picture: Picture, module: str) -> None:
    """Take it away, or ask when it shall hold."""
    id = f"{picture.flow}/{module}"
    assert picture.state is not None
    if module in picture.state["debug"]["breakpoints"]:
        desk.call(picture, "removeBreakPointAtModule", id, then=lambda _: desk.say(f"{id}: breakpoint removed"))
        return

    def set_it(when: str) -> None:
        said = f"{id}: breakpoint set: pauses the flow{f' when {when}' if when else ''}"
        desk.call(picture, "setBreakPointAtModule", id, then=lambda _: desk.say(said), when=when or None)

    desk.ask(f"break at {module} when (such as message.value > 3; empty: each)", "", set_it)


def toggle_pause(desk: Desk, picture: Picture) -> None:
    """Pause a flow, or let it go on."""
    assert picture.state is not None
    paused = picture.state["debug"]["pausedBy"] is not None
    method, word = ("resumeFlow", "goes on") if paused else ("pauseFlow", "paused")
    desk.call(picture, method, picture.flow, then=lambda _: desk.say(f"{picture.flow}: {word}"))


def toggle_running(desk: Desk, picture: Picture) -> None:
    """Start a flow; or stop it, if that is meant."""
    assert picture.state is not None
    flow = picture.flow
    if picture.state["state"] == "stopped":
        desk.call(picture, "startFlow", flow, then=lambda _: desk.say(f"{flow}: started"))
        return
    stop = lambda _: desk.call(picture, "stopFlow", flow, then=lambda _: desk.say(f"{flow}: stopped"))  # noqa: E731
    desk.ask(f"stop {flow}? Mailboxes and contexts stay.", "", stop)


def roll_back(desk: Desk, picture: Picture) -> None:
    """To the version before, or to one that is typed; contexts stay as they are."""
    flow = picture.flow

    def back(version: str) -> None:
        if version.strip() and not version.strip().isdecimal():
            desk.say(f"{version!r} is no number of a version", "bad")
            return
        to = int(version) if version.strip() else None
        said = lambda outcome: desk.say(f"{flow}: rolled back; it is version {outcome.receipt['version']}")  # noqa: E731
        desk.call(picture, "rollbackFlow", flow, "current", to, then=said)

    desk.ask(f"roll {flow} v{picture.version} back to version (empty: the one before)", "", back)


FLOW_KEYS: dict[str, Callable[[Desk, Picture], None]] = {"p": toggle_pause, "S": toggle_running, "U": roll_back}
