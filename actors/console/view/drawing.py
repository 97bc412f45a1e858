"""How figures look in few columns: short numbers, sparklines, bars. Every text has a known greatest width. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, chop_cells, set_cell_size

Span = tuple[str, str]  # a text, and the name of its style
Line = list[Span]

_SPARKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def milliseconds(ms: float | None) -> str:
    """At most 5 characters: 0.02, 1.25, 31.4, 250, 1.5s, 90s, 12m, 30h."""
    if ms is None:
        return ""
    for limit, form in ((9.995, ".2f"), (99.95, ".1f"), (999.5, ".0f")):
        if ms < limit:
            return f"{ms:{form}}"
    seconds = ms / 1000
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    for limit, unit, size in ((119.5, "s", 1), (7170, "m", 60), (3.5e7, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f}{unit}"
    return "years"


def share(part: float | None) -> str:
    """Of a whole, as at most 5 characters: 7%, 100%, 1234%."""
    return "" if part is None else f"{min(part, 99.99):.0%}"


def mebibytes(mib: float | None) -> str:
    """At most 5 characters: 0.4M, 45M, 1.2G."""
    if mib is None:
        return ""
    if mib < 9.95:
        return f"{mib:.1f}M"
    return f"{mib:.0f}M" if mib < 999.5 else f"{mib / 1024:.{1 if mib < 99 * 1024 else 0}f}G"


def sparkline(values: Iterable[float], width: int) -> str:
    """The newest values at the right, against the greatest of those that are seen."""
    seen = list(values)[-width:] if width else []
    top = max(seen, default=0.0)
    marks = (_SPARKS[min(7, int(value / top * 7.999))] if top > 0 else _SPARKS[0] for value in seen)
    return "".join(marks).rjust(width)


def bar(part: float, width: int) -> str:
    """How much of a whole, 0 to 1; what is not nothing is seen."""
    eighths = round(max(0.0, min(1.0, part)) * width * 8)
    if part > 0 and width:
        eighths = max(1, eighths)
    text = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return text.ljust(width)


def harmless(text: str) -> str:
    """Without what would move the cursor or turn the writing round: names and messages come from anywhere."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else f"\\u{ord(c):04x}" for c in text)


def fit(text: str, width: int, right: bool = False) -> str:
    """Exactly `width` cells: what is longer ends in an ellipsis; nothing in it moves the cursor."""
    if not text.isprintable():
        text = harmless(text)
    if text.isascii() and len(text) <= width:
        return text.rjust(width) if right else text.ljust(width)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(0, width - 1)) + "…" if width else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def wrap(text: str, width: int, lines: int) -> list[str]:
    """At words, on so many lines of at least two cells; what does not fit is cut with an ellipsis."""
    text = harmless(text)
    found: list[str] = []
    while text and len(found) < lines:
        whole = chop_cells(text[:width], width)[0]
        if len(found) == lines - 1 or len(whole) == len(text):
            found.append(fit(text, width).rstrip())
            break
        end = text.rfind(" ", 1, len(whole) + 1)
        end = end if end > 0 else len(whole)
        found.append(text[:end])
        text = text[end:].lstrip()
    return found + [""] * (lines - len(found))


def fill(line: Line, width: int) -> Line:
    """A line cut or filled to `width` cells."""
    done: Line = []
    for raw, style in line:
        text = raw if raw.isprintable() else harmless(raw)
        size = len(text) if text.isascii() else cell_len(text)
        if size >= width:
            done.append((fit(text, width), style))
            return done
        done.append((text, style))
        width -= size
    return [*done, (" " * width, "")]


def beside(left: Line, right: Line, width: int) -> Line:
    """The right one ends at the edge; the left one is cut for it."""
    room = width - sum(cell_len(text) for text, _ in right)
    return [*fill(left, room - 1), (" ", ""), *right] if room > 1 else fill(left, width)
