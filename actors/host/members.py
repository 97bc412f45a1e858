"""Who is on a host changes when a flow is updated: modules come and leave. Mixed into the Bridge actor."""

from __future__ import annotations

from thespian.actors import ActorAddress

from actors.host.link import Life
from actors.host.service import RUNNING, Service
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from runtimes.frames import Kind


class Members(Service):
    """The part of the Bridge actor that changes who is on its host."""

    died_adding: bool

    def receiveMsg_AddMembers(self, message: from_flow.AddMembers, _sender: ActorAddress) -> None:
        """Load them beside the others."""
        self.members |= message.members
        self.names |= message.names
        self.owed.add("loaded")
        self.adding, self.died_adding = frozenset(message.members), False
        if self.life in (Life.NONE, Life.STOPPING):
            self._tell("loaded", to_flow.LoadFailed, errors=(f"{self.flow}: the host {self.plan.key} has ended",))
        elif self.life in RUNNING:
            for member in message.members.values():
                self.send(member, to_module.HostUp())

    def give_up_adding(self, reason: str) -> None:
        """The host has died. Twice while the same modules were loaded beside the others: they come no more."""
        if self.adding and self.died_adding:
            for slot in self.adding:
                self._forget(slot)
            self.adding = frozenset()
            error = f"{self.flow}: the host {self.plan.key} died twice while the new versions were loaded: {reason}"
            self._tell("loaded", to_flow.LoadFailed, errors=(error,))
        self.died_adding = bool(self.adding)

    def receiveMsg_RemoveMembers(self, message: from_flow.RemoveMembers, _sender: ActorAddress) -> None:
        """Unload what works no more. What never worked has nothing to say: a stuck host need not answer for it."""
        self.owed.add("removed")
        running = self.life in RUNNING
        self.leaving = {slot for slot in message.slots if running and slot in self.wired}
        for slot in message.slots:
            if running and slot in self.members:
                self._request("unload", slot, Kind.UNLOAD)
            if slot not in self.leaving:
                self._forget(slot)
        self._all_unloaded()

    def _forget(self, slot: int) -> None:
        self.members.pop(slot, None)
        for table in (self.names, self.hooks, self.broken, self.suspects, self.wired):
            table.pop(slot, None)
        self.conversation.forget(slot)
        for channel in [channel for channel, (owner, _) in self.outputs.items() if owner == slot]:
            del self.outputs[channel]
        self.leaving.discard(slot)

    def _all_unloaded(self) -> None:
        if not self.leaving:
            self._tell("removed", to_flow.MembersRemoved)
            self._all_loaded()
