"""The copy of a flow that is tried: its sources are taken out, what feeds, collects and poisons is put in. Pure."""

from __future__ import annotations

import random
import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from actors.chaos.plant import EDGE, MAIN
from actors.console.errors import UserError
from actors.definition.graph import without_modules
from actors.definition.model import Flow
from actors.definition.ports import out_ports

FEED, COLLECT, POISON = "chaos_feed", "chaos_collect", "chaos_poison"
HEADER = "x-chaos"
COMMENTS = {"python3": "#", "ruby": "#", "node": "//", "php": "//", "sbcl": ";;"}  # loaded as text: cheap to change
POISONS = {
    "python3": "import os\ndef run(message, context): message and os._exit(1)\n",
    "node": "module.exports = (message) => { if (message) process.exit(1) }\n",
    "ruby": "def run(message, context) = (exit!(1) if message)\n",
}
FEED_TEXT = f"""
import flow

def run(message, context):
    value = flow.NULL if message["value"] is None else message["value"]
    context.send(message["port"], value, {{"{HEADER}": message["id"]}})
"""
COLLECT_TEXT = f"""
import hashlib, json

def plain(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {{key: plain(one) for key, one in value.items()}}
    return [plain(one) for one in value] if isinstance(value, list) else value

def run(message, context):
    text = json.dumps(plain(message), sort_keys=True, default=str)
    count = context.get("count", 0)
    id = (context.headers or {{}}).get("{HEADER}")
    context.set(f"k{{count}}", [id, hashlib.sha256(text.encode()).hexdigest()[:16], text[:80]])
    context.set("count", count + 1)
"""
_NETWORK = re.compile(
    r"\b(?:https?://|socket|urllib|requests|httpx|aiohttp|fetch\(|net/http|net\.(?:Dial|Listen|connect)|TcpStream|"
    r"reqwest|psycopg|asyncpg|pymongo|redis|paho|mqtt|kafka|nats|pika|amqp|boto3?|smtplib|usocket|drakma|dexador|"
    r"Net::HTTP|TCPSocket|curl_|fsockopen|stream_socket_client|websocket)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Copy:
    """`document` is what is tried. `collectors`: module -> the port it looks at; `entries`: a port of the feed -> where
    its messages go.
    """

    document: dict[str, Any]
    entries: dict[str, str] = field(default_factory=dict)
    collectors: dict[str, str] = field(default_factory=dict)
    poisons: dict[str, str] = field(default_factory=dict)  # port of the feed -> module
    own: tuple[str, ...] = ()  # the flow's modules that are in it

    def changed(self, rng: random.Random) -> tuple[dict[str, Any], str] | None:
        """The document with another text of a module that does the same, and which; None: none can be changed so."""
        texts = [
            name for name in self.own
            if self.document["modules"][name].get("runtime") in COMMENTS and "code" in self.document["modules"][name]
        ]  # fmt: skip
        if not texts:
            return None
        document, name = deepcopy(self.document), rng.choice(texts)
        module = document["modules"][name]
        if module["runtime"] == "php" and "?>" in module["code"]:
            return None
        module["code"] = f"{module['code'].rstrip()}\n{COMMENTS[module['runtime']]} {rng.randint(1, 10**6)}\n"
        return document, name


def dangers(flow: Flow) -> list[str]:
    """A sentence for each module that may reach what is not in the copy."""
    found = []
    for name, module in flow.modules.items():
        if writable := flow.document["modules"][name].get("limits", {}).get("writable"):
            found.append(f"{name} may write to {', '.join(writable)}")
        texts = [module.code, *module.files.values(), *module.dependencies]
        if met := next((seen[0] for text in texts if (seen := _NETWORK.search(text))), None):
            found.append(f"{name} seems to use the network: {met!r} stands in its text or dependencies")
    return found


def without_pages(flow: Flow) -> Flow:
    """There are no pages in a copy: their modules are left out. Raises UserError if others need what they send."""
    pages = {name for name, module in flow.modules.items() if module.runtime == "browser"}
    if needed := next((wire for wire in flow.wires if wire.from_module in pages and wire.to_module not in pages), None):
        raise UserError(
            f"{flow.id}: {needed.from_module} is for browsers, and {needed.to_module} gets what it sends: "
            "there are no pages in a copy"
        )
    if not pages:
        return flow
    modules = {name: module for name, module in flow.document["modules"].items() if name not in pages}
    return replace(without_modules(flow, pages), document={**flow.document, "modules": modules})


def made(flow: Flow, entries: dict[str, str], sources: frozenset[str]) -> Copy:
    """The copy that is fed at `entries` (feed's port -> `module.port`). `sources` are left out."""
    document = deepcopy(flow.document)
    for unwanted in ("tests", "origin", "tracing", "layout"):
        document.pop(unwanted, None)
    modules: dict[str, Any] = document["modules"]
    for name in sources:
        del modules[name]
    own = tuple(modules)
    for module in modules.values():
        module["runner"] = MAIN
    wires: list[Any] = [
        _wire(wire) for wire in flow.wires if wire.from_module not in sources and wire.to_module not in sources
    ]
    copy = Copy(document, dict(entries), own=own)
    _poison(copy, flow, wires)
    modules[FEED] = {
        "runtime": "python3", "code": FEED_TEXT, "isolated": True, "runner": EDGE,
        "ports": {"in": ["in"], "out": [*copy.entries, *copy.poisons] or ["none"]},
    }  # fmt: skip
    wires += [{"from": f"{FEED}.{port}", "to": place} for port, place in entries.items()]
    for number, place in enumerate(_places(flow, own)):
        name = f"{COLLECT}{number}"
        copy.collectors[name] = place
        modules[name] = {"runtime": "python3", "code": COLLECT_TEXT, "runner": EDGE}
        wires.append({"from": place, "to": f"{name}.in"})
    document["wires"] = wires
    return copy


def made_whole(flow: Flow) -> Copy:
    """The flow as it is, sources too, beside what poisons: what no wire leads to at one runner, the rest at another."""
    document = deepcopy(flow.document)
    for unwanted in ("tests", "origin", "tracing", "layout"):
        document.pop(unwanted, None)
    modules: dict[str, Any] = document["modules"]
    fed = {wire.to_module for wire in flow.wires}
    for name, module in modules.items():
        module["runner"] = MAIN if name in fed else EDGE
    copy = Copy(document, own=tuple(modules))
    wires: list[Any] = [_wire(wire) for wire in flow.wires]
    _poison(copy, flow, wires)
    modules[FEED] = {
        "runtime": "python3", "code": FEED_TEXT, "isolated": True, "runner": EDGE,
        "ports": {"in": ["in"], "out": [*copy.poisons] or ["none"]},
    }  # fmt: skip
    document["wires"] = wires
    return copy


def _wire(wire: Any) -> dict[str, Any]:
    made = {"from": f"{wire.from_module}.{wire.from_port}", "to": f"{wire.to_module}.{wire.to_port}"}
    return made if wire.delivery.name == "memory" else {**made, "delivery": wire.delivery.name}


def _poison(copy: Copy, flow: Flow, wires: list[Any]) -> None:
    """A module that dies of what it gets, in the host of others: one for each language that has a short one."""
    for runtime, text in POISONS.items():
        modules = [flow.modules[name] for name in copy.own]
        shared = [module.id for module in modules if module.runtime == runtime and not module.isolated]
        if not shared:
            continue
        neighbour = flow.document["modules"][shared[0]]
        name = f"{POISON}_{runtime}"
        copy.document["modules"][name] = {"runtime": runtime, "code": text, "runner": MAIN} | (
            {"dependencies": neighbour["dependencies"]} if "dependencies" in neighbour else {}
        )
        copy.poisons[f"poison_{runtime}"] = name
        wires.append({"from": f"{FEED}.poison_{runtime}", "to": f"{name}.in"})


def _places(flow: Flow, own: tuple[str, ...]) -> list[str]:
    """Every port that something is known to leave by."""
    places: dict[str, None] = {}
    for name in own:
        wired = [wire.from_port for wire in flow.wires if wire.from_module == name]
        for port in (*wired, *(flow.modules[name].ports_out or out_ports(flow.modules[name])[:1])):
            places[f"{name}.{port}"] = None
    for test in flow.tests:
        places |= dict.fromkeys(place for place in test.expect if place.partition(".")[0] in own)
    return list(places)


def single_paths(flow: Flow, copy: Copy) -> frozenset[str]:
    """Modules whose messages come by one way only: what they get is in the order in which it was sent."""
    feeds: dict[str, list[str]] = {name: [] for name in copy.own}
    for wire in flow.wires:
        if wire.from_module in feeds and wire.to_module in feeds:
            feeds[wire.to_module].append(wire.from_module)
    for place in copy.entries.values():
        feeds[place.partition(".")[0]].append("")
    found: set[str] = set()
    while more := {
        name for name, its in feeds.items() if name not in found and len(its) == 1 and (its[0] in found or not its[0])
    }:
        found |= more
    return frozenset(found)
