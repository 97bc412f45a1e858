"""The Arrival actor: takes in what another runner has of modules that move here.

It comes as messages of a wire of its own, so a connection that breaks loses nothing of it.
"""

from __future__ import annotations

import struct

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited

from actors.flow.moved import read_modules
from actors.links.receiving import ReceivingActor
from actors.messages.arrival_to_flow import ModulesArrived
from actors.messages.flow_to_arrival import AwaitModules, EndArrival
from actors.messages.flow_to_session import Attached
from actors.messages.link_to_owner import FinishWanted
from actors.messages.module_to_module import Deliver
from actors.messages.owner_to_link import EndWire, StartReceiving
from actors.state.activity import Activity
from actors.system.base import BaseActor

LENGTH = struct.Struct("<Q")


class ArrivalActor(BaseActor):
    """One per update and runner that modules come from; a child of the flow."""

    serves_flow = True

    def receiveMsg_AwaitModules(self, message: AwaitModules, sender: ActorAddress) -> None:
        """What comes is cut anywhere."""
        self.owner, self.flow = sender, message.flow
        self.update, self.runner = message.update, message.runner
        self.data = bytearray()
        self.end = self.createActor(ReceivingActor)
        start = StartReceiving(flow=message.flow, wire=message.wire, runner=message.runner, router=message.router)
        self.send(self.end, start)
        self.send(self.end, Attached(wire=message.wire, module=self.address, activity=Activity()))

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """The next piece. In front of all is how many bytes there are."""
        self.data += message.body
        if len(self.data) == LENGTH.size + LENGTH.unpack_from(self.data)[0]:
            data = bytes(memoryview(self.data)[LENGTH.size :])
            arrived = ModulesArrived(update=self.update, runner=self.runner, data=data, kept=read_modules(data))
            self.send(self.owner, arrived)

    def receiveMsg_FinishWanted(self, _message: FinishWanted, _sender: ActorAddress) -> None:
        """It is nothing that could be lost with this runner: the other one still has it."""

    def receiveMsg_EndArrival(self, _message: EndArrival, _sender: ActorAddress) -> None:
        """And no connection is held for it."""
        self.send(self.end, EndWire())

    def receiveMsg_ChildActorExited(self, _message: ChildActorExited, _sender: ActorAddress) -> None:
        """The end of the wire has gone."""
        self.send(self.address, ActorExitRequest())
