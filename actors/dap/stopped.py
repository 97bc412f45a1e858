"""What is seen of a flow that stands still: its modules as threads, the messages that wait as frames."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from actors.dap.target import DapError, Target
from actors.dap.variables import Held, Node, Variables, step_of, text_of, type_of
from actors.state.condition import NAMES, ConditionError, Expression

SOURCE_NUMBER = 1


class _Frame(NamedTuple):
    """`held`: the message that this frame is about; None: none waits there."""

    module: str
    held: Held | None


class Stopped:
    """Of one flow, from one stop to the next."""

    def __init__(self, target: Target, modules: list[str]) -> None:
        self._target = target
        self.modules = modules
        self._variables = Variables()
        self._frames: list[_Frame] = []
        self._held: dict[str, list[Held]] | None = None  # by module, the oldest first

    def clear(self) -> None:
        """It moves, or has moved: what was shown is no more."""
        self._variables.clear()
        self._frames.clear()
        self._held = None

    def thread_of(self, module: str) -> int:
        """Threads are modules, from 1."""
        return self.modules.index(module) + 1 if module in self.modules else 1

    def module_of(self, thread: Any) -> str:
        """The module that a thread is. Raises DapError."""
        if isinstance(thread, int) and 0 < thread <= len(self.modules):
            return self.modules[thread - 1]
        raise DapError(f"there is no thread {thread!r}; threads are the modules of {self._target.flow_id}")

    def held(self) -> dict[str, list[Held]]:
        """What waits, by module."""
        if self._held is None:
            found: dict[str, list[Held]] = {}
            for view in self._target.call("listHeld", flowId=self._target.flow_id):
                found.setdefault(view["flowModuleId"].partition("/")[2], []).append(Held(view))
            self._held = found
        return self._held

    # frames --------------------------------------------------------------------------------------------------------

    def frames(self, thread: Any) -> list[dict[str, Any]]:
        """The messages that wait in a module, the oldest first: the one that it takes next."""
        module = self.module_of(thread)
        found = [self._frame(module, held) for held in self.held().get(module, [])]
        return found or [self._frame(module, None)]

    def _frame(self, module: str, held: Held | None) -> dict[str, Any]:
        self._frames.append(_Frame(module, held))
        name = f"{module}: nothing waits"
        if held is not None:
            place = "" if held.view["port"] == "in" else f".{held.view['port']}"
            name = f"{module}{place} ← {text_of(held.view['message'])[:80]}"
        places = self._target.places
        if places.path is None:
            source: dict[str, Any] = {"name": f"{self._target.flow_id}.json", "sourceReference": SOURCE_NUMBER}
        else:
            source = {"name": places.path.name, "path": str(places.path)}
        return {
            "id": len(self._frames), "name": name, "source": source, "line": places.line_of(module), "column": 1,
        }  # fmt: skip

    def _framed(self, number: Any) -> _Frame:
        if isinstance(number, int) and 0 < number <= len(self._frames):
            return self._frames[number - 1]
        raise DapError("this frame is no more: the flow has moved")

    # variables -----------------------------------------------------------------------------------------------------

    def scopes(self, number: Any) -> list[dict[str, Any]]:
        """Message, headers, context, mailbox."""
        frame = self._framed(number)
        waiting = self.held().get(frame.module, [])
        nodes: list[tuple[str, Node, bool]] = []
        if frame.held is not None:
            view = frame.held.view
            message = Node({"message": view["message"]}, helds={"message": frame.held})
            nodes = [("Message", message, False), ("Headers", Node(_users(view["headers"])), False)]
        nodes.append(("Context", Node(self._context(frame.module)), True))
        mailbox = {_short(held.id): held for held in waiting}
        members = {name: held.view["message"] for name, held in mailbox.items()}
        nodes.append(("Mailbox", Node(members, helds=mailbox), False))
        return [
            {
                "name": name, "variablesReference": self._variables.add(node), "expensive": costly,
                "namedVariables": len(node.members),
            }
            for name, node, costly in nodes
        ]  # fmt: skip

    def _context(self, module: str) -> dict[str, Any]:
        found: dict[str, Any] = self._target.call("getContext", flowModuleId=f"{self._target.flow_id}/{module}")
        return found

    def _node(self, number: Any) -> Node:
        node = self._variables.node(number)
        if node is None:
            raise DapError("these variables are no more: the flow has moved")
        return node

    def variables(self, number: Any, kind: Any, start: Any, count: Any) -> list[dict[str, Any]]:
        """The members of a container; of many those that are asked for."""
        node = self._node(number)
        if kind in ("indexed", "named") and (kind == "indexed") != isinstance(node.members, list):
            return []
        found = self._variables.members(node)
        first = start if isinstance(start, int) and start > 0 else 0
        return found[first : first + count] if isinstance(count, int) and count > 0 else found[first:]

    def set_variable(self, number: Any, name: str, text: str) -> dict[str, Any]:
        """Edit a held message; a part of one is edited by writing the whole anew."""
        node = self._node(number)
        place = step_of(node, name)
        if place is None:
            raise DapError(f"{name!r} cannot be changed: only messages that wait can be edited")
        held, path = place
        if isinstance(held.view["message"], dict) and "$undecoded" in held.view["message"]:
            raise DapError("this message is too large to be edited in parts: `runner held edit` takes it whole")
        try:
            value = json.loads(text)
        except ValueError:
            raise DapError(f'{text[:80]!r} is not JSON (text needs quotes: "...")') from None
        message = held.changed(path, value)
        self._target.call("editHeld", id=held.id, message=message)
        held.view["message"] = message
        at: Any = name if isinstance(node.members, dict) else path[-1]
        node.members[at] = value
        shown = self._variables.shown(name, value, held, path)
        return {key: shown[key] for key in ("value", "type", "variablesReference")}

    def evaluate(self, text: str, number: Any) -> dict[str, Any]:
        """A CEL expression over message, headers and context, as breakpoints have them."""
        frame = self._framed(number)
        view = {} if frame.held is None else frame.held.view
        given = {"message": view.get("message"), "headers": _users(view.get("headers"))}
        try:
            expression = Expression(text, NAMES, "the expression")
            if "context" in expression.mentioned:
                given["context"] = self._context(frame.module)
            value = expression.value(given)
        except ConditionError as error:
            raise DapError(str(error)) from None
        held = Node(value) if isinstance(value, (dict, list)) and value else None
        number = 0 if held is None else self._variables.add(held)
        return {"result": text_of(value), "type": type_of(value), "variablesReference": number}


def _users(headers: dict[str, Any] | None) -> dict[str, Any]:
    """Without the id, by which the runner knows a message on a wire that may be fused."""
    return {name: value for name, value in (headers or {}).items() if name != "id"}


def _short(id: str) -> str:
    """Of a held message's id the part that its module has: wire and number."""
    return id.split("/", 2)[-1]
