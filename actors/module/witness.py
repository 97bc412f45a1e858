"""What a module's shadows see of it: for each commit what it consumed. What it sent they get on taps, before that."""

from __future__ import annotations

from collections.abc import Sequence

from thespian.actors import ActorAddress

from actors.messages import flow_to_module as from_flow
from actors.messages.module_to_flow import RecentDescribed
from actors.messages.module_to_shadow import TurnsSeen, WitnessBegun
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from runtimes.frames import NO_INDEX, Frame


class Witness:
    """Of one module; one shadow at a time is told."""

    def __init__(self, record: ModuleRecord, port: ModulePort) -> None:
        self._record, self._port = record, port
        self.shadow: ActorAddress | None = None

    def receiveMsg_WitnessTurns(self, message: from_flow.WitnessTurns, _sender: ActorAddress) -> None:
        """From between two commits on."""
        self.shadow = message.shadow
        if self.shadow is not None:
            self._port.send(self.shadow, WitnessBegun(context=dict(self._record.state.context)))

    def receiveMsg_DescribeRecent(self, _message: from_flow.DescribeRecent, sender: ActorAddress) -> None:
        """As far as they are remembered."""
        record = self._record
        messages, context = tuple(record.state.mailbox.last_done()), dict(record.state.context)
        described = RecentDescribed(flow=record.flow, module=record.module.id, messages=messages, context=context)
        self._port.send(sender, described)

    def committed(self, shadow: ActorAddress, consumed: int, pulled: int, errors: Sequence[Frame]) -> None:
        """Before these messages have left the window."""
        inputs = self._record.state.mailbox.first_of_window(consumed)
        infos = {error.count: error.body[: error.skip] for error in errors if error.count != NO_INDEX}
        seen = TurnsSeen(inputs=tuple(inputs), errors=infos, unasked=pulled > 0 or not consumed)
        self._port.send(shadow, seen)

    def given_up(self, count: int) -> None:
        """Messages have left without a commit."""
        if self.shadow is not None and count:
            self._port.send(self.shadow, TurnsSeen(errors={}, given_up=count))
