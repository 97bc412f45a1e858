"""What the views of a flow have in common."""

from __future__ import annotations

from collections.abc import Callable

from actors.console.view.desk import Desk
from actors.console.view.flow_head import sentence
from actors.console.view.picture import Picture


class FlowView:
    """`picture`: of its flow, as the desk has it now."""

    chosen = True

    def __init__(self, desk: Desk, picture: Callable[[], Picture]) -> None:
        self.desk, self.picture = desk, picture
        self.filter = ""

    def why(self) -> str:
        """What holds the flow back, or is wrong."""
        return sentence(self.picture())

    def above(self, _top: int) -> str:
        """Most have the newest last."""
        return ""

    def look(self, _now: float) -> None:
        """Most are told all they show."""

    def leave(self) -> None:
        """Most have nothing to end."""

    def ask_filter(self, what: str) -> None:
        """It applies while it is typed."""

        def take(text: str) -> None:
            self.filter = text

        self.desk.ask(f"filter ({what})", self.filter, take, take)
