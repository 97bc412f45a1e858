"""Which numbers the parts of a host have: slots, channels and the wires that may be fused. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from actors.definition import graph
from actors.definition.deliveries import MEMORY, Delivery
from actors.definition.model import Flow, FlowError
from actors.definition.share import Share

MAX_NUMBERS = 65_535  # of slots, and of channels each way: the link protocol has 16 bits, and 65535 means every slot
InputWire = tuple[str, str, str]  # module, port, wire
OutputPort = tuple[str, str]  # module, port


class WireIn(NamedTuple):
    """An input wire: the number of its end in the host and how it behaves."""

    channel: int
    port: str = "in"
    delivery: Delivery = MEMORY
    feedback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """The wiring of one host.

    `modules`: slot -> module, feeders before their targets; `inputs`: channel -> (slot, port, wire);
    `outputs`: channel -> (slot, port) that is wired; `fusable`: (from slot, from port, to slot, to port, wire);
    `outside`: channels of outputs with a target that is not fusable.
    """

    key: str
    runtime: str
    modules: dict[int, str]
    inputs: dict[int, tuple[int, str, str]]
    outputs: dict[int, tuple[int, str]]
    fusable: tuple[tuple[int, str, int, str, str], ...] = ()
    outside: frozenset[int] = frozenset()

    def with_input(self, slot: int, port: str, wire: str, avoid: Collection[int] = ()) -> tuple[HostPlan, int]:
        """The plan with one more input wire, and its channel: none of `avoid`, which another plan of the host uses."""
        channel = _free({*self.inputs, *avoid})
        self._check(channel, "input wires")
        return replace(self, inputs={**self.inputs, channel: (slot, port, wire)}), channel

    def with_output(self, slot: int, port: str) -> HostPlan:
        """The plan with a receiver outside the host for this out-port."""
        channels = {output: channel for channel, output in self.outputs.items()}
        channel = channels.get((slot, port), _free(self.outputs))
        self._check(channel, "out-ports with a wire")
        return replace(self, outputs={**self.outputs, channel: (slot, port)}, outside=self.outside | {channel})

    def _check(self, number: int, what: str) -> None:
        if number >= MAX_NUMBERS:
            raise FlowError([too_many(self.key, what)])

    def has_room(self, share: Share, fresh: Collection[str]) -> bool:
        """Whether `fresh` modules of a share, with their wires, find numbers beside all that are used."""
        most = max(len(share.modules), len(share.wires))
        if most + max(len(self.modules), len(self.inputs), len(self.outputs)) <= MAX_NUMBERS:
            return True
        fresh = {module for module in fresh if graph.host_key(share.modules[module]) == self.key}
        ends = [share.ends_of(module) for module in fresh]
        outs = {(wire.from_module, wire.from_port) for some in ends for wire in some.outputs}
        ins = sum(len(some.inputs) for some in ends)
        more = ((self.modules, len(fresh)), (self.inputs, ins), (self.outputs, len(outs)))
        return all(len(used) + count <= MAX_NUMBERS for used, count in more)

    def showing(self, places: Iterable[tuple[int, str]], *, on: bool) -> HostPlan:
        """The plan with a channel to the runner for these out-ports, which nobody receives from; or without."""
        channels = {output: channel for channel, output in self.outputs.items()}
        outputs, outside = dict(self.outputs), set(self.outside)
        for place in places:
            channel = channels.get(place, _free(outputs))
            if on and channel < MAX_NUMBERS:
                outputs[channel] = place
                outside.add(channel)
            elif not on:
                outside.discard(channel)
        return replace(self, outputs=outputs, outside=frozenset(outside))

    def without_output(self, slot: int, port: str) -> HostPlan:
        """The plan without that receiver; the channel stays taken, for what is on its way."""
        return replace(self, outside=self.outside - {n for n, output in self.outputs.items() if output == (slot, port)})

    def wirings(self, fused: frozenset[str]) -> dict[int, dict[str, Any]]:
        """The body of WIRES for every slot when the wires `fused` are fused."""
        bodies: dict[int, dict[str, Any]] = {slot: {"in": {}, "out": {}} for slot in self.modules}
        for channel, (slot, port, wire) in self.inputs.items():
            bodies[slot]["in"][str(channel)] = [port, wire]
        for channel, (slot, port) in self.outputs.items():
            bodies[slot]["out"][port] = {"channel": channel, "ids": False, "fused": []}
        for from_slot, from_port, to_slot, to_port, wire in self.fusable:
            out = bodies[from_slot]["out"][from_port]
            if wire in fused:
                out["fused"].append([to_slot, to_port, wire])
            else:
                out["ids"] = True
        for channel, (slot, port) in self.outputs.items():
            out = bodies[slot]["out"][port]
            if out["ids"] or channel in self.outside:
                continue
            if out["fused"]:
                out["channel"] = None
            else:
                del bodies[slot]["out"][port]
        return bodies


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A share's plan per host key, the place (host key, slot) of every module that is here, and its input wires."""

    plans: dict[str, HostPlan]
    places: dict[str, tuple[str, int]]
    wires_in: dict[str, dict[str, WireIn]]


class _Numbers:
    """Gives things the number they had before, others one that nobody has had."""

    def __init__(self, before: Mapping[int, Any]) -> None:
        self._taken = set(before)
        self.numbers: dict[Any, int] = {}

    def number(self, thing: Any) -> int:
        """The number of a thing."""
        number = self.numbers.get(thing)
        if number is None:
            number = self.numbers[thing] = _free(self._taken)
            self._taken.add(number)
        return number


def lay_out(
    share: Share,
    *,
    inputs: Iterable[InputWire] = (),
    outputs: Iterable[OutputPort] = (),
    before: Mapping[str, HostPlan] | None = None,
    moved: Collection[str] = (),
) -> Layout:
    """The numbers of a flow's share with the given wires from and to the outside.

    In the hosts of `before`, which stay, modules that are not `moved` keep their slots and channels (also of wires
    that only the host knows, from the API), and no number of `before` is given to anything else.
    """
    feedback = graph.feedback_wires(share.flow)
    fusable = graph.fusable_wires(share, feedback)
    order = {module: index for index, module in enumerate(graph.runner_order(share.flow))}
    drafts: dict[str, _Draft] = {}
    places: dict[str, tuple[str, int]] = {}
    for key, members in graph.host_groups(share).items():
        draft = drafts[key] = _Draft(key, share.modules[members[0]].runtime, (before or {}).get(key), moved)
        for module in sorted(members, key=order.__getitem__):
            places[module] = (key, draft.slots.number(module))
            draft.modules[places[module][1]] = module
    wires_in: dict[str, dict[str, WireIn]] = {module: {} for module in share.modules}
    for wire in share.wires:
        if wire.to_module in places:
            key, slot = places[wire.to_module]
            channel = drafts[key].channels_in.number((slot, wire.to_port, wire.id))
            wires_in[wire.to_module][wire.id] = WireIn(channel, wire.to_port, wire.delivery, wire.id in feedback)
        if wire.from_module in places and wire.from_port != "error":  # on that one the runner itself sends
            key, slot = places[wire.from_module]
            target = (places[wire.to_module][1], wire.to_port, wire.id) if wire.id in fusable else None
            drafts[key].add_output(slot, wire.from_port, target)
    for module, port, wire_id in inputs:  # one of the flow's own wires is known: it comes from elsewhere
        key, slot = places[module]
        channel = drafts[key].channels_in.number((slot, port, wire_id))
        wires_in[module].setdefault(wire_id, WireIn(channel, port))
    for draft in drafts.values():
        for (slot, port, wire_id), channel in draft.channels_in.numbers.items():
            if slot in draft.modules:
                wires_in[draft.modules[slot]].setdefault(wire_id, WireIn(channel, port))
    for module, port in outputs:
        if port != "error":
            key, slot = places[module]
            drafts[key].add_output(slot, port)
    return Layout(plans={key: draft.plan() for key, draft in drafts.items()}, places=places, wires_in=wires_in)


class _Draft:
    """A host's plan while it is made."""

    def __init__(self, key: str, runtime: str, before: HostPlan | None, moved: Collection[str]) -> None:
        self.key, self.runtime = key, runtime
        old = before or HostPlan(key=key, runtime=runtime, modules={}, inputs={}, outputs={})
        self.slots, self.channels_in = _Numbers(old.modules), _Numbers(old.inputs)
        self.channels_out = _Numbers(old.outputs)
        kept = {slot: module for slot, module in old.modules.items() if module not in moved}
        self.slots.numbers.update({module: slot for slot, module in kept.items()})
        self.channels_in.numbers.update({entry: n for n, entry in old.inputs.items() if entry[0] in kept})
        self.channels_out.numbers.update({entry: n for n, entry in old.outputs.items() if entry[0] in kept})
        self.modules: dict[int, str] = {}
        self.fusable: list[tuple[int, str, int, str, str]] = []
        self.outside: set[int] = set()

    def add_output(self, slot: int, port: str, fused: tuple[int, str, str] | None = None) -> None:
        """Somebody receives from an out-port: a slot of this host (at its port, on a wire), or else the runner."""
        channel = self.channels_out.number((slot, port))
        if fused is None:
            self.outside.add(channel)
        else:
            self.fusable.append((slot, port, *fused))

    def plan(self) -> HostPlan:
        wired = {(slot, port) for slot, port, *_ in self.fusable}
        outputs = {
            channel: output for output, channel in self.channels_out.numbers.items()
            if channel in self.outside or output in wired
        }  # fmt: skip
        return HostPlan(
            key=self.key, runtime=self.runtime, modules=self.modules, outputs=outputs,
            inputs={n: entry for entry, n in self.channels_in.numbers.items() if entry[0] in self.modules},
            fusable=tuple(self.fusable), outside=frozenset(self.outside),
        )  # fmt: skip


def too_many(key: str, what: str, count: int | None = None) -> str:
    """A host would have more of something than there are numbers."""
    many = "too many" if count is None else f"{count:,}"
    limit = f"a host takes {MAX_NUMBERS:,}; `isolated` gives a module its own"
    return f"the host {key} would have {many} {what}, and {limit}"


def crowded(flow: Flow) -> Iterator[str]:
    """What of a flow does not fit into its hosts."""
    if max(len(flow.modules), len(flow.wires)) <= MAX_NUMBERS:
        return
    host = {module: key for key, modules in graph.host_groups(Share.whole(flow)).items() for module in modules}
    out_ports = {(wire.from_module, wire.from_port) for wire in flow.wires}
    for what, modules in (
        ("modules", list(flow.modules)),
        ("input wires", [wire.to_module for wire in flow.wires]),
        ("out-ports with a wire", [module for module, _ in out_ports]),
    ):
        for key, count in Counter(host[module] for module in modules).items():
            if count > MAX_NUMBERS:
                yield too_many(key, what, count)


def _free(taken: Collection[int]) -> int:
    number = len(taken)
    while number in taken:
        number -= 1
    return number
