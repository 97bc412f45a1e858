"""Breakpoints and pause: what one key sets, it takes away."""

from __future__ import annotations

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
