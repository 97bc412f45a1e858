"""A single step: what went into each module of the wave, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.console.debug_text import step_text
from actors.console.view.desk import Desk, Keys
from actors.console.view.flow_head import sentence
from actors.console.view.keeping import ask_to_keep
from actors.console.view.pausing import toggle_pause
from actors.console.view.picture import Picture
from actors.console.view.text_view import TextView
from actors.counted import counted

KEYS: Keys = (
    ("s", "next wave"), ("p", "pause, resume"), ("t", "keep as test"), ("Esc", "back"), ("↑↓", "scroll"),
    ("Space", "freeze"), ("q", "quit"),
)  # fmt: skip
_STYLES = {"  took": "note", "  sent": "good", "  erro": "bad", "  cont": "dim"}


class WaveView(TextView):
    """The first wave is taken when it is opened; a flow that is not paused is paused before."""

    keys = KEYS

    def __init__(self, desk: Desk, picture: Callable[[], Picture]) -> None:
        super().__init__("", lambda: [[("a wave is under way", "dim")]], lambda: sentence(picture()))
        self._desk, self._picture, self._count = desk, picture, 0
        self._wave: dict[str, Any] = {}
        state = picture().state
        if state is not None and state["debug"]["pausedBy"] is None:
            desk.call(picture(), "pauseFlow", picture().flow, then=lambda _: self._step())
        else:
            self._step()

    def key(self, key: str, id: str | None) -> bool:
        """What the footer says."""
        if key == "s":
            self._step()
        elif key == "p":
            toggle_pause(self._desk, self._picture())
        elif key == "t" and not any(part.get("inputStates") for part in self._wave.values()):
            self._desk.say("nothing was taken in this wave: there is nothing to keep", "bad")
        elif key == "t":
            self._keep(self._wave)
        else:
            return super().key(key, id)
        return True

    def _step(self) -> None:
        self._desk.call(self._picture(), "singleStepFlow", self._picture().flow, then=self._came)

    def _keep(self, wave: dict[str, Any]) -> None:
        from actors.console.keep_as_test import of_step  # runs flows

        flow = self._picture().flow
        ask_to_keep(self._desk, flow, f"wave {self._count}", lambda name: of_step(name, wave))

    def _came(self, wave: dict[str, Any]) -> None:
        self._count, self._wave = self._count + 1, wave
        self.title = f"wave {self._count}: what {counted(len(wave), 'module')} took and sent"
        self.text = lambda: [[(line, _STYLES.get(line[:6], "bold"))] for line in step_text(wave).split("\n")]
