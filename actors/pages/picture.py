"""What a page is told of a flow: its shape as a whole, and all of the modules that run in pages. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from actors.definition import graph
from actors.definition.hosting import HostPlan
from actors.definition.share import Share
from actors.host.load import load_body

_EMPTY_CONTEXT = b',"context":{}}'


def picture_of(
    share: Share,
    plan: HostPlan,
    units: Mapping[str, str],
    serving: Collection[int],
    barred: Collection[str] | None,
    running: bool,
) -> dict[str, Any]:
    """`units`: of modules with packages; `serving`: slots of the plan; what goes into modules that are `barred` (None:
    all) is to pass by the runner.
    """
    flow = share.flow
    return {
        "flow": flow.id, "running": running,
        "modules": {
            name: {
                "runtime": module.runtime, "runner": module.runner, "in": module.ports_in, "out": module.ports_out,
            }
            for name, module in flow.modules.items()
        },
        "wires": [
            {"from": f"{wire.from_module}.{wire.from_port}", "to": f"{wire.to_module}.{wire.to_port}"}
            for wire in flow.wires
        ],
        "here": {
            plan.modules[slot]: {**_module(share, plan.modules[slot], units), "out": _ports(plan, slot, barred)}
            for slot in plan.modules if slot in serving
        },
    }  # fmt: skip


def _module(share: Share, name: str, units: Mapping[str, str]) -> dict[str, Any]:
    """`load`: the beginning of LOAD's body, as text: the page adds its context to it."""
    flow, module = share.flow, share.modules[name]
    body = load_body(flow.id, module, flow.max_turn_bytes, {}, units.get(name), {})
    return {
        "version": graph.module_version(module), "load": body.removesuffix(_EMPTY_CONTEXT).decode(),
        "stateVersion": module.state_version, "window": module.window, "timeoutS": module.timeout_s,
        "isolated": module.isolated,
    }  # fmt: skip


def _ports(plan: HostPlan, slot: int, barred: Collection[str] | None) -> dict[str, Any]:
    """Port -> the places in the page that all of its messages go to, or None: they go to the runner."""
    found: dict[str, Any] = {}
    for channel, (of, port) in plan.outputs.items():
        if of != slot:
            continue
        targets = [
            [plan.modules[to], to_port, wire]
            for from_slot, from_port, to, to_port, wire in plan.fusable
            if (from_slot, from_port) == (slot, port)
        ]
        seen = barred is None or any(module in barred for module, _, _ in targets)
        if channel in plan.outside or targets:
            found[port] = None if channel in plan.outside or seen else targets
    return found
