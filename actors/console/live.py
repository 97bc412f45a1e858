"""The live table of `runner run` on a terminal: shows what flowState says, decides nothing."""

from __future__ import annotations

import logging
import time
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.logging import RichHandler
from rich.text import Text

from actors.console.figures import figures_of
from actors.console.text import columns
from actors.counted import counted

AROUND = 3  # lines that are not modules: the flow's, the titles, what is left out


class LiveTable:
    """A table that is redrawn in place; log lines scroll above it. The last one stays, whole, with a summary."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._began = time.monotonic()
        self._last: dict[str, Any] | None = None

    def start(self) -> None:
        """Take the terminal; log lines go above the table from now on."""
        handler = RichHandler(
            console=self._console, show_path=False, markup=False, log_time_format="%H:%M:%S", omit_repeated_times=False
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger().handlers[:] = [handler]
        self._live.start()

    def show(self, state: dict[str, Any]) -> None:
        """Draw the figures of a flow."""
        self._last = state
        table = flow_table(state, self._console.width, max(1, self._console.height - AROUND))
        self._live.update(table, refresh=True)

    def stop(self) -> None:
        """Leave the last table on the screen, and below it what has become of all messages."""
        if self._last is not None:
            self._live.update(flow_table(self._last, self._console.width), refresh=True)
        self._live.stop()
        if self._last is not None:
            self._console.print(summary(self._last, time.monotonic() - self._began), highlight=False, markup=False)


def flow_table(state: dict[str, Any], width: int, modules: int | None = None) -> RenderableType:
    """A line a module, of at most so many: what came in and went out per second, what waits, what failed."""
    names, rows = figures_of(state)
    head, *lines = columns([name.upper() for name in names], rows.values(), width).split("\n")
    text = Text(f"{state['id']}: {state['state']}\n", no_wrap=True, overflow="ellipsis")
    text.append(head, "bold")
    more = 0 if modules is None else max(0, len(rows) - modules)
    for name, line in list(zip(rows, lines, strict=True))[: len(rows) - more]:
        text.append("\n")
        text.append(line, "red" if state["modules"][name]["errors"] else "")
    if more:
        text.append(f"\n... and {counted(more, 'module')} more; `runner console` shows all", "dim")
    for name, reason in state["leftOut"].items() if not more else ():
        text.append(f"\n{name}: left out: {reason}", "dim")
    return text


def summary(state: dict[str, Any], seconds: float) -> str:
    """What a run has done: messages that modules have handled, errors, dead letters, time."""
    sums = {name: sum(its[name] for its in state["modules"].values()) for name in ("completed", "errors")}
    return (
        f"{state['id']}: {counted(sums['completed'], 'message')} handled, {counted(sums['errors'], 'error')}, "
        f"{counted(state['deadLetters'], 'dead letter')}, {seconds:,.1f} s"
    )
