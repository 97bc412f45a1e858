"""What an editor shows as variables: JSON values behind numbers, which are good until the flow moves. Pure."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

MAX_SHOWN = 200  # characters of a value in one line
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Held:
    """A message that waits; what was edited of it is changed here, too."""

    view: dict[str, Any]

    @property
    def id(self) -> str:
        """As the API names it."""
        return str(self.view["id"])

    def changed(self, path: Path, value: Any) -> Any:
        """The message with another value at a path; () is the message itself."""
        if not path:
            return value
        message = copy.deepcopy(self.view["message"])
        at = message
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return message


@dataclass(slots=True)
class Node:
    """A container behind a number: its members; of a held message the way to it."""

    members: dict[str, Any] | list[Any]
    held: Held | None = None
    path: Path = ()
    helds: dict[str, Held] = field(default_factory=dict)  # members that are held messages themselves


class Variables:
    """The numbers that have been given out."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []

    def clear(self) -> None:
        """The flow has moved: what was shown is no more."""
        self._nodes.clear()

    def add(self, node: Node) -> int:
        """The number of a container, from 1."""
        self._nodes.append(node)
        return len(self._nodes)

    def node(self, number: Any) -> Node | None:
        """The container; None if there is none of that number."""
        return self._nodes[number - 1] if isinstance(number, int) and 0 < number <= len(self._nodes) else None

    def shown(self, name: str, value: Any, held: Held | None, path: Path) -> dict[str, Any]:
        """A variable; a container gets a number."""
        number, counts = 0, {}
        if isinstance(value, (dict, list)) and value:
            number = self.add(Node(value, held, path))
            counts = {("indexedVariables" if isinstance(value, list) else "namedVariables"): len(value)}
        hint = {} if held is not None else {"presentationHint": {"attributes": ["readOnly"]}}
        return {
            "name": name, "value": text_of(value), "type": type_of(value), "variablesReference": number, **counts,
            **hint,
        }  # fmt: skip

    def members(self, node: Node) -> list[dict[str, Any]]:
        """The variables in a container."""
        if isinstance(node.members, list):
            return [self.shown(f"[{at}]", one, node.held, (*node.path, at)) for at, one in enumerate(node.members)]
        found = []
        for name, value in node.members.items():
            held = node.helds.get(name, node.held)
            path = () if name in node.helds else (*node.path, name)
            found.append(self.shown(name, value, held, path))
        return found


def step_of(node: Node, name: str) -> tuple[Held, Path] | None:
    """The held message that a member belongs to, and the way to it there; None if it belongs to none."""
    if isinstance(node.members, list):
        digits = name[1:-1] if name.startswith("[") and name.endswith("]") else name
        if node.held is None or not digits.isdecimal() or int(digits) >= len(node.members):
            return None
        return node.held, (*node.path, int(digits))
    if name in node.helds:
        return node.helds[name], ()
    if node.held is None or name not in node.members:
        return None
    return node.held, (*node.path, name)


def text_of(value: Any) -> str:
    """JSON in one line, cut."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def type_of(value: Any) -> str:
    """Of a value, its JSON type in a word."""
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
