"""What the tests of a flow expect: values, equal as docs/data-contract.md has it, or matchers, which say so.

A matcher is an object with one key, such as `{$pattern: "^a"}`; `{$exactly: ...}` takes an object of that form for what
it is. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from actors.definition.places import FieldPath, closest

TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


class Matcher(NamedTuple):
    """`wants`: what its argument must be, in words; `fits`: whether it is; `holds`: whether a value is meant."""

    wants: str
    fits: Callable[[Any], bool]
    holds: Callable[[Any, Any], bool]


def matches(expected: Any, value: Any) -> bool:
    """Whether this message, or part of one, is what was expected."""
    if (name := matcher_of(expected)) is not None:
        return MATCHERS[name].holds(expected[name], value)
    if isinstance(expected, dict) and isinstance(value, dict):
        return expected.keys() == value.keys() and all(matches(its, value[key]) for key, its in expected.items())
    if isinstance(expected, list) and isinstance(value, list):
        return len(expected) == len(value) and all(map(matches, expected, value))
    return equal(expected, value)


def matcher_of(expected: Any) -> str | None:
    """The name of the matcher that an expected value is."""
    if isinstance(expected, dict) and len(expected) == 1:
        (name,) = expected
        return name if name in MATCHERS else None
    return None


def has_matcher(expected: Any) -> bool:
    """Whether it is one, or has one in it."""
    if matcher_of(expected) is not None:
        return True
    inner = expected.values() if isinstance(expected, dict) else expected if isinstance(expected, list) else ()
    return any(map(has_matcher, inner))


def equal(expected: Any, value: Any) -> bool:
    """Whether they are the same JSON: 1 is 1.0, and the order of keys is free."""
    from runtimes.conformance.values import equal  # takes 0.1 s to import: only those who test need it

    return equal(expected, value)


def _partial(expected: Any, value: Any) -> bool:
    """Objects may have more than was expected, at any depth."""
    if isinstance(expected, dict) and matcher_of(expected) is None and isinstance(value, dict):
        return all(key in value and _partial(its, value[key]) for key, its in expected.items())
    if isinstance(expected, list) and isinstance(value, list):
        return len(expected) == len(value) and all(map(_partial, expected, value))
    return matches(expected, value)


def _near(expected: Any, value: Any) -> bool:
    wanted, within = expected if isinstance(expected, list) else (expected, 1e-9 * abs(expected))
    return TYPES["number"](value) and abs(value - wanted) <= within


def _is_number(value: Any) -> bool:
    return TYPES["number"](value) and math.isfinite(value)


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError):
        return False
    return isinstance(value, str)


MATCHERS: dict[str, Matcher] = {
    "$partial": Matcher("an object: more fields than these may be there", TYPES["object"], _partial),
    "$pattern": Matcher(
        "a regular expression that is found in the text",
        _is_pattern,
        lambda expected, value: isinstance(value, str) and re.search(expected, value) is not None,
    ),
    "$near": Matcher(
        "a number, or [number, how far away it may be]",
        lambda value: (
            _is_number(value) or (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))
        ),
        _near,
    ),
    "$type": Matcher(
        f"one of {', '.join(TYPES)}",
        lambda value: isinstance(value, str) and value in TYPES,
        lambda expected, value: TYPES[expected](value),
    ),
    "$any": Matcher("true: whatever it is", lambda value: value is True, lambda _, value: True),  # noqa: ARG005
    "$one_of": Matcher(
        "a list: one of these",
        TYPES["array"],
        lambda expected, value: any(matches(one, value) for one in expected),
    ),
    "$exactly": Matcher("any value: no matcher is looked for in it", lambda _: True, equal),
}

# of a port, in place of the list of all that leaves it, in order
PORT_MATCHERS: dict[str, str] = {
    "$unordered": "a list: all messages, in any order",
    "$contains": "a list: these are among the messages, in this order",
    "$count": "a whole number: how many messages there are",
}


def matcher_problems(expected: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """What is wrong with the matchers in an expected value, each with its place."""
    if isinstance(expected, dict):
        if len(expected) == 1 and (name := next(iter(expected))) not in MATCHERS and str(name).startswith("$"):
            if (meant := closest(name, MATCHERS)) is not None:
                yield path, f"there is no matcher {name!r}; did you mean {meant!r}? ($exactly takes it as it is)"
            return
        if (name := matcher_of(expected) or "") and not MATCHERS[name].fits(expected[name]):
            yield (*path, name), f"{name} takes {MATCHERS[name].wants}"
            return
        if name == "$exactly":
            return
    if isinstance(expected, (dict, list)):
        for key, its in expected.items() if isinstance(expected, dict) else enumerate(expected):
            yield from matcher_problems(its, (*path, key))


def port_problems(expected: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """The same of what is expected of a port: a list, or a matcher of lists."""
    if isinstance(expected, list):
        yield from matcher_problems(expected, path)
        return
    known = ", ".join(PORT_MATCHERS)
    if not isinstance(expected, dict) or len(expected) != 1 or next(iter(expected)) not in PORT_MATCHERS:
        yield path, f"a list of messages is wanted, or an object with one of {known}"
        return
    ((name, wanted),) = expected.items()
    is_count = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
    if not (is_count if name == "$count" else isinstance(wanted, list)):
        yield (*path, name), f"{name} takes {PORT_MATCHERS[name]}"
    elif isinstance(wanted, list):
        yield from matcher_problems(wanted, (*path, name))
