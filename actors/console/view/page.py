"""The screen: one widget that draws lines. Only those that are not as they were are drawn again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from actors.console.view.drawing import Line, Span, fill

STYLES = {
    "": "", "head": "bold", "dim": "dim", "bad": "red", "warn": "yellow", "good": "green", "note": "cyan",
    "key": "bold reverse", "cursor": "reverse", "bold": "bold", "title": "bold reverse",
}  # fmt: skip
COLOURS = ("red", "yellow", "green", "cyan")


def styles(coloured: bool) -> dict[str, Style]:
    """By name. Colours only add: without them everything is said as well, what is bad in bold."""
    made = {}
    for name, spec in STYLES.items():
        made[name] = Style.parse(spec if coloured or spec not in COLOURS else "bold" if name == "bad" else "")
    return made


class Page(Widget, can_focus=True):
    """`show` gives it the lines from the top; what was there below them is cleared."""

    DEFAULT_CSS = "Page { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A line was clicked, once or more often."""

        def __init__(self, line: int, times: int) -> None:
            super().__init__()
            self.line, self.times = line, times

    class Scrolled(Message):
        """The wheel, so many lines down."""

        def __init__(self, lines: int) -> None:
            super().__init__()
            self.lines = lines

    class Resized(Message):
        """There is another number of lines or columns now."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self._styles = styles(coloured)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}

    def show(self, lines: list[Line]) -> None:
        """Each at most as wide as the widget."""
        width = self.size.width
        old, self._lines = self._lines, lines
        for y in range(max(len(old), len(lines))):
            if y >= len(old) or y >= len(lines) or old[y] != lines[y]:
                self._strips.pop(y, None)
                self.refresh(Region(0, y, width, 1))

    def text(self) -> str:
        """What is on it, without its styles."""
        lines = (fill(line, self.size.width) for line in self._lines[: self.size.height])
        return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)

    def render_line(self, y: int) -> Strip:
        """As textual wants it."""
        if (strip := self._strips.get(y)) is None:
            width = self.size.width
            line = fill(list(_joined(self._lines[y] if y < len(self._lines) else [])), width)
            strip = Strip([Segment(text, self._styles[style]) for text, style in line], width)
            self._strips[y] = strip
        return strip

    def on_resize(self, _event: Resize) -> None:
        """Nothing that was drawn is of use."""
        self._strips.clear()
        self.refresh()
        self.post_message(self.Resized())

    def on_click(self, event: Click) -> None:
        """The app knows what stands there."""
        self.post_message(self.Clicked(event.y, event.chain))

    def on_mouse_scroll_down(self, _event: MouseScrollDown) -> None:
        """Three lines, as elsewhere."""
        self.post_message(self.Scrolled(3))

    def on_mouse_scroll_up(self, _event: MouseScrollUp) -> None:
        """Three lines, as elsewhere."""
        self.post_message(self.Scrolled(-3))


def _joined(line: Line) -> Iterator[Span]:
    """Neighbours of one style are one: textual's work is by the piece."""
    for style, spans in groupby(line, lambda span: span[1]):
        if text := "".join(text for text, _ in spans):
            yield text, style
