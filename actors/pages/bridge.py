"""The Bridge actor of a flow's browser modules. In place of a process it has the pages that have joined."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from msgspec.structs import replace
from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition.share import Share
from actors.host.bridge import BridgeActor
from actors.messages import bridge_to_flow as to_flow
from actors.messages import flow_to_bridge as from_flow
from actors.pages.guests import Guests
from actors.pages.host import PagesHost
from actors.state.tracing import Tracing


class PagesActor(BridgeActor):
    """One per flow with browser modules, over all starts and updates of the flow."""

    parts: ClassVar[tuple[str, ...]] = (*BridgeActor.parts, "guests")
    guests: Guests
    share: Share | None = None
    units: Mapping[str, str] = MappingProxyType({})
    barred: frozenset[str] | None = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.guests = Guests(self)

    def receiveMsg_StartHost(self, message: from_flow.StartHost, sender: ActorAddress) -> None:
        """No process is started."""
        self.guests.begin(message.flow)
        self.barred = message.barred
        # What stays in a page, that sees to by itself. Of messages in several pages a turn is not told from others:
        # a followed message passes through without a span of theirs.
        inside = replace(message, barred=None, hold_fusing=True, tracing=Tracing(message.flow))
        super().receiveMsg_StartHost(inside, sender)

    def _new_host(self) -> Any:
        hear = partial(self.guests.hear, self.members)
        host = PagesHost(self, self.members.outputs, hear, self._take, self._exited)
        self.guests.crowd.commit = host.commit
        return host

    # what the flow says ---------------------------------------------------------------------------------------------

    def _serve(self, message: from_flow.ServeModules, sender: ActorAddress) -> None:
        """Exactly these modules work from now on, in every page."""
        self.share, self.units = message.share, message.units
        self.service.receiveMsg_ServeModules(message, sender)
        self.guests.show(self.members, self.share, self.units, self.barred)

    def _bar(self, message: from_flow.BarFusing, _sender: ActorAddress) -> None:
        """What goes into these modules is to be seen: it comes by here."""
        self.barred = message.modules
        self.reports.tell(to_flow.FusingBarred)
        self.guests.show(self.members, self.share, self.units, self.barred)

    def receiveMsg_ChangePlan(self, message: from_flow.ChangePlan, sender: ActorAddress) -> None:
        """An output more, or less."""
        super().receiveMsg_ChangePlan(message, sender)
        self.guests.show(self.members, self.share, self.units, self.barred)

    def receiveMsg_StopHost(self, message: from_flow.StopHost, sender: ActorAddress) -> None:
        """Nothing runs in the pages any more."""
        super().receiveMsg_StopHost(message, sender)
        self.guests.show(self.members, self.share, self.units, self.barred, running=False)

    def receiveMsg_ActorExitRequest(self, message: ActorExitRequest, sender: ActorAddress) -> None:
        """The flow is gone, or made anew."""
        self.guests.end_all()
        super().receiveMsg_ActorExitRequest(message, sender)

    def receiveMsg_DescribeHost(self, message: from_flow.DescribeHost, sender: ActorAddress) -> None:
        """Our figures: of every page what it is."""
        plan = self.members.plan
        figures: dict[str, Any] = {
            "host": plan.key, "runtime": plan.runtime, "life": self.life.name.lower(), "starts": self.starts,
            "pid": None, "modules": list(plan.modules.values()), "memoryMb": 0.0, "cpuS": 0.0,
            **self.guests.figures(),
        }  # fmt: skip
        self.send(sender, to_flow.HostDescribed(request_id=message.request_id, key=plan.key, figures=figures))


# Of what a part of every bridge does, these concern the pages, too.
PagesActor.handlers.update({from_flow.ServeModules: PagesActor._serve, from_flow.BarFusing: PagesActor._bar})
