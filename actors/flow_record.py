"""What the runner keeps of one flow, and how its modules are laid out over hosts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress

from actors.flows import graph
from actors.flows.hosting import HostPlan
from actors.flows.model import Flow
from actors.gauge import Gauge
from actors.module_state import ModuleState, WireIn
from actors.operation import Operation, Steps

MAX_DEAD_LETTERS = 10_000
MAX_DEAD_LETTER_BYTES = 64 << 20


@dataclass(slots=True)
class DeadLetter:
    """A message that could not be handled; `message` is encoded."""

    id: str
    module: str
    port: str
    message: bytes
    headers: bytes | None
    error: dict[str, Any]
    time: float


@dataclass(slots=True)
class Attachment:
    """A feed or a sink: it stays attached when the flow's actors are replaced."""

    module: str
    port: str
    wire: str
    actor: ActorAddress


@dataclass(slots=True)
class FlowRecord:
    """One flow: its definition, its actors, its state, and the operations that wait for their turn."""

    flow: Flow
    left_out: dict[str, str]  # optional modules and why they are left out
    state: str = "stopped"
    failed_for: tuple[str, ...] = ()
    modules: dict[str, ActorAddress] = field(default_factory=dict)
    bridges: dict[str, ActorAddress] = field(default_factory=dict)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)  # module -> host key, slot
    gauge: Gauge = field(default_factory=Gauge)
    feeds: list[Attachment] = field(default_factory=list)
    sinks: list[Attachment] = field(default_factory=list)
    input_numbers: dict[str, int] = field(default_factory=dict)
    dead_letters: deque[DeadLetter] = field(default_factory=deque)
    dead_letter_bytes: int = 0
    dead_letter_count: int = 0
    source_errors: list[str] = field(default_factory=list)
    watcher: ActorAddress | None = None
    mute_sources: bool = False
    receipt: dict[str, Any] | None = None
    operation: Operation | None = None
    waiting: deque[tuple[Callable[[], Steps], Callable[[Any], None]]] = field(default_factory=deque)


def lay_out(flow: Flow) -> tuple[dict[str, HostPlan], dict[str, dict[str, WireIn]]]:
    """The plan of every host, and the input wires of every module with their channels."""
    feedback = graph.feedback_wires(flow)
    fusable = graph.fusable_wires(flow, feedback)
    order = {module: index for index, module in enumerate(graph.runner_order(flow))}
    plans: dict[str, HostPlan] = {}
    places: dict[str, tuple[str, int]] = {}
    for key, members in graph.host_groups(flow).items():
        modules = tuple(sorted(members, key=order.__getitem__))
        places.update({module: (key, slot) for slot, module in enumerate(modules)})
        plans[key] = HostPlan(key=key, runtime=flow.modules[modules[0]].runtime, modules=modules, inputs=(), outputs=())
    inputs: dict[str, list[tuple[int, str, str]]] = {key: [] for key in plans}
    outputs: dict[str, dict[tuple[int, str], int]] = {key: {} for key in plans}
    outside: dict[str, set[int]] = {key: set() for key in plans}
    inside: dict[str, list[tuple[int, str, int, str, str]]] = {key: [] for key in plans}
    wires_in: dict[str, dict[str, WireIn]] = {module: {} for module in flow.modules}
    for wire in flow.wires:
        to_key, to_slot = places[wire.to_module]
        from_key, from_slot = places[wire.from_module]
        wires_in[wire.to_module][wire.id] = WireIn(
            len(inputs[to_key]), wire.to_port, wire.delivery == "lossy", wire.id in feedback
        )
        inputs[to_key].append((to_slot, wire.to_port, wire.id))
        if wire.from_port == "error":
            continue  # the runner itself sends on it
        channel = outputs[from_key].setdefault((from_slot, wire.from_port), len(outputs[from_key]))
        if wire.id in fusable:
            inside[from_key].append((from_slot, wire.from_port, to_slot, wire.to_port, wire.id))
        else:
            outside[from_key].add(channel)
    return {
        key: HostPlan(
            key=key, runtime=plan.runtime, modules=plan.modules, inputs=tuple(inputs[key]),
            outputs=tuple(outputs[key]), fusable=tuple(inside[key]), outside=frozenset(outside[key]),
        )
        for key, plan in plans.items()
    }, wires_in  # fmt: skip


def orphan_wires(state: ModuleState, known: dict[str, WireIn]) -> dict[str, str]:
    """Wires that a taken-over mailbox still has messages of but the flow has no more, and their ports."""
    segments = [*state.window, *state.ready, *state.held]
    return {s.wire: state.wires[s.wire].port for s in segments if s.wire not in known}
