"""Retry and blame: what becomes of a message whose turn has failed, or whose host has died.

A part of the ModuleState.
"""

from __future__ import annotations

import orjson

from actors.state.effects import Effect, Failed, Probed, RetryLater
from actors.state.mailbox import Mailbox
from actors.state.permanent import is_permanent

MAX_DEATHS_ALONE = 3


class Blame:
    """The head of the mailbox may be tried again, alone; in the end it is given up."""

    def __init__(self, mailbox: Mailbox, effects: list[Effect]) -> None:
        self._mailbox, self._effects = mailbox, effects
        self._retry_times: int | None = None  # as the flow file says; None: no retry
        self._backoff_s = 0.0
        self.announce = False  # one message a frame, and the host says when its turn begins
        self.attempts = 0  # of the head, for retry
        self.held_info: bytes | None = None  # of the ERROR that holds the head
        self.suspects = 0  # messages at the front of the mailbox that were uncommitted when the host died
        self.deaths: tuple[tuple[str, int], int] | None = None  # the head's (wire, number), deaths alone
        self.probation = False  # the host was not there before: suspects go one by one
        self.probing = False  # one suspect is alone at the host
        self.turn_begun = False  # the host has said so since a message went alone

    def configure(self, retry_times: int | None, backoff_s: float, announce: bool) -> None:
        """What the flow file says."""
        self._retry_times, self._backoff_s, self.announce = retry_times, backoff_s, announce

    # retry ---------------------------------------------------------------------------------------------------------

    def hold(self, info: bytes) -> None:
        """The turn of the head has failed; `judge` says what becomes of it."""
        self.held_info = info

    def tried(self) -> None:
        """A commit without the head has come."""
        self.attempts += 1

    def judge(self) -> bool:
        """The host has nothing of us: a head whose turn has failed goes again later or is given up; whether that."""
        info, self.held_info = self.held_info, None
        if info is None:
            return False
        given_up = self._retry_times is None or self.attempts > self._retry_times
        if given_up or is_permanent(orjson.loads(info)["error"]):
            self._give_up(info)
            return True
        self._mailbox.redeliver_head()
        self._effects.append(RetryLater(self._backoff_s, info))
        return False

    def _give_up(self, info: bytes, deaths: int = 0) -> None:
        segment = self._mailbox.take_head()
        raw, headers = segment.message(0)
        port = self._mailbox.wires[segment.wire].port
        self._effects.append(Failed(raw, headers, port, info, deaths))
        self.acquit(1)
        self._mailbox.ease()

    def acquit(self, count: int) -> None:
        """That many messages at the front are done."""
        self.attempts, self.deaths = 0, None
        self.suspects = max(0, self.suspects - count)
        self._probed()

    # probation -----------------------------------------------------------------------------------------------------

    def host_open(self, probation: bool) -> None:
        """There is a host again."""
        self.probation = probation

    def probe(self) -> None:
        """This module's turn to send its next suspect, alone."""
        self.probing = True
        if not self.suspects:  # a step has taken it meanwhile
            self._probed()

    def _probed(self) -> None:
        if self.probing:
            self.probing = False
            self._effects.append(Probed(self.suspects))

    def end_probation(self) -> None:
        """Every suspect of the host is done."""
        self.probation = self.probing = False

    def turn(self) -> None:
        """TURN: the host has begun a turn of this module."""
        self.turn_begun = True

    def sent_alone(self) -> None:
        """A message has gone to the host, which has no other."""
        self.turn_begun = False

    def is_guilty(self) -> bool:
        """Whether the host, if it has died now, has died of the one message that it has."""
        return self.turn_begun and self._mailbox.window_messages == 1 and (self.probing or self.announce)

    def host_down(self, lost: int, guilty: bool, info: bytes) -> None:
        """`lost` messages that it had are at the front again; the `guilty` one is given up if that was its third."""
        self.suspects = max(self.suspects, lost)
        self.turn_begun = self.probing = False
        self.held_info = None
        if guilty:
            first = self._mailbox.ready[0]
            head = (first.wire, first.first)
            deaths = self.deaths[1] + 1 if self.deaths is not None and self.deaths[0] == head else 1
            self.deaths = (head, deaths)
            if deaths >= MAX_DEATHS_ALONE:
                self._give_up(info, deaths)

    def take_over(self, other: Blame) -> None:
        """In another's slot, whose host has nothing of us: nothing is suspect."""
        self.attempts = self.suspects = 0
        self.deaths = self.held_info = None
        self.probing = self.turn_begun = False
        self.probation = other.probation
