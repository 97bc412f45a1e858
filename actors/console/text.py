"""Plain text for people: aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def plain(text: str) -> str:
    """Without what a terminal would obey: names and messages come from anywhere."""
    return text.translate(_CONTROLS)


def columns(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A line a row; numbers to the right, the rest to the left."""
    body = [["" if cell is None else cell for cell in row] for row in rows]
    texts = [list(head), *([cell_text(cell) for cell in row] for row in body)]
    widths = [max(len(row[index]) for row in texts) for index in range(len(head))]
    right = [
        bool(body) and all(isinstance(row[i], (int, float)) or row[i] == "" for row in body) for i in range(len(head))
    ]
    lines = []
    for row in texts:
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def cell_text(cell: Any) -> str:
    """What a table shows of a value: nothing of None, numbers below 100 with two decimals."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:,.2f}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else plain(str(cell))
