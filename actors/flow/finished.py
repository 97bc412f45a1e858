"""Through which of the messages that other runners have sent everything is done here, with all that has come of it.

So a sender can say, should this runner die, how many messages that cost at most. Nothing is done per message: now and
then, while there is something to tell, every module and every sending end is asked when the oldest that it has came.
When all of that is younger than the question before, everything has moved on by one module at least.
"""

from __future__ import annotations

import logging
import math
import time

from thespian.actors import ActorAddress

from actors.definition.graph import feedback_wires
from actors.flow.crossings import Crossings
from actors.flow.record import FlowRecord
from actors.messages.flow_to_module import AskOldest
from actors.messages.link_to_owner import FinishWanted, FoundOlder, TakenLost
from actors.messages.module_to_flow import OldestTold
from actors.messages.owner_to_link import MarkTaken, TellFinished
from actors.system.port import Port

LOOK_S = 0.05
log = logging.getLogger("runner.flow")


class Finished:
    """Of one flow, for all of its wires that come from elsewhere."""

    def __init__(self, record: FlowRecord, port: Port, crossings: Crossings, accepts_loss: bool) -> None:
        self._record, self._port, self._crossings, self._accepts_loss = record, port, crossings, accepts_loss
        self._looking = False
        self._number = self._left = 0  # of the question under way, and the answers that are still to come
        self._oldest = math.inf
        self._since = 0.0  # when the question before was answered
        self._steps = -1  # so often everything has moved on; -1: nothing is marked

    def receiveMsg_FinishWanted(self, _message: FinishWanted, _sender: ActorAddress) -> None:
        """A receiving end has taken something."""
        if not self._looking:
            self._looking, self._steps = True, -1
            self._port.wakeupAfter(LOOK_S, (self._look, None))

    def _look(self, _nothing: None) -> None:
        record = self._record
        if not record.modules or not self._looking:
            self._looking = False
            return
        self._port.wakeupAfter(LOOK_S, (self._look, None))
        if self._steps < 0:
            self._crossings.tell("in", MarkTaken())
        asked = [*record.modules.values(), *self._crossings.actors("out")]
        self._number, self._left, self._oldest = self._number + 1, len(asked), math.inf
        for actor in asked:
            self._port.send(actor, AskOldest(number=self._number))

    def receiveMsg_OldestTold(self, message: OldestTold, _sender: ActorAddress) -> None:
        """One of the answers; those to an earlier question come too late."""
        if message.number != self._number:
            return
        self._left -= 1
        self._oldest = min(self._oldest, message.arrived)
        if self._left:
            return
        if self._steps < 0:
            self._steps = 0
        elif self._oldest > self._since:
            self._steps += 1
        else:
            return
        self._since = time.monotonic()
        if self._steps > self._most() or not self._record.activity.pending:
            self._looking = False
            self._crossings.tell("in", TellFinished())

    def _most(self) -> float:
        """How often a message, and what comes of it, can move on here."""
        share = self._record.share
        inside = {wire.id for wire in share.wires if {wire.from_module, wire.to_module} <= share.here}
        return math.inf if feedback_wires(share.flow) & inside else len(share.modules) + 1

    def receiveMsg_TakenLost(self, message: TakenLost, _sender: ActorAddress) -> None:
        """A runner has died, and with it what it had taken."""
        record, which = self._record, (message.wire, message.runner)
        record.taken_lost[which] = record.taken_lost.get(which, 0) + message.count
        log.warning("%s", record.taken_lost_words(*which, message.count))

    def receiveMsg_FoundOlder(self, message: FoundOlder, _sender: ActorAddress) -> None:
        """A disk has not kept what was written, or an older copy of a state folder was put back."""
        goes_on = "goes on with what is left"
        what = f"accepted: it {goes_on}" if self._accepts_loss else f"nothing passes on it; --accept-loss {goes_on}"
        words = self._record.older[message.wire] = f"{message.words}: a state folder is older than it was; {what}"
        log.critical("%s", words)
