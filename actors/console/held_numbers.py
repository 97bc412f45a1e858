"""Short numbers for held messages: what `held list` has shown, by number, until it is held no more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from actors.console.errors import UserError
from actors.console.live_runners import state_folder

FILE = "held.json"


class HeldNumbers:
    """Those of a state directory: flow -> id -> number."""

    def __init__(self, state: str | None) -> None:
        self._path = state_folder(state) / FILE
        self._known = self._read()

    def _read(self) -> dict[str, dict[str, int]]:
        try:
            return dict(json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError):
            return {}

    def of(self, flow_id: str, ids: Iterable[str]) -> dict[str, int]:
        """A number for each that is held: the one it had, or the next. They begin at 1 when all are new."""
        before = self._known.get(flow_id, {})
        numbers = {id: before[id] for id in ids if id in before}
        free = max(before.values(), default=0) if numbers else 0
        for id in ids:
            if id not in numbers:
                free += 1
                numbers[id] = free
        self._known[flow_id] = numbers
        self._write()
        return numbers

    def _write(self) -> None:
        kept: dict[str, Any] = {flow: numbers for flow, numbers in self._known.items() if numbers}
        new = self._path.with_name(f"{FILE}.{os.getpid()}")
        new.write_text(json.dumps(kept), "utf-8")
        new.replace(self._path)

    def id_of(self, number: int) -> str:
        """The message that was shown with this number. Raises UserError."""
        found = [id for numbers in self._known.values() for id, its in numbers.items() if its == number]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"several flows have a held message {number}; take its id: {', '.join(found)}")
        raise UserError(f"no held message was shown as {number}: `runner held list` shows them")
