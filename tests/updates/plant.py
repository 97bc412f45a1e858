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


class Check:
    """Every message once and in order on every way; every count once; no message meets both sides of an update.

    Messages come by the ways left and right from `split`, and perhaps beside them, sent to `join` itself.
    """

    def __init__(self, changes: list[frozenset[str]]) -> None:
        self.changes = changes
        self.next: dict[str, int] = {"left": 0, "right": 0, "beside": 0}
        self.last: dict[tuple[str, str], tuple[int, int]] = {}  # module, way -> its last version and count
        self.waiting: dict[int, list[tuple[str, int]]] = {}  # what has come by one of two ways: module and version
        self.known: dict[tuple[tuple[str, int], ...], str | None] = {}

    def add(self, message: dict[str, Any]) -> None:
        """The next message that left the flow."""
        stamps, n = message["stamps"], message["n"]
        way = "beside" if stamps[0][0] == "join" else stamps[1][0]
        assert n == self.next[way], f"by {way}: {n} came instead of {self.next[way]}"
        self.next[way] += 1
        for module, version, count in stamps:
            key = (module, "" if module in ("join", "out") else way)
            before, last = self.last.get(key, (0, 0))
            assert count == last + 1, f"{module} counted {count} after {last}"
            assert version >= before, f"{module} went back from version {before} to {version}"
            self.last[key] = version, count
        seen = [(module, version) for module, version, _ in stamps]
        if way != "beside":
            if n not in self.waiting:
                self.waiting[n] = seen
                return
            seen = self.waiting.pop(n) + seen
        wrong = self._mixed(tuple(sorted(set(seen))))
        assert wrong is None, f"message {n} by {way} met both sides of {wrong}"

    def _mixed(self, seen: tuple[tuple[str, int], ...]) -> str | None:
        if seen not in self.known:
            self.known[seen] = None
            for number, changed in enumerate(self.changes, 1):
                if len({version >= number for module, version in seen if module in changed}) > 1:
                    self.known[seen] = f"update {number} of {sorted(changed)}: {seen}"
        return self.known[seen]

    def end(self, sent: int, beside: int = 0) -> None:
        """That was all."""
        assert self.next == {"left": sent, "right": sent, "beside": beside}
        assert not self.waiting
        counts = {key: count for key, (_, count) in self.last.items()}
        both = dict.fromkeys([("split", "left"), ("split", "right"), ("left", "left"), ("right", "right")], sent)
        assert counts == {**both, **dict.fromkeys([("join", ""), ("out", "")], 2 * sent + beside)}
