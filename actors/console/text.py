"""Plain text for people: aligned columns."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

SHORT = 5  # characters of a short number
LEAST_TEXT = 8
_UNITS = ("", "k", "M", "G", "T", "P", "E")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def plain(text: str) -> str:
    """Without what a terminal would obey: names and messages come from anywhere."""
    return text.translate(_CONTROLS)


def screen_width() -> int:
    """Of the terminal that standard output is; 80 if it is none."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


def columns(head: Sequence[str], rows: Iterable[Sequence[Any]], width: int | None = None) -> str:
    """A line a row; numbers to the right, the rest to the left.

    What is wider than `width` has shorter numbers, then narrower gaps; then columns go that say nothing, from the
    right; then texts are cut in the middle.
    """
    body = [["" if cell is None else cell for cell in row] for row in rows]
    texts = [list(head), *([cell_text(cell) for cell in row] for row in body)]
    right = [
        bool(body) and all(isinstance(row[i], (int, float)) or row[i] == "" for row in body) for i in range(len(head))
    ]
    gap = "  "
    if width is not None:
        gap = _fit(texts, body, right, width)
    widths = [max(len(row[index]) for row in texts) for index in range(len(texts[0]))]
    lines = []
    for row in texts:
        cells = (
            cell.rjust(size) if to_right else cell.ljust(size)
            for cell, size, to_right in zip(row, widths, right, strict=True)
        )
        lines.append(gap.join(cells).rstrip())
    return "\n".join(lines)


def _fit(texts: list[list[str]], body: list[list[Any]], right: list[bool], width: int) -> str:
    """Change `texts` (the head and the body) and `right` so that they fit; returns the gap."""

    def sizes() -> list[int]:
        return [max(map(len, column)) for column in zip(*texts, strict=True)]

    def too_wide(gap: int) -> int:
        found = sizes()
        return sum(found) + gap * (len(found) - 1) - width

    for at in sorted((at for at, is_number in enumerate(right) if is_number), key=lambda at: -sizes()[at]):
        if too_wide(2) > 0:
            for text, row in zip(texts[1:], body, strict=True):
                if isinstance(row[at], int) and len(text[at]) > SHORT:
                    text[at] = short(row[at])
    if too_wide(2) <= 0:
        return "  "
    for at in reversed([at for at, is_number in enumerate(right) if is_number]):
        if too_wide(1) > 0 and not any(row[at] for row in body):
            for row in (*texts, *body, right):
                del row[at]
    while (excess := too_wide(1)) > 0:
        at = max((at for at, is_number in enumerate(right) if not is_number), key=lambda at: sizes()[at], default=-1)
        if at < 0 or sizes()[at] <= LEAST_TEXT:
            break
        for row in texts:
            row[at] = _cut(row[at], max(LEAST_TEXT, sizes()[at] - excess))
    return " "


def _cut(text: str, width: int) -> str:
    """Both ends of what is longer."""
    kept = width - 1
    return text if len(text) <= width else f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def short(number: float | None, width: int = 5) -> str:
    """At most `width` characters, of which there are 4 or more: 7, 0.5, 999, 1.23k, 45.6M."""
    if number is None:
        return ""
    if not isinstance(number, int) and 0 < abs(number) < 9.95:
        return f"{number:.1f}"
    value = float(round(number))
    for unit in _UNITS:
        if abs(value) < 999.5:
            texts = (f"{value:.{digits}f}{unit}" for digits in range(width - 3 if unit else 0, -1, -1))
            return next((text for text in texts if len(text) <= width), f">1{unit}")
        value /= 1000
    return ">1E21"


def cell_text(cell: Any) -> str:
    """What a table shows of a value: nothing of None, numbers below 100 with two decimals."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:,.2f}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else plain(str(cell))
