"""A random flow of the swarm's modules, its changes, and what must arrive at each of its collectors."""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from actors.chaos.swarm.kinds import COMMENTS, TEXTS, Message, reading, results, runtimes_of

FLOW = "swarm"
MAX_MESSAGES = 25_000  # over all wires: what a seed may cost
KINDS = ["map", "map", "map", "map", "map", "filter", "dup", "fail", "retry", "overlap", "loop", "headers",
         "headers_check"]  # fmt: skip
CHANGES = ["text", "text", "config", "runtime", "version", "watch", "unwatch", "isolate", "order", "timeout"]
VERSIONS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Module:
    """A module of the flow file, before it is one."""

    kind: str
    runtime: str
    config: dict[str, Any]
    nonce: int = 0  # in a comment: another text that does the same
    fields: dict[str, Any] = field(default_factory=dict)
    error_wired: bool = False

    def document(self) -> dict[str, Any]:
        """As the flow file has it."""
        text = TEXTS[self.kind][self.runtime]
        if self.nonce:
            text += f"\n{COMMENTS.get(self.runtime, '//')} {self.nonce}\n"
        return {"runtime": self.runtime, "code": text, "config": self.config, **self.fields}


@dataclass
class Version:
    """One version of the flow: modules and wires (`module.port`, `module.port`), in the order of the file."""

    modules: dict[str, Module] = field(default_factory=dict)
    wires: list[tuple[str, str]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As a flow file has it."""
        return {
            "id": FLOW, "modules": {name: module.document() for name, module in self.modules.items()},
            "wires": [{"from": source, "to": target} for source, target in self.wires], "drain_timeout_s": 8,
        }  # fmt: skip

    def working(self) -> list[str]:
        """The modules that are neither collectors nor observers."""
        return [name for name, module in self.modules.items() if module.kind != "collect"]


@dataclass
class Expectation:
    """What must have happened when everything has been handled."""

    arrived: dict[str, int] = field(default_factory=dict)  # per module
    dead: dict[str, int] = field(default_factory=dict)  # dead letters per module
    sent: dict[tuple[str, str], dict[str, list[Message]]] = field(default_factory=dict)  # per port and path, in order
    worth: dict[str, int] = field(default_factory=dict)  # what collectors get at most of one message of a module


class RandomFlow:
    """`first` is the flow as it begins; `collectors` are the modules that keep what leaves a port."""

    def __init__(
        self, rng: random.Random, *, compiled: bool, messages: int, missing: frozenset[str] = frozenset()
    ) -> None:
        self.rng, self.compiled, self.messages, self.missing = rng, compiled, messages, missing
        while True:
            self._make()
            everything = {e: [self.message(e, i) for i in range(messages)] for e in self.entries}
            paths = self.expect(everything).sent.values()
            if sum(len(some) for per_path in paths for some in per_path.values()) < MAX_MESSAGES:
                return

    def message(self, entry: str, number: int) -> Message:
        """The number-th message that is sent to an entry over the API."""
        return reading(f"api-{entry}", number) | {"path": "api"}

    def expect(self, accepted: dict[str, list[Message]]) -> Expectation:
        """For these messages over the API, and all that the sources send."""
        expected = Expectation()
        targets: dict[str, list[str]] = {}
        for source, target in self.first.wires:
            targets.setdefault(source, []).append(target.partition(".")[0])

        def send(module: str, port: str, message: Message) -> int:
            expected.sent.setdefault((module, port), {}).setdefault(message["path"], []).append(message)
            return sum([take(target, message) for target in targets.get(f"{module}.{port}", ())])

        def take(name: str, message: Message) -> int:
            expected.arrived[name] = expected.arrived.get(name, 0) + 1
            module = self.first.modules[name]
            if module.kind == "collect":
                count = 1
            elif (sent := results(module.kind, name, module.config, message)) is not None:
                count = sum([send(name, port, result) for port, result in sent])
            elif module.error_wired:
                count = send(name, "error", message)
            else:
                count = 0
                expected.dead[name] = expected.dead.get(name, 0) + 1
            expected.worth[name] = max(count, expected.worth.get(name, 0))
            return count

        for name in self.sources:
            for number in range(1, self.first.modules[name].config["readings"] + 1):
                send(name, "out", reading(name, number))
        for name, messages in accepted.items():
            for message in messages:
                take(name, message)
        return expected

    # another version, which does the same ---------------------------------------------------------------------------

    def changed(self, version: Version) -> tuple[Version, list[str]]:
        """A version with some changes that no collector may notice, and which."""
        version, said = deepcopy(version), []
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            name = self.rng.choice([n for n in version.modules if not n.startswith("observer")])
            change = self.rng.choice(CHANGES)
            self._change(version, name, change)
            said.append(f"{change} {name}")
        return version, said

    def _change(self, version: Version, name: str, change: str) -> None:
        module, rng = version.modules[name], self.rng
        match change:
            case "text":
                module.nonce = rng.randint(1, 10**6)
            case "config":
                module.config["unused"] = rng.randint(1, 10**6)
            case "runtime" if module.kind != "retry":  # what it has seen is kept in its process
                module.runtime = rng.choice(runtimes_of(module.kind, self.compiled, self.missing))
            case "version":
                self.count_versions += 1
                for each in version.modules.values():
                    each.config["version"] = VERSIONS[self.count_versions % len(VERSIONS)]
            case "watch":
                self.count_observers += 1
                observer = f"observer{self.count_observers}"
                version.modules[observer] = Module(
                    "collect", rng.choice([one for one in ("python3", "node") if one not in self.missing]), {}
                )
                version.wires.append((f"{rng.choice(version.working())}.out", f"{observer}.in"))
            case "unwatch":
                observers = [n for n in version.modules if n.startswith("observer")]
                if observers:
                    gone = rng.choice(observers)
                    del version.modules[gone]
                    version.wires = [wire for wire in version.wires if wire[1] != f"{gone}.in"]
            case "isolate" if module.kind != "source":
                _toggle(module.fields, "isolated", True)
            case "order":
                rng.shuffle(version.wires)
            case "timeout" if module.kind not in ("overlap", "source"):
                _toggle(module.fields, "timeout_s", 25)

    # making it -------------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        rng = self.rng
        self.first = Version()
        self.entries, self.sources = [f"entry{i}" for i in range(rng.randint(1, 2))], list[str]()
        self.collectors: dict[str, tuple[str, str]] = {}
        self.count_observers = self.count_versions = 0
        outs = []
        for name in self.entries:
            self._add(name, rng.choice(["map", "headers"]))
            outs.append(name)
        for index in range(rng.randint(0 if self.messages else 1, 2)):
            name = f"source{index}"
            module = self._add(name, "source")
            module.config |= {"readings": rng.choice([100, 300, 600]), "pause_ms": rng.choice([1, 10, 60])}
            self.sources.append(name)
            outs.append(name)
        for index in range(rng.randint(3, 8)):
            name = f"stage{index}"
            self._stage(name, rng.sample(outs[-5:], min(len(outs[-5:]), rng.choice([1, 1, 1, 2, 3]))))
            outs.append(name)
        self._collect_all()
        rng.shuffle(self.first.wires)

    def _stage(self, name: str, feeders: list[str]) -> None:
        kind = self.rng.choice(KINDS)
        module = self._add(name, kind)
        self.first.wires += [(f"{feeder}.out", f"{name}.in") for feeder in feeders]
        if kind == "loop" and self.rng.random() < 0.5:
            self._add(f"{name}_back", "map")
            self.first.wires += [(f"{name}.again", f"{name}_back.in"), (f"{name}_back.out", f"{name}.in")]
        elif kind == "loop":
            self.first.wires.append((f"{name}.again", f"{name}.in"))
        module.error_wired = kind == "fail" and self.rng.random() < 0.6

    def _add(self, name: str, kind: str) -> Module:
        rng = self.rng
        config = {
            "id": name, "factor": rng.randint(2, 99), "offset": rng.randint(0, 999), "divisor": rng.choice([3, 5, 11]),
            "version": "a", "counts": rng.random() < 0.5,
        }  # fmt: skip
        module = Module(kind, rng.choice(runtimes_of(kind, self.compiled, self.missing)), config)
        self.first.modules[name] = module
        if kind == "overlap":
            module.fields["concurrency"] = rng.choice([2, 8])
        if kind == "retry":
            module.fields["retry"] = {"times": 30, "backoff_s": rng.choice([0, 0.005])}
            config["divisor"] = rng.choice([7, 31])
        if kind != "source" and rng.random() < 0.2:
            module.fields["isolated"] = True
        if kind not in ("overlap", "source") and rng.random() < 0.08:
            module.fields["timeout_s"] = 30
        if rng.random() < 0.06:
            module.fields["limits"] = {"memory_mb": 1500}
        return module

    def _collect_all(self) -> None:
        used = {source.partition(".")[0] for source, _ in self.first.wires}
        for name, module in list(self.first.modules.items()):
            if name not in used or self.rng.random() < 0.35:
                self._collect(name, "out")
            if module.error_wired:
                self._collect(name, "error")

    def _collect(self, name: str, port: str) -> None:
        collector = f"collector{len(self.collectors)}"
        self._add(collector, "collect").fields.pop("timeout_s", None)
        self.first.wires.append((f"{name}.{port}", f"{collector}.in"))
        self.collectors[collector] = name, port


def _toggle(fields: dict[str, Any], name: str, value: Any) -> None:
    if fields.pop(name, None) is None:
        fields[name] = value
