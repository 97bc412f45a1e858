"""CEL (https://cel.dev) over JSON: compiled, checked, and evaluated within a limit of time. Pure.

Imported only when there is an expression: its library takes 0.16 s.
"""

from __future__ import annotations

import difflib
import json
import math
import operator
import time
from collections.abc import Callable, Iterator
from typing import Any

import celpy
from celpy import celtypes
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError, Evaluator, base_functions

MAX_INT = 2**63 - 1
MAX_TEXT = 2_000  # characters
MAX_BYTES = 1 << 20  # of an encoded value that is looked at
MAX_EVALUATION_S = 0.05  # of processor time: meanwhile nothing else runs
_MACROS = ("all", "exists", "exists_one", "filter", "map", "reduce", "min")  # x.MACRO(name, ...): name is bound in it
_FUNCTIONS = {*base_functions, *_MACROS, "has", "dyn"}
_TYPES = {
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "timestamp",
    "duration",
    "type",
    "uint",
}


class ExpressionError(Exception):
    """An expression that is not CEL, or says nothing about a message; the message says where."""


class TooLong(BaseException):
    """No Exception, since the library turns those into values."""


class Program:
    """A compiled expression over some of `names`: those that it mentions."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        """Compile `text`; raises ExpressionError, which says where it is wrong."""
        if len(text) > MAX_TEXT:
            raise ExpressionError(f"has {len(text)} characters; at most {MAX_TEXT}")
        environment = celpy.Environment(runner_class=_Runner)
        try:
            tree = environment.compile(text)
            self.mentioned = _mentioned(tree, names)
            self._program = environment.program(tree, functions={"_==_": _equal, "_!=_": _unequal})
        except CELParseError as error:
            place = f" at column {error.column}" if error.column else ""
            raise ExpressionError(f"is not a CEL expression{place}: {text}") from None
        except RecursionError:
            raise ExpressionError("is nested too deeply") from None

    def evaluate(self, given: dict[str, Any]) -> Any:
        """Of what is mentioned, encoded or objects of what is. Raises TooLong, CELEvalError, or anything else."""
        _clock.start(MAX_EVALUATION_S)
        return self._program.evaluate({name: _convert(given[name]) for name in self.mentioned})


# time ----------------------------------------------------------------------------------------------------------------


class _Clock:
    """One evaluation runs at a time."""

    until = 0.0

    def start(self, limit_s: float) -> None:
        self.until = time.thread_time() + limit_s

    def look(self) -> None:
        if time.thread_time() > self.until:
            raise TooLong


_clock = _Clock()


class _Evaluator(Evaluator):
    """Looks at the clock at each node."""

    def visit(self, tree: Any) -> Any:
        _clock.look()
        return super().visit(tree)

    def sub_evaluator(self, ast: Any) -> Evaluator:
        return _Evaluator(ast, activation=self.activation)


class _Runner(celpy.InterpretedRunner):
    def evaluate(self, context: Any) -> Any:
        return _Evaluator(self.ast, activation=self.new_activation()).evaluate(context)


# values --------------------------------------------------------------------------------------------------------------


class _Map(celtypes.MapType):
    """Over plain values, which are converted when they are taken out."""

    def __init__(self, plain: dict[Any, Any]) -> None:
        dict.__init__(self, plain)

    def __getitem__(self, key: Any) -> Any:
        return _convert(super().__getitem__(key))

    def get(self, key: Any, default: Any = None) -> Any:
        return _convert(super().get(key, default))

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        return [self[key] for key in self]


class _List(celtypes.ListType):
    """Over plain values, which are converted when they are taken out."""

    def __getitem__(self, at: Any) -> Any:
        return _convert(super().__getitem__(at))

    def __iter__(self) -> Iterator[Any]:
        return map(_convert, super().__iter__())


def _comparable(kind: Any) -> Any:
    """JSON has one kind of number: a whole one in a message can be compared with a fraction and the other way round."""

    def compare(name: str) -> Callable[[Any, Any], bool]:
        plain = int if issubclass(kind, int) else float
        celpys = getattr(kind, f"__{name}__")

        def method(self: Any, other: Any) -> bool:
            if not isinstance(other, (int, float)):
                return bool(celpys(self, other))
            return bool(getattr(operator, name)(plain(self), int(other) if isinstance(other, int) else float(other)))

        return method

    methods: dict[str, Any] = {f"__{name}__": compare(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
    return type(kind.__name__, (kind,), {**methods, "__hash__": kind.__hash__})


_Whole, _Fraction = _comparable(celtypes.IntType), _comparable(celtypes.DoubleType)


def _convert(value: Any) -> Any:
    """JSON, encoded or not, to CEL. Its own way refuses integers beyond 64 bits."""
    _clock.look()
    if isinstance(value, bytes):
        if len(value) > MAX_BYTES:
            raise ValueError(f"a value of {len(value)} bytes; at most {MAX_BYTES} are looked at")
        value = json.loads(value)
    if isinstance(value, dict):
        return _Map(value)
    if isinstance(value, list):
        return _List(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if -MAX_INT - 1 <= value <= MAX_INT:
            return _Whole(value)
        return _Fraction(float(value) if abs(value) < 1e308 else math.copysign(math.inf, value))
    return _Fraction(value) if isinstance(value, float) else json_to_cel(value)


def plain(value: Any) -> Any:
    """What CEL has found, as JSON."""
    if value is None or isinstance(value, (bool, celtypes.BoolType)):
        return None if value is None else bool(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in dict.items(value)}
    if isinstance(value, list):
        return [plain(item) for item in list.__iter__(value)]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return str(value)


def _equal(a: Any, b: Any) -> Any:
    """Values of different kinds are different, as CEL has it; the library's own way is an error."""
    for value in (a, b):
        if isinstance(value, CELEvalError):
            return value
    return celtypes.BoolType(_same(a, b))


def _unequal(a: Any, b: Any) -> Any:
    equal = _equal(a, b)
    return equal if isinstance(equal, CELEvalError) else celtypes.BoolType(not equal)


def _same(a: Any, b: Any) -> bool:
    if _kind(a) is not _kind(b):
        return False
    if isinstance(a, dict):
        return bool(a.keys() == b.keys() and all(_same(item, b[key]) for key, item in a.items()))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _kind(value: Any) -> type:
    """A whole number is a number like any other; a truth value is none."""
    if isinstance(value, (bool, celtypes.BoolType)):
        return bool
    kinds = {int: float, float: float, dict: dict, list: list}
    return next((of for kind, of in kinds.items() if isinstance(value, kind)), type(value))


# what an expression is about -----------------------------------------------------------------------------------------


def _mentioned(tree: Any, names: tuple[str, ...]) -> list[str]:
    """Which of the names it mentions; raises ExpressionError if none, or something else."""
    mentioned: set[str] = set()

    def walk(node: Any, bound: frozenset[str]) -> None:
        if not hasattr(node, "children"):  # a token
            return
        if node.data == "ident" and (name := str(node.children[0])) not in bound:
            if name in names:
                mentioned.add(name)
            elif name not in _TYPES:
                raise ExpressionError(f"knows no {name}{_place(node.children[0])}: there are {', '.join(names)}")
        inner = bound
        if node.data in ("ident_arg", "member_dot_arg"):
            called = node.children[node.data == "member_dot_arg"]
            _check_function(called)
            if called in _MACROS and node.data == "member_dot_arg" and len(node.children) > 2:
                inner = bound | {str(leaf.children[0]) for leaf in node.children[2].children[0].find_data("ident")}
        for number, child in enumerate(node.children):
            walk(child, inner if number else bound)

    walk(tree, frozenset())
    if not mentioned:
        either = f"{', '.join(names[:-1])} nor {names[-1]}"
        raise ExpressionError(f"is the same for every message: it names neither {either}")
    return [name for name in names if name in mentioned]


def _check_function(called: Any) -> None:
    if called not in _FUNCTIONS:
        near = difflib.get_close_matches(called, _FUNCTIONS, n=1)
        meant = f": did you mean {near[0]}?" if near else ""
        raise ExpressionError(f"knows no function {called}{_place(called)}{meant}")


def _place(token: Any) -> str:
    return f" (column {token.column})" if getattr(token, "column", None) else ""
