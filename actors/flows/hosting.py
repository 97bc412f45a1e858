"""Which numbers the parts of one host have: slots, channels and the wires that may be fused. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """The wiring of one host. Slots and channels are indexes into these tuples.

    `modules` in topological order; `inputs`: (slot, port, wire); `outputs`: (slot, port) that is wired;
    `fusable`: (from slot, from port, to slot, to port, wire); `outside`: indexes of outputs with
    a target that is not fusable.
    """

    key: str
    runtime: str
    modules: tuple[str, ...]
    inputs: tuple[tuple[int, str, str], ...]
    outputs: tuple[tuple[int, str], ...]
    fusable: tuple[tuple[int, str, int, str, str], ...] = ()
    outside: frozenset[int] = frozenset()

    def with_input(self, slot: int, port: str, wire: str) -> tuple[HostPlan, int]:
        """The plan with one more input wire, and its channel."""
        return replace(self, inputs=(*self.inputs, (slot, port, wire))), len(self.inputs)

    def with_output(self, slot: int, port: str) -> HostPlan:
        """The plan with a receiver outside the host for this out-port."""
        outputs = self.outputs if (slot, port) in self.outputs else (*self.outputs, (slot, port))
        return replace(self, outputs=outputs, outside=self.outside | {outputs.index((slot, port))})

    @property
    def fusable_wires(self) -> frozenset[str]:
        """The ids of all wires that may be fused."""
        return frozenset(wire for *_, wire in self.fusable)

    def wirings(self, fused: frozenset[str]) -> list[dict[str, Any]]:
        """The bodies of WIRES for every slot when the wires `fused` are fused."""
        bodies: list[dict[str, Any]] = [{"in": {}, "out": {}} for _ in self.modules]
        for channel, (slot, port, wire) in enumerate(self.inputs):
            bodies[slot]["in"][str(channel)] = [port, wire]
        for channel, (slot, port) in enumerate(self.outputs):
            bodies[slot]["out"][port] = {"channel": channel, "ids": False, "fused": []}
        for from_slot, from_port, to_slot, to_port, wire in self.fusable:
            out = bodies[from_slot]["out"][from_port]
            if wire in fused:
                out["fused"].append([to_slot, to_port, wire])
            else:
                out["ids"] = True
        for channel, (slot, port) in enumerate(self.outputs):
            out = bodies[slot]["out"][port]
            if out["fused"] and not out["ids"] and channel not in self.outside:
                out["channel"] = None
        return bodies
