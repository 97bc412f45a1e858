"""`runner graph FLOW|FILE`: the modules and wires of a flow as text, Mermaid or Graphviz's dot."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from actors.console.calls import connected, flow_of, show
from actors.console.errors import UserError
from actors.console.run import read_checked
from actors.definition.model import Flow, Wire
from actors.definition.validation import check_flow

MERMAID = {"memory": "-->", "disk": "==>", "lossy": "-.->"}
DOT = {"memory": "", "disk": "style=bold", "lossy": "style=dashed"}
TEXT = {"memory": "─▶", "disk": "═▶", "lossy": "╌▶"}


def graph(options: argparse.Namespace) -> int:
    """Of a file if it is one, else of a flow that is there."""
    flow = _found(options)
    facts = {
        "id": flow.id,
        "modules": {name: {"runtime": module.runtime} for name, module in flow.modules.items()},
        "wires": [
            {"from": f"{w.from_module}.{w.from_port}", "to": f"{w.to_module}.{w.to_port}", "delivery": w.delivery.name}
            for w in flow.wires
        ],
    }
    return show(options, facts, lambda _: "\n".join(_FORMATS[options.format](flow)))


def _found(options: argparse.Namespace) -> Flow:
    named = options.flow
    if named is not None and (Path(named).is_file() or Path(named).suffix in (".yaml", ".yml", ".json")):
        return read_checked(named)[1]
    flow_id = flow_of(options, named)
    with connected(options, flow_id) as client:
        documents = [flow for flow in client.list_flows() if flow["id"] == flow_id]
    if not documents:
        raise UserError(f"there is no flow {flow_id!r}, and no file of that name")
    document = {name: value for name, value in documents[0].items() if name != "state"}
    return check_flow(document)


def _text(flow: Flow) -> Iterator[str]:
    """A tree from each module that nothing leads to; what stands in it already is only named again."""
    yield flow.id
    leaving: dict[str, list[Wire]] = {name: [] for name in flow.modules}
    for wire in flow.wires:
        leaving[wire.from_module].append(wire)
    fed = {wire.to_module for wire in flow.wires if wire.to_module != wire.from_module}
    shown: set[str] = set()
    for name in (*(name for name in flow.modules if name not in fed), *flow.modules):  # the rest is in circles
        if name not in shown:
            shown.add(name)
            yield f"{name} ({flow.modules[name].runtime})"
            yield from _branches(flow, leaving, name, "", shown)


def _branches(flow: Flow, leaving: dict[str, list[Wire]], name: str, indent: str, shown: set[str]) -> Iterator[str]:
    wires = leaving[name]
    for number, wire in enumerate(wires, 1):
        last = number == len(wires)
        to = wire.to_module
        port = "" if wire.to_port == "in" else f".{wire.to_port}"
        what = " (above)" if to in shown else f" ({flow.modules[to].runtime})"
        label = "" if wire.from_port == "out" else f" {wire.from_port} "
        yield f"{indent}{'└' if last else '├'}─{label}{TEXT[wire.delivery.name]} {to}{port}{what}"
        if to not in shown:
            shown.add(to)
            yield from _branches(flow, leaving, to, indent + ("   " if last else "│  "), shown)


def _mermaid(flow: Flow) -> Iterator[str]:
    """The ids are numbers: a module may be called `end`."""
    numbers = {name: f"m{number}" for number, name in enumerate(flow.modules)}
    yield "flowchart LR"
    for name, module in flow.modules.items():
        yield f'  {numbers[name]}["{name}<br/>{module.runtime}"]'
    for wire in flow.wires:
        label = f'|"{_ports(wire)}"|' if _ports(wire) else ""
        yield f"  {numbers[wire.from_module]} {MERMAID[wire.delivery.name]}{label} {numbers[wire.to_module]}"


def _dot(flow: Flow) -> Iterator[str]:
    yield f"digraph {json.dumps(flow.id)} {{"
    yield "  rankdir=LR; node [shape=box];"
    for name, module in flow.modules.items():
        yield f'  {json.dumps(name)} [label="{name}\\n{module.runtime}"];'
    for wire in flow.wires:
        label = f"label={json.dumps(_ports(wire))}" if _ports(wire) else ""
        drawn = ", ".join(filter(None, (label, DOT[wire.delivery.name])))
        yield f"  {json.dumps(wire.from_module)} -> {json.dumps(wire.to_module)}{f' [{drawn}]' if drawn else ''};"
    yield "}"


def _ports(wire: Wire) -> str:
    """The ports that are not the usual ones; a port may have any name."""
    names = f"{wire.from_port} → {wire.to_port}" if wire.to_port != "in" else wire.from_port
    return "" if (wire.from_port, wire.to_port) == ("out", "in") else names.replace('"', "'").replace("\n", " ")


_FORMATS: dict[str, Callable[[Flow], Iterator[str]]] = {"text": _text, "mermaid": _mermaid, "dot": _dot}
