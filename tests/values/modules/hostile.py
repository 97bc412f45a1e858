"""A module that does what its program says with the values it gets, makes and keeps: the words are in cases.py.

Its config is {"programs": {CASE: [STEP, ...]}, "die": [CASE, ...], "part": VALUE}; a message tells its case.
"""

import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import os
import pathlib
import types
import uuid

import flow

PROGRAMS, KEPT = {}, []
TABLE = {"prices": [20, {"a": 1}], "name": "table"}


class Text(str):
    def __str__(self):
        return "another text"


class Number(int):
    def __int__(self):
        return 7


class Real(float):
    pass


class Row(list):
    def __iter__(self):
        return iter(["other", "items"])


class Record(dict):
    def items(self):
        return [("other", "items")]


class Failing(dict):
    def __getitem__(self, key):
        raise ValueError("no item")

    def keys(self):
        raise ValueError("no keys")

    def items(self):
        raise ValueError("no items")

    def __iter__(self):
        raise ValueError("not to be walked")


class Pair(collections.namedtuple("Pair", "left right")):
    pass


class Colour(enum.Enum):
    RED = "red"
    PARTS = ("a", 1)


class Level(enum.IntEnum):
    HIGH = 3


class Name(enum.StrEnum):
    FIRST = "first"


class Plain:
    def __init__(self):
        self.x = 1


class Liar:
    __class__ = dict


@dataclasses.dataclass
class Data:
    x: int = 1


def cyclic_list():
    value = [1]
    value.append(value)
    return value


def cyclic_dict():
    value = {"a": []}
    value["a"].append(value)
    return value


def deep(levels):
    value = 0
    for level in range(levels):
        value = [value] if level % 2 else {"d": value}
    return value


ODD = {
    "datetime": lambda: datetime.datetime(2020, 1, 2, 3, 4, 5), "date": lambda: datetime.date(2020, 1, 2),
    "time": lambda: datetime.time(3, 4), "delta": lambda: datetime.timedelta(1),
    "decimal": lambda: decimal.Decimal("1.10"), "fraction": lambda: fractions.Fraction(1, 3),
    "complex": lambda: 1 + 2j, "set": lambda: {1, 2}, "frozenset": lambda: frozenset("a"),
    "deque": lambda: collections.deque([1]), "nan": lambda: float("nan"), "inf": lambda: float("inf"),
    "minus_inf": lambda: float("-inf"), "minus_zero": lambda: -0.0, "tiny": lambda: 5e-324,
    "huge_float": lambda: 1.7976931348623157e308, "tenth": lambda: 0.1, "wide_float": lambda: 2.0**70,
    "int64": lambda: 2**63 - 1, "min_int64": lambda: -(2**63), "uint64": lambda: 2**63,
    "below_int64": lambda: -(2**63) - 1, "wide": lambda: 2**70, "very_wide": lambda: 10**5000,
    "int54": lambda: 2**53 + 1, "surrogate": lambda: "a\ud800", "surrogate_key": lambda: {"\udc00": 1},
    "nul": lambda: "\x00\u2028\U0010ffff", "int_key": lambda: {1: "a"}, "none_key": lambda: {None: 1},
    "bool_key": lambda: {True: 1}, "float_key": lambda: {1.5: 1}, "tuple_key": lambda: {(1, 2): 1},
    "bytes_key": lambda: {b"a": 1}, "mixed_keys": lambda: {"1": 1, 1: 2}, "text_key": lambda: {Text("k"): 1},
    "text_keys": lambda: {Text("k"): 1, "k": 2, "l": 3}, "enum_key": lambda: {Name.FIRST: 1},
    "tuple": lambda: (1, [2], (3,)), "empty_tuple": tuple, "pair": lambda: Pair(1, [2]), "text": lambda: Text("text"),
    "number": lambda: Number(3), "wide_number": lambda: Number(2**70), "real": lambda: Real(1.5),
    "real_nan": lambda: Real("nan"), "row": lambda: Row([1, [2]]), "record": lambda: Record(a=[1]),
    "failing": lambda: Failing(a=1), "ordered": lambda: collections.OrderedDict(a=[1]),
    "default": lambda: collections.defaultdict(list, a=[1]), "counter": lambda: collections.Counter("aab"),
    "chain": lambda: collections.ChainMap({"a": 1}), "user_dict": lambda: collections.UserDict(a=1),
    "proxy": lambda: types.MappingProxyType({"a": 1}), "namespace": lambda: types.SimpleNamespace(a=1),
    "enum": lambda: Colour.RED, "enum_tuple": lambda: Colour.PARTS, "int_enum": lambda: Level.HIGH,
    "text_enum": lambda: Name.FIRST, "object": Plain, "liar": Liar, "data": Data, "class": lambda: Plain,
    "function": lambda: deep, "module": lambda: collections, "ellipsis": lambda: ..., "iterator": lambda: iter([1]),
    "generator": lambda: (x for x in [1]), "range": lambda: range(3), "error": lambda: ValueError("v"),
    "keys": {"a": 1}.keys, "uuid": lambda: uuid.UUID(int=5), "path": lambda: pathlib.Path("/x"),
    "bytes": lambda: b"ab\xff", "no_bytes": lambda: b"", "bytearray": lambda: bytearray(b"ab"),
    "memory": lambda: memoryview(b"ab"), "own_bytes": lambda: {"$bytes": "YQ=="},
    "own_bad_bytes": lambda: {"$bytes": [1]}, "own_escaped": lambda: {"$$bytes": b"x"}, "null": lambda: flow.NULL,
    "none": lambda: None, "null_in": lambda: [flow.NULL, None], "cyclic_list": cyclic_list, "cyclic_dict": cyclic_dict,
    "deep": lambda: deep(110), "deep_limit": lambda: deep(120), "deep_over": lambda: deep(121),
    "very_deep": lambda: deep(3000), "empty": dict, "empty_key": lambda: {"": {"__proto__": 1}},
    "big_text": lambda: "x" * 100_000, "big_list": lambda: list(range(20_000)), "long": lambda: "\u20ac" * 600,
    "interned": lambda: ["a", "a", 1, 1, None, True, ()],
}  # fmt: skip


def case_of(message):
    """The case that a message belongs to, "-" if it does not tell."""
    if isinstance(message, dict):
        return case_of(message.get("case"))
    if isinstance(message, list):
        return case_of(message[0]) if message else "-"
    if isinstance(message, bytes):
        return case_of(message.decode("latin-1"))
    if isinstance(message, str):
        return message.partition(":")[0]
    return str(int(message)) if type(message) in (int, float) else "-"


def mutate(value, depth=0):
    """Change everything in a value that can be changed, but never the own table: it is the same after a death."""
    if depth > 5 or value is TABLE:
        return
    if isinstance(value, dict) and type(value) is not Liar:
        for item in list(dict.values(value)):
            mutate(item, depth + 1)
        if "case" not in value:
            value.clear()
        value["mutated"] = ["yes"]
    elif isinstance(value, list):
        for item in list.__iter__(value):
            mutate(item, depth + 1)
        list.append(value, "mutated")
    elif isinstance(value, bytearray):
        value += b"mutated"
    elif isinstance(value, (tuple, collections.deque)):
        for item in tuple(value):
            mutate(item, depth + 1)


def saw(value, depth=0):
    """What a value is, with the types of all its parts."""
    kind = type(value).__name__
    if depth > 130:
        return "deeper"
    if isinstance(value, dict):
        return f"{kind}({', '.join(f'{saw(k)}: {saw(v, depth + 1)}' for k, v in dict.items(value))})"
    if isinstance(value, (list, tuple)):
        return f"{kind}({', '.join(saw(item, depth + 1) for item in value)})"
    return f"{kind} {ascii(value)[:200]}"


def wrapped(case, value):
    """Told which case it is."""
    return {"case": case, "v": value}


def act(message, context):
    """Do as the program says; returns what the handler returns."""
    name, case, value = context.module_id, case_of(message), message
    if name not in PROGRAMS:
        PROGRAMS[name] = context.config["programs"]
        PROGRAMS[name, "die"] = context.config.get("die", [])
    if case in PROGRAMS[name, "die"] and not context.redelivered:
        os.kill(os.getpid(), 9)
    for word, *rest in PROGRAMS[name].get(case, [["return"]]):
        match word:
            case "value":
                value = copy.deepcopy(rest[0])
            case "make":
                value = ODD[rest[0]]()
            case "dict":
                value = wrapped(case, value)
            case "list":
                value = [case, value]
            case "twice":
                value = [case, value, value]
            case "tuple":
                value = (case, value)
            case "message":
                value = message
            case "table":
                value = TABLE
            case "part":
                value = wrapped(case, context.config["part"])
            case "config":
                value = wrapped(case, context.config)
                for key in ("programs", "die"):  # long, and not the same in all variants
                    value["v"].pop(key, None)
            case "get":
                value = context.get(rest[0], wrapped(case, "default"))
            case "set":
                context.set(rest[0], value)
            case "saw":
                context.set("saw " + case, saw(message))
                context.set("id " + case, context.message_id)
            case "keep":
                KEPT.append(value)
            case "keep_message":
                KEPT.append(message)
            case "spoil":
                while KEPT:
                    mutate(KEPT.pop())
            case "mutate":
                mutate(value)
            case "mutate_message":
                mutate(message)
            case "send":
                context.send(rest[0], value)
            case "send_with":
                context.send("out", value, {"x-h": case})
            case "catch":
                try:
                    context.send("out", value)
                except flow.DataError as error:
                    context.send("side", [case, type(error).__name__, str(error)])
            case "catch_set":
                try:
                    context.set("caught", value)
                except ValueError as error:
                    context.set("caught", [case, type(error).__name__, str(error)])
            case "fail":
                raise ValueError(f"case {case}")
            case "return":
                return value
            case "yields":
                return yields(value)
            case _:
                raise AssertionError(f"the word {word!r}")
    return None


def yields(value):
    """Twice the same, changed between."""
    yield value
    mutate(value)
    yield value
