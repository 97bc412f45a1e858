"""The gate in front of a module's window: breakpoint and single step. A part of the ModuleState.

Nothing here runs unless somebody debugs.
"""

from __future__ import annotations

from actors.state.condition import Breakpoint
from actors.state.effects import BreakpointHit, Effect
from actors.state.mailbox import Mailbox


class Gate:
    """While it is closed messages wait; the debugger lets them through one at a time."""

    def __init__(self, mailbox: Mailbox, effects: list[Effect]) -> None:
        self._mailbox, self._effects = mailbox, effects
        self.breakpoint: Breakpoint | None = None
        self.stepping = False  # since the first step or release, until the flow goes on
        self.allowed = False  # the head may go although the module is stopped: a step, or a released message
        self._passed: tuple[str, int] | None = None  # wire and number of the head that may pass the breakpoint
        self.at_breakpoint: tuple[str, int] | None = None  # of the head that is held there

    @property
    def singles(self) -> bool:
        """Whether messages go one at a time."""
        return self.stepping or self.breakpoint is not None

    def set_breakpoint(self, breakpoint: Breakpoint | None) -> None:
        """From now on; None: none."""
        self.breakpoint, self.at_breakpoint = breakpoint, None

    def holds(self, breakpoint: Breakpoint, context: dict[bytes, bytes], exempt: bool) -> bool:
        """Whether the head hits the breakpoint and stays; `exempt`: it has begun before."""
        head = self._mailbox.ready[0]
        key = (head.wire, head.first)
        if not self.allowed and not exempt and key != self._passed:
            message, headers = head.message(0)
            hit, error = breakpoint.hit(message, headers, context)
            if hit:
                self._effects.append(BreakpointHit(message, breakpoint.log, error))
            if hit and not breakpoint.log:
                self.at_breakpoint = key
                return True
        self._passed = key  # also when its host dies on it
        return False

    def step(self) -> None:
        """Messages go one at a time from now on."""
        self.stepping = True

    def let_one_pass(self) -> None:
        """Exactly the head may go."""
        self.stepping = self.allowed = True
        self.at_breakpoint = None

    def passed(self) -> None:
        """It has gone, or whoever was to let it go has changed."""
        self.allowed = False

    def open(self) -> None:
        """Stepping is over; the message at the breakpoint may pass."""
        self._passed, self.at_breakpoint = self.at_breakpoint or self._passed, None
        self.stepping = self.allowed = False

    def dropped(self, wire: str, number: int) -> None:
        """A message is not there any more."""
        if self.at_breakpoint == (wire, number):
            self.at_breakpoint = None
