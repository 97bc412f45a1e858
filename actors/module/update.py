"""A module actor in an update of its flow: runs dry, hands over, takes over, is fenced. Mixed into the Module actor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.hosting import WireIn
from actors.messages import bridge_to_module as from_bridge
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.module.debug import ModuleDebug
from actors.state.module import ModuleState

log = logging.getLogger("runner.module")


class ModuleUpdate(ModuleDebug):
    """The part of the Module actor that replaces and is replaced."""

    slot: int
    feeders: dict[str, ActorAddress]
    targets: dict[str, list[tuple[ActorAddress, str]]]
    numbers: dict[str, int]
    blocked: set[str]
    holding: set[str]
    kept_back: list[from_bridge.TurnsCommitted]

    def _go_on_from(self, state: ModuleState, wires_in: dict[str, WireIn]) -> None:
        raise NotImplementedError

    def _dead_letter(self, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]) -> None:
        raise NotImplementedError

    def receiveMsg_Quiesce(self, message: from_flow.Quiesce, _sender: ActorAddress) -> None:
        """Run dry on some wires, hold the others."""
        self.state.drain(EVERY_WIRE if message.wires is None else message.wires, "update")
        self._act()

    def receiveMsg_AskDry(self, _message: from_flow.AskDry, _sender: ActorAddress) -> None:
        """Say when it is done."""
        self.state.ask_drained()
        self._act()

    def receiveMsg_DescribeContext(self, _message: from_flow.DescribeContext, sender: ActorAddress) -> None:
        """Our context as of the last commit."""
        self.send(
            sender,
            to_flow.ContextDescribed(flow=self.flow, module=self.module.id, context=dict(self.state.context)),
        )

    def receiveMsg_HandOver(self, _message: from_flow.HandOver, sender: ActorAddress) -> None:
        """The state goes to the other version; this one may get it back."""
        state, self.state = self.state, ModuleState()
        self.state.configure(slot=self.slot, wires={})
        self.state.link = state.link
        self.loaded_state = self.step = None
        self.blocked.clear()
        self.holding.clear()
        self._source_ended()
        self.source.begun(False)
        self.handlers = _REPLACED
        self.kept_back.clear()
        self.send(
            sender,
            to_flow.ModuleHandedOver(flow=self.flow, module=self.module.id, state=state, numbers=self.numbers),
        )

    def _fence(self, message: Any, _sender: ActorAddress) -> None:
        """A replaced incarnation has no say: what its code still commits (from a timer, say) is not applied."""
        what = type(message).__name__
        log.warning("%s/%s: the replaced version still works: ignored: %s", self.flow, self.module.id, what)

    def receiveMsg_TakeOver(self, message: from_flow.TakeOver, _sender: ActorAddress) -> None:
        """Go on from the state of the other version."""
        if "handlers" in vars(self):
            del self.handlers
        state = message.state
        state.move_to(self.state)
        if message.context is not None:
            state.context = message.context
        ends = message.ends
        self.numbers, self.feeders, self.targets = message.numbers, ends.feeders, ends.targets
        self._go_on_from(state, ends.wires_in)
        self._drop(ends.drop)
        self._be_provisional(ends.provisional)

    def receiveMsg_Rewire(self, message: from_flow.Rewire, _sender: ActorAddress) -> None:
        """Other wires or other actors; whoever is full says so again."""
        state = self.state
        kept = {wire for wire, feeder in self.feeders.items() if message.feeders.get(wire) == feeder}
        self.holding &= kept
        before = {(str(actor), wire) for targets in self.targets.values() for actor, wire in targets}
        after = {(str(actor), wire) for targets in message.targets.values() for actor, wire in targets}
        self.blocked &= {wire for _, wire in before & after}
        self.feeders, self.targets = message.feeders, message.targets
        state.wires = state.wires | message.wires_in
        self._drop(message.drop)
        if not self.blocked:
            state.go_on("target")
        self._update_holds()
        self._act()
        self._be_provisional(message.provisional)

    # until the update stands, what a new version has done is not seen: a refusal leaves nothing of it -----------------

    def _be_provisional(self, provisional: bool) -> None:
        if provisional:
            self.handlers = _PROVISIONAL

    def _keep_back(self, message: from_bridge.TurnsCommitted, _sender: ActorAddress) -> None:
        self.kept_back.append(message)

    def _provisional_host_down(self, message: from_bridge.HostDown, sender: ActorAddress) -> None:
        self.kept_back.clear()  # `start` is called again, or the update is refused
        self.receiveMsg_HostDown(message, sender)

    def _stand(self, message: from_flow.GoOn, sender: ActorAddress) -> None:
        """The update has succeeded."""
        del self.handlers
        kept, self.kept_back = self.kept_back, []
        for part in kept:
            self.receiveMessage(part, self.bridge)
        self.receiveMessage(message, sender)

    def _drop(self, wires: frozenset[str]) -> None:
        letters = self.state.discard(wires) if wires else ()
        error = {"type": "WireRemoved", "message": "the wire was removed while this message was queued"}
        for port, body, headers in letters:
            self._dead_letter(port, body, headers, error)
        self.gauge.pending -= len(letters)


class _EveryWire(frozenset[str]):
    """Holds every wire, those to come too."""

    def __contains__(self, _wire: object) -> bool:
        return True


EVERY_WIRE = _EveryWire()
_IGNORED = (from_bridge.TurnsCommitted, from_bridge.SourceFinished, from_bridge.TurnBegun)
_REPLACED: dict[type, Callable[..., None]] = {kind: ModuleUpdate._fence for kind in _IGNORED}
_PROVISIONAL: dict[type, Callable[..., None]] = {
    from_bridge.TurnsCommitted: ModuleUpdate._keep_back,
    from_bridge.HostDown: ModuleUpdate._provisional_host_down,
    from_flow.GoOn: ModuleUpdate._stand,
}
