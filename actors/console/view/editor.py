"""An editor for one JSON value."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea


class Editor(ModalScreen[None]):
    """What is no JSON is said, and stays to be corrected."""

    CSS = """
    Editor { background: ansi_default; }
    Editor TextArea { height: 1fr; border: none; padding: 0; background: ansi_default; color: ansi_default; }
    Editor Static { height: 1; background: ansi_default; color: ansi_default; }
    """

    def __init__(self, what: str, value: Any, done: Callable[[Any], None]) -> None:
        super().__init__()
        self._what, self._done = what, done
        self._area = TextArea(json.dumps(value, ensure_ascii=False, indent=2), show_line_numbers=True, theme="css")
        self._said = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """Title, text, what is wrong, keys."""
        yield Static(self._what, markup=False)
        yield self._area
        yield self._said
        yield Static(" Ctrl+S  do it    Esc  leave it as it was", markup=False)

    def on_mount(self) -> None:
        """It is ready to type."""
        self._area.focus()

    def on_key(self, event: Key) -> None:
        """The two keys that are not for the text."""
        if event.key == "escape":
            event.stop()
            self.dismiss()
        elif event.key == "ctrl+s":
            event.stop()
            self._save()

    def _save(self) -> None:
        from actors.console.calls import value_of
        from actors.console.errors import UserError

        try:
            value = value_of(self._area.text)
        except UserError as error:
            self._said.update(error.sentences[0])
            return
        self.dismiss()
        self._done(value)
