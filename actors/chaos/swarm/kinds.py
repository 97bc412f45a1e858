"""What the swarm's modules do: their texts in every language (`modules/KIND/RUNTIME.*`), and the same as a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Message = dict[str, Any]
Sent = list[tuple[str, Message]]  # port and message, in order
PRIME = 1000003
COMPILED = frozenset({"go", "rust", "sbcl"})
COMMENTS = {"python3": "#", "ruby": "#", "sbcl": ";;"}  # others: //
TEXTS: dict[str, dict[str, str]] = {
    folder.name: {file.stem: file.read_text("utf-8") for file in sorted(folder.iterdir()) if file.is_file()}
    for folder in sorted((Path(__file__).parent / "modules").iterdir())
}


def runtimes_of(kind: str, compiled: bool, missing: frozenset[str] = frozenset()) -> list[str]:
    """The languages that a kind of module is written in, without those that are `missing` here."""
    return [runtime for runtime in TEXTS[kind] if runtime not in missing and (compiled or runtime not in COMPILED)]


def reading(origin: str, number: int) -> Message:
    """What a source called `origin` sends as its number-th message."""
    return {
        "origin": origin, "number": number, "value": number * 7919 % PRIME, "path": origin, "loops": number % 3,
        "versions": "",
    }  # fmt: skip


def results(kind: str, module: str, config: dict[str, Any], message: Message) -> Sent | None:
    """What a module sends for a message; None: it fails."""
    made = {**message, "path": f"{message['path']}/{module}"}
    match kind:
        case "map":
            return [("out", {**made, "value": (message["value"] * config["factor"] + config["offset"]) % PRIME})]
        case "filter":
            return [("out", made)] if message["value"] % config["divisor"] else []
        case "dup":
            return [("out", {**made, "path": f"{made['path']}.{j}"}) for j in range(2)]
        case "fail":
            return [("out", made)] if message["value"] % config["divisor"] else None
        case "loop" if message["loops"]:
            return [("again", {**made, "loops": message["loops"] - 1})]
    return [("out", made)]
