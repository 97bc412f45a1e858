"""The `when` of a breakpoint: a CEL expression (https://cel.dev) over message, headers and context. Pure.

It imports its library only when there is an expression.
"""

from __future__ import annotations

import importlib
import json
import math
import operator
from collections.abc import Callable
from typing import Any

MAX_INT = 2**63 - 1


class ConditionError(Exception):
    """An expression that is not CEL; the message says where."""


class Condition:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        """Compile; raises ConditionError."""
        celpy: Any = importlib.import_module("celpy")  # 0.16 s, and only those who debug need it
        self.text = text
        self._celpy = celpy
        self._whole, self._fraction = _comparable(celpy.celtypes.IntType), _comparable(celpy.celtypes.DoubleType)
        environment = celpy.Environment()
        try:
            equality = {"_==_": self._equal, "_!=_": self._unequal}
            self._program = environment.program(environment.compile(text), functions=equality)
        except celpy.CELParseError as error:
            place = f" at column {error.column}" if error.column else ""
            raise ConditionError(f"`when` is not a CEL expression{place}: {text}") from None

    def holds(self, message: Any, headers: dict[str, str], context: dict[str, Any]) -> tuple[bool, str | None]:
        """Whether the message is meant. An expression that fails means it too, and says why."""
        variables = {
            name: self._convert(value)
            for name, value in (("message", message), ("headers", headers), ("context", context))
        }
        try:
            result = self._program.evaluate(variables)
        except Exception as error:  # CELEvalError, and whatever the library does not foresee: it is shown
            return True, f"`when` failed: {str(error.args[0]).partition(' (in activation')[0]}"
        if not isinstance(result, (bool, self._celpy.celtypes.BoolType)):
            return True, f"`when` is {type(result).__name__}, not true or false"
        return bool(result), None

    def _equal(self, a: Any, b: Any) -> Any:
        """Values of different kinds are different, as CEL has it; the library's own way is an error."""
        for value in (a, b):
            if isinstance(value, self._celpy.CELEvalError):
                return value
        return self._celpy.celtypes.BoolType(self._same(a, b))

    def _unequal(self, a: Any, b: Any) -> Any:
        equal = self._equal(a, b)
        return equal if isinstance(equal, self._celpy.CELEvalError) else self._celpy.celtypes.BoolType(not equal)

    def _same(self, a: Any, b: Any) -> bool:
        if self._kind(a) is not self._kind(b):
            return False
        if isinstance(a, dict):
            return bool(a.keys() == b.keys() and all(self._same(item, b[key]) for key, item in a.items()))
        if isinstance(a, list):
            return len(a) == len(b) and all(map(self._same, a, b))
        return bool(a == b)

    def _kind(self, value: Any) -> type:
        """A whole number is a number like any other; a truth value is none."""
        if isinstance(value, (bool, self._celpy.celtypes.BoolType)):
            return bool
        return float if isinstance(value, (int, float)) else type(value)

    def _convert(self, value: Any) -> Any:
        """JSON to CEL; its own way refuses integers beyond 64 bits."""
        types = self._celpy.celtypes
        if isinstance(value, dict):
            return types.MapType({types.StringType(key): self._convert(item) for key, item in value.items()})
        if isinstance(value, list):
            return types.ListType([self._convert(item) for item in value])
        if isinstance(value, int) and not isinstance(value, bool):
            if -MAX_INT - 1 <= value <= MAX_INT:
                return self._whole(value)
            return self._fraction(float(value) if abs(value) < 1e308 else math.copysign(math.inf, value))
        if isinstance(value, float):
            return self._fraction(value)
        return self._celpy.json_to_cel(value)


def _comparable(kind: type) -> type:
    """JSON has one kind of number: a whole one in a message can be compared with a fraction and the other way round."""

    def compare(name: str) -> Callable[[Any, Any], bool]:
        plain = int if issubclass(kind, int) else float
        celpys = getattr(kind, f"__{name}__")

        def method(self: Any, other: Any) -> bool:
            if not isinstance(other, (int, float)):
                return bool(celpys(self, other))
            return bool(getattr(operator, name)(plain(self), int(other) if isinstance(other, int) else float(other)))

        return method

    names = ("lt", "le", "gt", "ge", "eq", "ne")
    methods: dict[str, Any] = {f"__{name}__": compare(name) for name in names}
    return type(kind.__name__, (kind,), {**methods, "__hash__": kind.__hash__})


class Breakpoint:
    """A breakpoint of a module: `log` only logs, `scope` is what a hit pauses."""

    def __init__(self, when: str | None = None, scope: str = "flow", log: bool = False, timeout_s: float = 0.0) -> None:
        """Raises ConditionError."""
        self.condition = Condition(when) if when else None
        self.scope, self.log, self.timeout_s = scope, log, timeout_s

    def hit(self, message: bytes, headers: bytes | None, context: dict[bytes, bytes]) -> tuple[bool, str | None]:
        """Whether the encoded message is meant, and what went wrong with `when`."""
        if self.condition is None:
            return True, None
        values = {key.decode(): json.loads(value) for key, value in context.items()}
        return self.condition.holds(json.loads(message), json.loads(headers or b"null") or {}, values)

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        when = self.condition.text if self.condition else None
        return {"when": when, "scope": self.scope, "log": self.log, "timeoutS": self.timeout_s}
