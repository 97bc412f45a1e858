"""The wires of a flow to and from other runners: their ends here, which are attached as feeds and sinks are."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress

from actors.definition.model import Wire
from actors.definition.ports import Side
from actors.definition.share import Crossing, Share
from actors.flow.record import Attachment, FlowRecord
from actors.links.crossed import Crossed, Incoming, Outgoing
from actors.links.receiving import ReceivingActor
from actors.links.sending import SendingActor
from actors.messages.link_to_owner import WireEmptied, WireHandedOver
from actors.messages.owner_to_link import (
    EmptyWire,
    EndWire,
    HandOverWire,
    NoteWire,
    StartReceiving,
    StartSending,
)
from actors.preparation.premises import Premises
from actors.system.job import Expect, Steps
from actors.system.port import Port

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering

WINDOW_BYTES = 4 << 20  # what one wire may keep for another runner before its module is held
LEAST_WINDOW_BYTES = 256 << 10
ALL_WINDOWS_BYTES = 16 << 20
EMPTY_S = 10.0


class Crossings:
    """Of one flow, whose record has them among what is attached."""

    def __init__(self, record: FlowRecord, port: Port, premises: Premises) -> None:
        self._record, self._port, self._premises = record, port, premises
        self._ends: dict[Crossing, Attachment] = {}
        self._fresh: list[Attachment] = []
        self.incoming: list[Attachment] = []  # the receiving ends that were made last

    def prepare(self, share: Share) -> None:
        """Make the ends of a share's wires that are not there yet: before its modules send anything."""
        wanted = share.crossings
        sending = sum(crossing.side == "out" for crossing in wanted)
        window = max(LEAST_WINDOW_BYTES, min(WINDOW_BYTES, ALL_WINDOWS_BYTES // max(1, sending)))
        self.incoming = []
        for crossing, wire in wanted.items():
            if crossing not in self._ends:
                end = self._ends[crossing] = self._begin(share, wire, crossing, window)
                self._record.attached.append(end)
                self._fresh.append(end)
                if end.side == "in":
                    self.incoming.append(end)

    def _begin(self, share: Share, wire: Wire, crossing: Crossing, window_bytes: int) -> Attachment:
        links, record, flow, runner = self._premises.links, self._record, share.flow.id, crossing.runner
        assert links.router is not None  # else everything is here
        if crossing.side == "out":
            actor = self._port.createActor(SendingActor)
            start = StartSending(
                flow=flow, wire=wire.id, runner=runner, delivery=wire.delivery, new_epoch=self.new_epoch,
                window_bytes=window_bytes, router=links.router, activity=record.activity,
                journal=self._journal_of(wire), before=record.crossed.sending.pop(wire.id, None),
            )  # fmt: skip
            self._port.send(actor, start)
            return Attachment("out", wire.from_module, wire.from_port, wire.id, actor, runner)
        before = record.crossed.receiving.pop(wire.id, None)
        actor = self._port.createActor(ReceivingActor)
        receive = StartReceiving(
            flow=flow, wire=wire.id, runner=runner, router=links.router, journal=self._journal_of(wire),
            number=record.input_numbers.get(wire.id, 0), before=None if before is None else before.of(runner),
            accept_loss=self._premises.accepts_loss,
        )  # fmt: skip
        self._port.send(actor, receive)
        return Attachment("in", wire.to_module, wire.to_port, wire.id, actor, runner)

    def new_epoch(self) -> int:
        """Higher than all of this runner before."""
        return self._premises.links.incarnation << 32 | next(self._premises.numbers)

    def _journal_of(self, wire: Wire) -> Gathering | None:
        return self._record.durable_journal if wire.delivery.survives_runner else None

    def note(self) -> None:
        """The flow does not run and is another one: what is written of its wires is void."""
        for crossing, wire in self._record.share.crossings.items():
            if crossing in self._ends:
                note = NoteWire(delivery=wire.delivery, journal=self._journal_of(wire))
                self._port.send(self._ends[crossing].actor, note)

    def settle(self) -> list[Attachment]:
        """End those of wires that the flow has no more, or that do not cross any more; returns the new ones."""
        for crossing in self._ends.keys() - self._record.share.crossings.keys():
            self._end(crossing)
        fresh, self._fresh = self._fresh, []
        return [end for end in fresh if end in self._record.attached]

    def emptying(
        self, wires: Collection[str] | None = None, timeout_s: float = EMPTY_S, *, hold: bool = False
    ) -> Steps:
        """Let the other runners have what is on its way to them on these wires, None: on all, however full they are.
        Returns those of which they have not taken everything in time. `hold`: what comes then waits here.
        """
        sending = [end for end in self._ends.values() if end.side == "out" and (wires is None or end.wire in wires)]
        for end in sending:
            self._port.send(end.actor, EmptyWire(hold=hold))
        came = yield Expect([(WireEmptied, end.wire) for end in sending], timeout_s)
        return [end.wire for end in sending if (WireEmptied, end.wire) not in came]

    def take_states(self) -> Steps:
        """What the ends know, at a quiet point after the flow has stopped: nobody sends on or takes anything now."""
        for end in self._ends.values():
            self._port.send(end.actor, HandOverWire())
        came = yield Expect([(WireHandedOver, end.wire) for end in self._ends.values()])
        states = {key[1]: answer.state for key, answer in came.items()}
        return Crossed(
            {wire: state for wire, state in states.items() if isinstance(state, Outgoing)},
            {wire: state for wire, state in states.items() if isinstance(state, Incoming)},
        )

    def of(self, share: Share) -> list[Attachment]:
        """The ends that are there of its wires."""
        return [end for crossing, end in self._ends.items() if crossing in share.crossings]

    def actors(self, side: Side) -> list[ActorAddress]:
        """The receiving ends ("in"), or the sending ones."""
        return [end.actor for end in self._ends.values() if end.side == side]

    def tell(self, side: Side, message: Any) -> None:
        """Tell all of these, whatever their wire."""
        for actor in self.actors(side):
            self._port.send(actor, message)

    def end_all(self) -> None:
        """The flow is no more."""
        for crossing in list(self._ends):
            self._end(crossing)

    def _end(self, crossing: Crossing) -> None:
        end = self._ends.pop(crossing)
        self._record.attached.remove(end)
        has_it = any(wire.id == crossing.wire for wire in self._record.share.wires)  # another end, or none now
        self._port.send(end.actor, EndWire(forget=not has_it))  # it exits when nothing for it is under way any more
