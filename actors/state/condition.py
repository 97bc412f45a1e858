"""The `when` of a breakpoint: a CEL expression over message, headers and context. Pure."""

from __future__ import annotations

import importlib
from typing import Any

NAMES = ("message", "headers", "context")


class ConditionError(Exception):
    """An expression that is not CEL, or says nothing about a message; the message says where."""


class Expression:
    """A compiled expression over some of `names`; `what` it is called in sentences about it."""

    def __init__(self, text: str, names: tuple[str, ...], what: str) -> None:
        """Compile `text`; raises ConditionError, which says where it is wrong."""
        self.text, self._what = text, what
        self._cel: Any = importlib.import_module("actors.state.cel")  # only those who look need it
        try:
            self._program = self._cel.Program(text, names)
        except self._cel.ExpressionError as error:
            raise ConditionError(f"{what} {error}") from None

    @property
    def mentioned(self) -> list[str]:
        """The names that it needs."""
        return list(self._program.mentioned)

    def is_true(self, given: dict[str, Any]) -> bool:
        """Of values, encoded or not. Raises ConditionError if it cannot be told."""
        result = self._evaluate(given)
        if type(result).__name__ not in ("bool", "BoolType"):
            raise ConditionError(f"{self._what} is {type(result).__name__.removeprefix('_')}, not true or false")
        return bool(result)

    def value(self, given: dict[str, Any]) -> Any:
        """Its value, as JSON has it. Raises ConditionError if it has none."""
        return self._cel.plain(self._evaluate(given))

    def _evaluate(self, given: dict[str, Any]) -> Any:
        try:
            return self._program.evaluate(given)
        except self._cel.TooLong:
            limit_ms = self._cel.MAX_EVALUATION_S * 1000
            raise ConditionError(f"{self._what} failed: it takes more than {limit_ms:g} ms") from None
        except Exception as error:  # CELEvalError, and whatever the library does not foresee: it is shown
            said = str(error.args[0]) if error.args else type(error).__name__
            raise ConditionError(f"{self._what} failed: {said.partition(' (in activation')[0]}") from None


class Condition(Expression):
    """An expression that is true or false of a message."""

    def __init__(self, text: str) -> None:
        """Compile `text`; raises ConditionError, which says where it is wrong."""
        super().__init__(text, NAMES, "`when`")

    def holds(self, message: bytes, headers: bytes | None, context: dict[bytes, bytes]) -> tuple[bool, str | None]:
        """Whether the encoded message is meant. An expression that fails means it too, and says why."""
        given: dict[str, Any] = {"message": message, "headers": headers or b"{}"}
        if "context" in self.mentioned:
            given["context"] = {key.decode(): value for key, value in context.items()}
        try:
            return self.is_true(given), None
        except ConditionError as error:
            return True, str(error)


class Breakpoint:
    """A breakpoint of a module: `log` only logs, `scope` is what a hit pauses."""

    def __init__(self, when: str | None = None, scope: str = "flow", log: bool = False, timeout_s: float = 0.0) -> None:
        """`timeout_s`: what it pauses goes on by itself after that. Raises ConditionError."""
        self.condition = Condition(when) if when else None
        self.scope, self.log, self.timeout_s = scope, log, timeout_s

    def hit(self, message: bytes, headers: bytes | None, context: dict[bytes, bytes]) -> tuple[bool, str | None]:
        """Whether the encoded message is meant, and what went wrong with `when`."""
        return self.condition.holds(message, headers, context) if self.condition else (True, None)

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        when = self.condition.text if self.condition else None
        return {"when": when, "scope": self.scope, "log": self.log, "timeoutS": self.timeout_s}
