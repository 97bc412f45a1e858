"""The wires of a flow to and from other runners: their ends here, which are attached as feeds and sinks are."""

from __future__ import annotations

from typing import NamedTuple

from thespian.actors import ActorExitRequest

from actors.definition.model import Wire
from actors.definition.share import Share
from actors.flow.record import Attachment, FlowRecord
from actors.links.receiving import ReceivingActor
from actors.links.sending import SendingActor
from actors.messages.link_to_owner import WireEmptied
from actors.messages.owner_to_link import EmptyWire, EndWire, StartReceiving, StartSending
from actors.preparation.premises import Premises
from actors.system.job import Expect, Steps
from actors.system.port import Port

WINDOW_BYTES = 4 << 20  # what one wire may keep for another runner before its module is held
LEAST_WINDOW_BYTES = 256 << 10
ALL_WINDOWS_BYTES = 16 << 20
EMPTY_S = 10.0


class _Crossing(NamedTuple):
    """A wire, and the runner of its other end."""

    wire: Wire
    runner: str


class Crossings:
    """Of one flow, whose record has them among what is attached."""

    def __init__(self, record: FlowRecord, port: Port, premises: Premises) -> None:
        self._record, self._port, self._premises = record, port, premises
        self._ends: dict[_Crossing, Attachment] = {}
        self._fresh: list[Attachment] = []

    def prepare(self, share: Share) -> None:
        """Make the ends of a share's wires that are not there yet: before its modules send anything."""
        wanted = _crossings(share)
        sending = sum(crossing.wire.from_module in share.here for crossing in wanted)
        window = max(LEAST_WINDOW_BYTES, min(WINDOW_BYTES, ALL_WINDOWS_BYTES // max(1, sending)))
        for crossing in wanted:
            if crossing not in self._ends:
                end = self._ends[crossing] = self._begin(share, crossing, window)
                self._record.attached.append(end)
                self._fresh.append(end)

    def _begin(self, share: Share, crossing: _Crossing, window_bytes: int) -> Attachment:
        wire, links = crossing.wire, self._premises.links
        assert links.router is not None  # else everything is here
        if wire.from_module in share.here:
            actor = self._port.createActor(SendingActor)
            start = StartSending(
                flow=share.flow.id, wire=wire.id, runner=crossing.runner, delivery=wire.delivery,
                epoch=links.incarnation << 32 | next(self._premises.numbers), window_bytes=window_bytes,
                router=links.router, activity=self._record.activity,
            )  # fmt: skip
            self._port.send(actor, start)
            return Attachment("out", wire.from_module, wire.from_port, wire.id, actor, crosses=True)
        actor = self._port.createActor(ReceivingActor)
        receive = StartReceiving(flow=share.flow.id, wire=wire.id, runner=crossing.runner, router=links.router)
        self._port.send(actor, receive)
        return Attachment("in", wire.to_module, wire.to_port, wire.id, actor, crosses=True)

    def settle(self) -> list[Attachment]:
        """End those of wires that the flow has no more, or that do not cross any more; returns the new ones."""
        for crossing in self._ends.keys() - {*_crossings(self._record.share)}:
            self._end(crossing)
        fresh, self._fresh = self._fresh, []
        return [end for end in fresh if end in self._record.attached]

    def emptying(self) -> Steps:
        """Let the other runners have what is on its way to them, as far as they take it in time."""
        sending = [end for end in self._ends.values() if end.side == "out"]
        for end in sending:
            self._port.send(end.actor, EmptyWire())
        yield Expect([(WireEmptied, end.wire) for end in sending], EMPTY_S)

    def end_all(self) -> None:
        """The flow is no more."""
        for crossing in list(self._ends):
            self._end(crossing)

    def _end(self, crossing: _Crossing) -> None:
        end = self._ends.pop(crossing)
        self._record.attached.remove(end)
        self._port.send(end.actor, EndWire())
        self._port.send(end.actor, ActorExitRequest())


def _crossings(share: Share) -> list[_Crossing]:
    modules = share.flow.modules
    found = []
    for wire in share.wires:
        away = [name for name in (wire.from_module, wire.to_module) if name not in share.here]
        if away and (runner := modules[away[0]].runner) is not None:
            found.append(_Crossing(wire, runner))
    return found
