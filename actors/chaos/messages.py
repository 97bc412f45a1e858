"""What a copy is fed with: the user's lines, the flow's tests, what its sources send, or what is made up. Pure."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.definition.model import Flow, Module

MAX_LINES = 100_000
_FIELD = re.compile(
    r"""\b(?:message|msg|m|event|value|v)\b(?:\[\s*["'](\w+)["']\s*\]|\.(\w+)\b(?!\()|\.get\(\s*["'](\w+)["'])"""
)


def of_files(inputs: list[str], flow: Flow) -> dict[str, list[Any]]:
    """Of `-i MODULE.PORT=FILE`, NDJSON: place -> messages. Raises UserError."""
    found: dict[str, list[Any]] = {}
    for text in inputs:
        place, equals, name = text.partition("=")
        module, _, port = place.partition(".")
        if not equals or not name or name == "-":
            raise UserError(f"-i takes MODULE.PORT=FILE, not {text!r}", usage=True)
        if module not in flow.modules:
            raise UserError(f"-i: {flow.id} has no module {module!r}; there are {', '.join(flow.modules)}", usage=True)
        lines = Path(name).read_text("utf-8").splitlines()[:MAX_LINES]
        values = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    values.append(json.loads(line))
                except ValueError as error:
                    raise UserError(f"{name}:{number}: this line is not JSON: {error}") from None
        found.setdefault(f"{module}.{port or 'in'}", []).extend(values)
    return found


def of_tests(flow: Flow) -> dict[str, list[Any]]:
    """What the flow's tests send."""
    found: dict[str, list[Any]] = {}
    for test in flow.tests:
        for place, values in test.send.items():
            module, _, port = place.partition(".")
            found.setdefault(f"{module}.{port or 'in'}", []).extend(values)
    return found


def made_up(module: Module, rng: random.Random) -> list[Any]:
    """JSON values of all kinds; most are objects with the fields that the module's text asks for."""
    names = sorted({next(filter(None, found)) for found in _FIELD.findall(module.code)} - {"headers", "length"})

    def value(depth: int = 0) -> Any:
        return rng.choice([rng.randint(-9, 999), rng.random() * 100, "text", True, None, [1, "a"] if depth else 7])

    objects = [{name: rng.choice([rng.randint(0, 99), f"{name}{rng.randint(0, 9)}"]) for name in names}
               for _ in range(12 if names else 2)]  # fmt: skip
    return [*objects, *(value(1) for _ in range(4 if names else 14))]


def roots(flow: Flow) -> list[str]:
    """Modules that no wire leads to: sources, or where messages come in from outside."""
    fed = {wire.to_module for wire in flow.wires}
    return [name for name in flow.modules if name not in fed]
