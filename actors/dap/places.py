"""Which module of a flow stands at a line of a file, and at which line a module stands. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from actors.definition.yaml_text import read_text


class Places:
    """Of one flow: the lines of its file (or of its document, if no file is known) that belong to a module."""

    def __init__(self, path: Path | None, text: str, modules: Collection[str]) -> None:
        """`modules`: those that run. Raises FlowError for a text that is none of a flow."""
        self.path, self.text, self.names = path, text, frozenset(modules)
        _, places = read_text(text, "flow.yaml")  # JSON is YAML, and read as that it has lines
        starts = {name: places.marks[("modules", name)][0] for name in modules if ("modules", name) in places.marks}
        borders = sorted({line for path, (line, _) in places.marks.items() if len(path) == 1} | {*starts.values()})
        last = text.count("\n") + 1
        self._lines = {
            name: range(start, next((line for line in borders if line > start), last + 1))
            for name, start in starts.items()
        }
        folder = Path() if path is None else path.parent
        self._files = {
            (folder / module["file"]).resolve(): name
            for name, module in _raw_modules(text).items()
            if name in modules and isinstance(module, dict) and isinstance(module.get("file"), str)
        }

    def is_flow(self, path: str) -> bool:
        """Whether a path is that of the flow file."""
        return self.path is not None and Path(path).resolve() == self.path

    def module_at(self, path: str | None, line: int) -> str | None:
        """The module at a line of the flow file (None: of the document), or whose own file it is."""
        if path is not None and not self.is_flow(path):
            return self._files.get(Path(path).resolve())
        return next((name for name, lines in self._lines.items() if line in lines), None)

    def line_of(self, module: str) -> int:
        """Where the entry of a module begins."""
        return self._lines[module].start if module in self._lines else 1

    def lines_between(self, first: int, last: int) -> list[int]:
        """The lines at which entries of modules begin."""
        return sorted(lines.start for lines in self._lines.values() if first <= lines.start <= last)


def _raw_modules(text: str) -> dict[str, Any]:
    value, _ = read_text(text, "flow.yaml")
    modules = value.get("modules") if isinstance(value, dict) else None
    return modules if isinstance(modules, dict) else {}


def of_document(flow: dict[str, Any]) -> Places:
    """Of a flow whose file is not known: its document is shown in place of it."""
    shown = {name: value for name, value in flow.items() if name not in ("state", "origin")}
    return Places(None, json.dumps(shown, indent=2), flow["modules"])
