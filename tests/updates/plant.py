"""A flow of five modules that stamp every message, as a value that random updates change. Pure.

split -> left (node), split -> right (fused), both -> join, join -> out (node). Every module counts in its context and
adds [its id, its version, its count] to the stamps; its version is the number of the update that changed it last.
"""

from __future__ import annotations

import random
from typing import Any

PYTHON = """
LITERAL = {version}


def run(message, context):
    count = context.get("count{state}", 0) + 1
    context.set("count{state}", count)
    stamp = [context.module_id, max(LITERAL, context.config["v"]), count]
    return {{"n": message["n"], "stamps": [*message["stamps"], stamp]}}
"""
PYTHON_MIGRATE = """

def migrate(context, from_version):
    context.set("count{state}", context.get(f"count{{from_version}}", 0))
    context.delete(f"count{{from_version}}")
"""
NODE = """
const LITERAL = {version}
module.exports = (message, context) => {{
  const count = context.get('count{state}', 0) + 1
  context.set('count{state}', count)
  return {{ n: message.n, stamps: [...message.stamps, [context.moduleId, Math.max(LITERAL, context.config.v), count]] }}
}}
"""
NODE_MIGRATE = """
module.exports.migrate = (context, from) => {{
  context.set('count{state}', context.get('count' + from, 0))
  context.delete('count' + from)
}}
"""
MODULES = ("split", "left", "right", "join", "out")
WIRES = ["split -> left", "split -> right", "left -> join", "right -> join", "join -> out"]
KINDS = ("code", "several", "config", "wires", "language", "state", "isolated")


class Plant:
    """The flow as it is now, and what every update changed."""

    def __init__(self) -> None:
        self.version = 0
        self.modules: dict[str, dict[str, Any]] = {
            name: {"runtime": "node" if name in ("left", "out") else "python3", "version": 0, "v": 0, "state": 1}
            for name in MODULES
        }
        self.extra = False
        self.changes: list[frozenset[str]] = []  # per update (from 1) the modules that it gave a new version

    def flow(self) -> dict[str, Any]:
        """The flow file."""
        modules = {name: self._module(module) for name, module in self.modules.items()}
        wires = list(WIRES)
        if self.extra:
            code = "def run(message, context):\n    context.set('n', context.get('n', 0) + 1)\n"
            modules["extra"] = {"runtime": "python3", "code": code}
            wires.append("split -> extra")
        return {"id": "plant", "modules": modules, "wires": wires}

    def _module(self, module: dict[str, Any]) -> dict[str, Any]:
        code, migrate = (PYTHON, PYTHON_MIGRATE) if module["runtime"] == "python3" else (NODE, NODE_MIGRATE)
        text = (code + (migrate if module["state"] > 1 else "")).format(**module)
        return {
            "runtime": module["runtime"], "code": text, "config": {"v": module["v"]}, "state_version": module["state"],
            "isolated": module.get("isolated", False),
        }  # fmt: skip

    def change(self, kind: str, chance: random.Random) -> None:
        """One update."""
        self.version += 1
        count = chance.randint(2, 4) if kind == "several" else 1
        names = chance.sample(MODULES, count)
        if kind == "wires":
            self.extra = not self.extra
            names = []
        for name in names:
            module = self.modules[name]
            module["v" if kind == "config" else "version"] = self.version
            if kind == "language":
                module["runtime"] = "node" if module["runtime"] == "python3" else "python3"
            elif kind == "state":
                module["state"] += 1
            elif kind == "isolated":
                module["isolated"] = not module.get("isolated", False)
        self.changes.append(frozenset(names))


def check(got: list[dict[str, Any]], sent: int, changes: list[frozenset[str]]) -> None:
    """Every message once and in order on both ways; every count once; no message sees an update by half."""
    ways: dict[str, list[int]] = {"left": [], "right": []}
    stamps: dict[str, list[tuple[int, int]]] = {name: [] for name in MODULES}
    roots: dict[int, list[tuple[str, int]]] = {}
    for message in got:
        ways[message["stamps"][1][0]].append(message["n"])
        for module, version, count in message["stamps"]:
            stamps[module].append((count, version))
            roots.setdefault(message["n"], []).append((module, version))
    for way, numbers in ways.items():
        assert numbers == list(range(sent)), f"by {way}: {_first_wrong(numbers, sent)}"
    for module, pairs in stamps.items():
        distinct = sorted(set(pairs))  # split stamps the message that goes both ways
        counts = [count for count, _ in distinct]
        times = 2 if module in ("join", "out") else 1
        assert counts == list(range(1, times * sent + 1)), (
            f"counts of {module}: {_first_wrong(counts, times * sent, 1)}"
        )
        versions = [version for _, version in distinct]
        assert versions == sorted(versions), f"{module} went back to an earlier version"
    for n, seen in roots.items():
        for number, changed in enumerate(changes, 1):
            sides = {version >= number for module, version in seen if module in changed}
            assert len(sides) < 2, f"message {n} met both sides of update {number} of {sorted(changed)}: {seen}"


def _first_wrong(numbers: list[int], sent: int, first: int = 0) -> str:
    for index, number in enumerate(numbers):
        if number != index + first:
            return f"at {index + first} came {numbers[index : index + 5]} ({len(numbers)} of {sent} in all)"
    return f"{len(numbers)} of {sent} came"
