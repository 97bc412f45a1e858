"""Retry and blame: what becomes of a message whose turn has failed, or whose host has died. Part of the ModuleState."""

from __future__ import annotations

from actors.state.draining import Draining
from actors.state.effects import Failed, Probed, RetryLater
from runtimes.frames import REDELIVERED

MAX_DEATHS_ALONE = 3


class Blame(Draining):
    """The head of the mailbox may be tried again, alone; in the end it is given up."""

    retry_times: int | None
    backoff_s: float
    announce: bool
    pulls: bool

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0  # of the head, for retry
        self.probing = False  # one suspect is alone at the host
        self.probation = False
        self.single = False  # one message at a time: probation, a breakpoint or stepping
        self.turn_begun = False
        self.deaths: tuple[tuple[str, int], int] | None = None  # the head's (wire, number), deaths alone

    def _choose_pace(self) -> None:
        self.single = self.probation

    def paused(self) -> None:
        """PAUSED: whatever the host had not committed is ours again."""
        self._move("paused")
        self._take_back(0)
        if self._held_info is not None:
            self._decide_retry(self._held_info)
        self._recalled()

    def _decide_retry(self, info: bytes) -> None:
        self._held_info = None
        if self.retry_times is None or self.attempts > self.retry_times:
            self.stops.discard("retry")
            self.give_up(info)
            return
        self._single_head()
        self.ready[0].flags |= REDELIVERED
        self.effects.append(RetryLater(self.backoff_s))

    def give_up(self, info: bytes, deaths: int = 0) -> None:
        """Take the head of the mailbox (nothing is in the window) out as failed."""
        self._single_head()
        segment = self.ready.popleft()
        raw, headers = segment.message(0)
        self.effects.append(Failed(raw, headers, self.wires[segment.wire].port, info, deaths))
        self.queued -= 1
        self.queued_bytes -= len(segment.body)
        self.completed += 1
        self.attempts = 0
        self.suspects = max(0, self.suspects - 1)
        self.deaths = None
        self._probed()
        self._ease()

    # probation -----------------------------------------------------------------------------------------------------

    def host_open(self, probation: bool, *, pulls: bool = True) -> None:
        """Loaded, wired and started; `pulls`: a source may be given credit."""
        self._move("host_open")
        self.pulls = pulls
        self.probation = probation
        self._choose_pace()
        if self.draining is not None and not probation:
            self._part_wires()
            self._check_drained()

    def probe(self) -> None:
        """In probation: this module's turn to send its next suspect, alone."""
        self.probing = True
        if not self.suspects:  # a step has taken it meanwhile
            self._probed()

    def _probed(self) -> None:
        if self.probing:
            self.probing = False
            self.effects.append(Probed(self.suspects))

    def end_probation(self) -> None:
        """Every suspect of the host is done."""
        self.probation = self.probing = False
        self._choose_pace()
        if self.draining is not None:
            self._part_wires()
            self._check_drained()

    def turn(self) -> None:
        """TURN: the host has begun a turn of this module."""
        self.turn_begun = True

    def host_down(self, info: bytes) -> None:
        """The host is gone: its window is delivered again. A message that was alone in its turn is blamed."""
        alone = self.turn_begun and self.window_messages == 1 and (self.probing or self.announce)
        self._move("host_down")
        if self.drain_reason == "fuse":
            self.end_drain()
        self.suspects = max(self.suspects, self.window_messages)
        self._take_back(REDELIVERED)
        self.turn_begun = self.probing = False
        if alone:
            head = (self.ready[0].wire, self.ready[0].first)
            deaths = self.deaths[1] + 1 if self.deaths is not None and self.deaths[0] == head else 1
            self.deaths = (head, deaths)
            if deaths >= MAX_DEATHS_ALONE:
                self.give_up(info, deaths)
        self.stops -= {"retry", "restart"}
        self._outbox.clear()
        self._held_info = None
        if self._tell:
            self._recalled()
