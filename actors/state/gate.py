"""The gate in front of a module's window: breakpoint and single step, and what the debugger does to what waits.

Part of the ModuleState. Nothing here runs unless somebody debugs.
"""

from __future__ import annotations

from actors.state.blame import Blame
from actors.state.condition import Breakpoint
from actors.state.effects import BreakpointHit
from actors.state.recall import Link
from actors.state.segment import Segment
from runtimes.frames import Frame, Kind, join


class Gate(Blame):
    """While it is closed messages wait; the debugger lets them through one at a time."""

    context: dict[bytes, bytes]

    def __init__(self) -> None:
        super().__init__()
        self.breakpoint: Breakpoint | None = None
        self.stepping = False
        self.allowed = False  # the head may go although the module is stopped: a step, or a released message
        self.passed: tuple[str, int] | None = None  # wire and number of the head that may pass the breakpoint
        self.at_breakpoint: tuple[str, int] | None = None  # of the head that is held there

    def _choose_pace(self) -> None:
        super()._choose_pace()
        self.single = self.single or self.stepping or self.breakpoint is not None

    def set_breakpoint(self, breakpoint: Breakpoint | None) -> None:
        """From now on one message goes at a time, and only if it does not hit; what is at the host comes back."""
        self.breakpoint, self.at_breakpoint = breakpoint, None
        self._choose_pace()
        if breakpoint is not None:
            self._recall()

    def _passes(self, breakpoint: Breakpoint) -> bool:
        """Whether the head may go on to its handler."""
        head = self.ready[0]
        key = (head.wire, head.first)
        if not self.allowed and not self.probation and key != self.passed:
            message, headers = head.message(0)
            hit, error = breakpoint.hit(message, headers, self.context)
            if hit:
                self.effects.append(BreakpointHit(message, breakpoint.log, error))
            if hit and not breakpoint.log:
                self.at_breakpoint = key
                self.stops.add("debug")
                return False
        self.passed = key  # also when its host dies on it
        return True

    def go_on(self, reason: str) -> None:
        """Withdraw one reason for stopping; "debug" lets the message at the breakpoint pass and ends stepping."""
        super().go_on(reason)
        if reason == "debug":
            self.passed, self.at_breakpoint = self.at_breakpoint or self.passed, None
            self.stepping = self.allowed = False
            self._choose_pace()

    def step(self, source: bool) -> tuple[bool, bool]:
        """While stopped for "debug": let the oldest message go, pull a source once. Returns whether each happens."""
        self.stepping = True
        self._choose_pace()
        takes = self.release()
        pulls = source and self.credit == 0
        if pulls:
            self.pull_once()
        return takes, pulls

    def pull_once(self) -> None:
        """Credit for one message; without a host it has to be asked for again when there is one."""
        if self.link is Link.OPEN:
            self.credit = 1
            self._outbox.append(Frame(Kind.PULL, self.slot, count=1))

    def release(self) -> bool:
        """While stopped for "debug": let exactly the oldest message go. False if there is none."""
        if not self.ready or self.window:
            return False
        self.stepping = self.allowed = True
        self.at_breakpoint = None
        self.stops.discard("retry")
        self._choose_pace()
        return True

    def replace_waiting(self, wire: str, number: int, body: bytes | None) -> bool:
        """Give a waiting message another encoded body, or drop it (None). False if there is none such."""
        for queue in (self.ready, self.held):
            for at, segment in enumerate(queue):
                if segment.has(wire, number):
                    singles = segment.singles()
                    self._alter(singles, number - segment.first, body)
                    rest = list(queue)
                    self.queued_bytes += sum(len(single.body) for single in singles) - len(segment.body)
                    rest[at : at + 1] = singles
                    queue.clear()
                    queue.extend(rest)
                    return True
        return False

    def _alter(self, singles: list[Segment], at: int, body: bytes | None) -> None:
        if body is not None:
            _, headers = singles[at].message(0)
            singles[at].body = join([body], [headers] if headers else None)
            return
        if self.at_breakpoint == (singles[at].wire, singles[at].first):
            self.at_breakpoint = None
        del singles[at]
        self.queued -= 1
        self.dropped += 1
