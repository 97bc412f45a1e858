"""The console on a terminal: textual gives keys, prompts and the editor, the page draws what the top view says."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.events import Key
from textual.widgets import Input

from actors.console.client import Outcome, RunnerClient, RunnerError
from actors.console.view.desk import Choice, View
from actors.console.view.drawing import Line, beside, fill, wrap
from actors.console.view.editor import Editor
from actors.console.view.flows_view import FlowsView
from actors.console.view.modules_view import ModulesView
from actors.console.view.page import Page
from actors.console.view.picture import Picture
from actors.console.view.watching import Watch, refusal

ANSWER_S = 30.0
SAID_S = 8.0  # how long the line above the keys stays
WHY_S = 1.0  # the sentence changes at most so often: it is to be read
MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "home": -(10**9), "end": 10**9, "g": -(10**9), "G": 10**9}
PAGES = {"pageup": -1, "ctrl+b": -1, "pagedown": 1, "ctrl+f": 1}


class Console(App[None]):
    """It is a desk (desk.py). `first`: the flow to begin with."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; layers: below above; }
    Page { layer: below; background: ansi_default; color: ansi_default; }
    #prompt { layer: above; dock: bottom; display: none; height: 1; border: none; padding: 0;
              background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+c", "quit", "quit"), ("ctrl+z", "suspend_process", "suspend")]

    def __init__(self, watch: Watch, first: str | None, every_s: float) -> None:
        coloured = "NO_COLOR" not in os.environ
        super().__init__(ansi_color=True)
        self.live = watch
        self._first, self._every_s = first, every_s
        self._page = Page(coloured)
        self._prompt = Input(id="prompt", select_on_focus=False)
        self._views: list[tuple[View, Choice]] = [(FlowsView(self), Choice())]
        self._frozen: list[Picture] | None = None
        self._said: tuple[str, str, float] = ("", "", 0.0)
        self._why: tuple[str, float] = ("", 0.0)
        self._ids: list[str] = []  # of the view, as it was drawn last
        self._history: deque[str] = deque(maxlen=50)  # of what was entered below
        self._asked: tuple[str, Callable[[str], None], Callable[[str], None] | None] | None = None

    def compose(self) -> ComposeResult:
        """The page, and above it the prompt."""
        yield self._page
        yield self._prompt

    def on_mount(self) -> None:
        """Draw from now on."""
        self._page.focus()
        self.set_interval(self._every_s, self._tick)

    # a desk --------------------------------------------------------------------------------------------------------

    def pictures(self) -> list[Picture]:
        """As they are, or were when the screen was frozen."""
        return self.live.pictures() if self._frozen is None else self._frozen

    def is_frozen(self) -> bool:
        """Whether the screen stands still."""
        return self._frozen is not None

    def open(self, view: View) -> None:
        """A view above the one that is seen."""
        self._views[-1][0].leave()
        self._views.append((view, Choice()))
        self._why = ("", 0.0)
        view.look(time.monotonic())
        self.draw()

    def back(self) -> None:
        """To the view below; from the first one nowhere."""
        if len(self._views) > 1:
            self._views.pop()[0].leave()
            self._why = ("", 0.0)
        self.draw()

    def choose(self, id: str) -> None:
        """The line of the view that is to be chosen."""
        view, choice = self._views[-1]
        with contextlib.suppress(ValueError):
            choice.at, choice.id = view.ids().index(id), id

    def say(self, text: str, style: str = "") -> None:
        """On the line above the keys."""
        self._said = (text, style, time.monotonic() + SAID_S)
        self.draw()

    def call(self, picture: Picture, method: str, *args: Any, then: Callable[[Any], None], **params: Any) -> None:
        """Run one call of the API."""
        self.work(picture, lambda client: client.call(method, *args, timeout=ANSWER_S, **params), then)

    def work(
        self, picture: Picture, work: Callable[[RunnerClient], Any], then: Callable[[Any], None],
        otherwise: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """In a thread of its own: whoever does not answer holds nobody up."""
        refused = otherwise or (lambda sentence: self.say(sentence, "bad"))

        def run() -> None:
            try:
                answer = work(self.live.client_of(picture))
            except TimeoutError:
                self._later(refused, f"{picture.flow}: no answer for {ANSWER_S:g} s")
            except RunnerError as error:
                self._later(refused, str(error))
            else:
                if isinstance(answer, Outcome) and not answer:
                    self._later(refused, refusal(answer))
                else:
                    self._later(then, answer)

        threading.Thread(target=run, name=f"work-{picture.flow}", daemon=True).start()

    def _later(self, do: Callable[..., None], *args: Any) -> None:
        """In the thread of the screen; not any more when that has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(do, *args)  # type: ignore[union-attr]

    def ask(
        self, what: str, text: str, done: Callable[[str], None], meanwhile: Callable[[str], None] | None = None
    ) -> None:
        """A line of text, below."""
        self._asked = None
        self._prompt.value = text
        self._prompt.cursor_position = len(text)
        self._asked = (text, done, meanwhile)
        self._prompt.display = True
        self._prompt.focus()
        self._said = (what, "head", time.monotonic() + 3600)
        self.draw()

    def edit(self, what: str, text: Any, done: Callable[[Any], None]) -> None:
        """JSON, in an editor above everything; not what is only the beginning of a message."""
        if isinstance(text, dict) and "$undecoded" in text:
            self.say(f"it cannot be edited here: {text.get('reason')}", "bad")
            return
        self.push_screen(Editor(what, text, done))

    # keys ----------------------------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        """What the prompt does not take goes to the view, then to what all have in common."""
        if len(self.screen_stack) > 1:
            return
        if self._asked is not None:
            if event.key == "escape":
                event.stop()
                self._end_prompt(self._asked[0], given_up=True)
            elif event.key in ("up", "down") and self._history:
                event.stop()
                self._history.rotate(1 if event.key == "up" else -1)
                self._prompt.value = self._history[0]
                self._prompt.cursor_position = len(self._history[0])
            return
        event.stop()
        view, choice = self._views[-1]
        key = event.key.removeprefix("upper_")  # of a capital letter that a terminal names so
        if view.key(key if key == event.key else key.upper(), choice.id):
            pass
        elif event.key in MOVES:
            choice.move(MOVES[event.key], self._ids)
        elif event.key in PAGES:
            choice.move(PAGES[event.key] * max(1, self._room - 1), self._ids)
        elif event.key == "escape":
            if view.filter:
                view.filter = ""
            else:
                self.back()
        elif event.key == "space":
            self._freeze()
        elif event.key == "q":
            self.exit()
        self.draw()

    def _freeze(self) -> None:
        """The picture, not the flow."""
        self._frozen = [picture.frozen() for picture in self.live.pictures()] if self._frozen is None else None
        self.say("the picture is frozen, the flow goes on; Space shows it again" if self._frozen is not None else "")

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter applies while it is typed."""
        if self._asked is not None and self._asked[2] is not None:
            self._asked[2](event.value)
            self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The prompt has its answer."""
        self._end_prompt(event.value, given_up=False)

    def _end_prompt(self, text: str, given_up: bool) -> None:
        if self._asked is None:
            return
        _, done, meanwhile = self._asked
        self._asked = None
        self._said = ("", "", 0.0)
        self._prompt.display = False
        self._page.focus()
        if not given_up:
            if text and text not in self._history:
                self._history.append(text)
            done(text)
        elif meanwhile is not None:
            meanwhile(text)
        self.draw()

    def on_page_clicked(self, event: Page.Clicked) -> None:
        """A click chooses, a second one goes deeper."""
        view, choice = self._views[-1]
        at = choice.top + event.line - self._above
        if view.chosen and 0 <= event.line - self._above < self._room and at < len(self._ids):
            choice.at, choice.id = at, self._ids[at]
            if event.times > 1:
                view.key("enter", choice.id)
            self.draw()

    def on_page_scrolled(self, event: Page.Scrolled) -> None:
        """The wheel was turned."""
        self._views[-1][1].move(event.lines, self._ids)
        self.draw()

    def on_page_resized(self, _event: Page.Resized) -> None:
        """There is another room."""
        self.draw()

    # the screen ----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._open_first()
        if not self.is_frozen():
            self._views[-1][0].look(time.monotonic())
        self.draw()

    def _open_first(self) -> None:
        """The flow that was named; or the only one, as soon as it is known."""
        if self._first is None or len(self._views) > 1:
            return
        found = [one for one in self.pictures() if self._first in ("", one.flow)]
        if found:
            self._first = None
            self._views[0][1].id = f"{found[0].door} {found[0].flow}"
        if len(found) == 1:
            self.open(ModulesView(self, found[0]))

    def draw(self) -> None:
        """What the top view says, for the room there is."""
        width, height = self._page.size
        if not width or not height:
            return
        view, choice = self._views[-1]
        head = view.head(width)
        keys = _key_lines(view.keys, width)
        why = wrap(self._sentence(view), width, 2 if height >= 20 else 1)
        self._above = len(why) + len(head)
        self._room = max(0, height - self._above - 1 - len(keys))
        ids = self._ids = view.ids()
        choice.settle(ids, self._room, view.chosen)
        if newer := view.above(choice.top):
            head[-1] = beside(head[-1], [(newer, "warn")], width)
        seen = ids[choice.top : choice.top + self._room]
        lines: list[Line] = [*([(text, "bold")] for text in why), *head]
        for id in seen:
            line = view.line(id, width)
            if view.chosen and id == choice.id:
                line = [("".join(text for text, _ in fill(line, width)), "cursor")]
            lines.append(line)
        lines += [[] for _ in range(self._room - len(seen))]
        text, style, until = self._said
        place = f"{min(len(ids), choice.top + self._room)}/{len(ids)}" if len(ids) > self._room else ""
        if until <= time.monotonic():
            text, style = (f"only what has {view.filter!r}; Esc shows all", "warn") if view.filter else ("", "")
        if self._asked is not None:  # the view's keys would be typed
            text, place, keys = _with_hint(text, width), "", [[] for _ in keys]
        lines.append(beside([(text, style)], [(place, "dim")], width))
        self._page.show([*lines, *keys])

    def _sentence(self, view: View) -> str:
        text, until = self._why
        if time.monotonic() >= until:
            text = view.why()
            self._why = (text, time.monotonic() + WHY_S)
        return text


def _with_hint(question: str, width: int) -> str:
    """How a prompt ends, as far as there is room for it."""
    hints = ("  (Enter: do it, Esc: as it was)", "  (Enter, or Esc)", "")
    return next((question + hint for hint in hints if cell_len(question + hint) < width), question)


def _key_lines(keys: tuple[tuple[str, str], ...], width: int) -> list[Line]:
    """All of them, on as many lines as they need."""
    lines: list[Line] = [[]]
    left = width
    for key, word in keys:
        size = len(key) + 1 + len(word)
        gap = 2 if lines[-1] else 0
        if gap + size > left and lines[-1]:
            lines.append([])
            gap, left = 0, width
        lines[-1] += [(" " * gap, ""), (key, "key"), (f" {word}", "")]
        left -= gap + size
    return lines


def run_console(watch: Watch, first: str | None, every_s: float) -> None:
    """Until it is quit."""
    Console(watch, first, every_s).run()
