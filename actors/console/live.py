"""The live table of `runner run` on a terminal: shows what flowState says, decides nothing."""

from __future__ import annotations

import logging
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table

from actors.console.figures import COLUMNS, rows
from actors.console.text import cell_text


class LiveTable:
    """A table that is redrawn in place; log lines scroll above it."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def start(self) -> None:
        """Take the terminal; log lines go above the table from now on."""
        handler = RichHandler(console=self._console, show_path=False, markup=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger().handlers[:] = [handler]
        self._live.start()

    def show(self, state: dict[str, Any]) -> None:
        """Draw the figures of a flow."""
        self._live.update(flow_table(state), refresh=True)

    def stop(self) -> None:
        """Leave the last table on the screen."""
        self._live.stop()


def flow_table(state: dict[str, Any]) -> Table:
    """One row a module: what came in and went out per second, what waits, what failed."""
    table = Table(title=f"{state['id']}: {state['state']}", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("module", "runtime") else "right")
    for name, cells in rows(state).items():
        table.add_row(*map(cell_text, cells), style="red" if state["modules"][name]["errors"] else "")
    for name, reason in state["leftOut"].items():
        table.add_row(name, f"left out: {reason}", style="dim")
    return table
