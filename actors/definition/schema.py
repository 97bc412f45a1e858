"""The flow's JSON Schema, and a small checker for the keywords it uses that answers with sentences.

The schema file is the only table of fields. Knows nothing of what the fields mean: see validation.
`oneOf` is for editors only; validation says it better.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.definition.places import FieldPath, cut, dotted, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_VALUE_DEPTH = 120  # the data contract's
MAX_NESTING = 128  # of the whole flow, with a message in it
TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "object": ((dict,), "a mapping"),
    "array": ((list,), "a list"),
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
}
_LEAST = {str: "minLength", list: "minItems", dict: "minProperties"}


class Problem(NamedTuple):
    """What is wrong with one field, as a sentence."""

    path: FieldPath
    text: str


@cache
def flow_schema() -> dict[str, Any]:
    """The JSON Schema of a flow; `runner schema flow` prints it."""
    text = files("actors.definition").joinpath("flow.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def schema_problems(value: Any, schema: dict[str, Any], path: FieldPath = ()) -> Iterator[Problem]:
    """Everything in which `value` differs from `schema`, in the order of the value."""
    schema = _resolve(schema)
    names = _as_list(schema.get("type"))
    if not names:
        return
    if not any(_is_a(value, name) for name in names):
        yield Problem(path, f"{dotted(path)} must be {_expected(names)}, not {shown(value)}{_hint(value, names)}.")
    elif isinstance(value, (str, list, dict)) and len(value) < schema.get(_LEAST[type(value)], 0):
        least = schema[_LEAST[type(value)]]
        yield Problem(path, f"{dotted(path)} must {'not be empty' if least == 1 else f'have at least {least}'}.")
    elif isinstance(value, dict):
        yield from _object_problems(value, schema, path)
    elif isinstance(value, list):
        yield from _array_problems(value, schema, path)
    elif isinstance(value, str):
        yield from _string_problems(value, schema, path)
    elif not isinstance(value, bool) and not _is_endless(value):  # of which json_problems speaks
        yield from _number_problems(value, schema, path)


def _object_problems(value: dict[str, Any], schema: dict[str, Any], path: FieldPath) -> Iterator[Problem]:
    fields, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Problem(path, f"{dotted(path)} lacks the field `{name}`.")
    for name, item in value.items():
        inner = (*path, name)
        if not isinstance(name, str):
            continue  # json_problems names it
        if name in fields:
            yield from schema_problems(item, fields[name], inner)
        elif others is False:
            yield Problem(inner, f"{dotted(inner)} is not a known field; {nearest(name, fields)}")
        else:
            yield from schema_problems(name, schema.get("propertyNames", {}), inner)
            yield from schema_problems(item, others, inner)


def _array_problems(value: list[Any], schema: dict[str, Any], path: FieldPath) -> Iterator[Problem]:
    for index, item in enumerate(value):
        yield from schema_problems(item, schema.get("items", {}), (*path, index))
        if schema.get("uniqueItems") and item in value[:index]:
            yield Problem((*path, index), f"{dotted((*path, index))} repeats {cut(repr(item))}; leave one out.")


def _string_problems(value: str, schema: dict[str, Any], path: FieldPath) -> Iterator[Problem]:
    choices = schema.get("enum")
    if choices and value not in choices:
        yield Problem(path, f"{dotted(path)} must be one of {', '.join(choices)}, not {cut(value)!r}.")
    elif "pattern" in schema and not re.search(_python_pattern(schema["pattern"]), value):
        means = schema.get("x-pattern-means", f"text that matches {schema['pattern']}")
        yield Problem(path, f"{dotted(path)} must be {means}, not {shown(value)}.")


@cache
def _python_pattern(pattern: str) -> str:
    """JSON Schema's patterns are JavaScript's, whose `$` does not match before a last line feed."""
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


def _number_problems(value: Any, schema: dict[str, Any], path: FieldPath) -> Iterator[Problem]:
    least, above, most = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if least is not None and value < least:
        yield Problem(path, f"{dotted(path)} must be at least {least}, not {value}.")
    if above is not None and value <= above:
        yield Problem(path, f"{dotted(path)} must be more than {above}, not {value}.")
    if most is not None and value > most:
        yield Problem(path, f"{dotted(path)} must be at most {most}, not {value}.")


def json_problems(value: Any, path: FieldPath = ()) -> Iterator[Problem]:
    """What in `value` no JSON message could carry exactly: checked before anything else looks at it."""
    if isinstance(value, (dict, list)):
        if len(path) > MAX_NESTING:
            yield Problem(path, f"{dotted(path[:4])} is nested deeper than {MAX_NESTING} levels.")
            return
        if len(path) == MAX_VALUE_DEPTH + 3 and path[0] == "modules" and path[2] == "config":
            yield Problem(path, f"{dotted(path[:3])} is nested deeper than {MAX_VALUE_DEPTH} levels.")
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict) and not (isinstance(key, str) and _is_unicode(key)):
                yield Problem(path, f"{dotted(path)} has the key {key!r}; keys must be text.")
            else:
                yield from json_problems(item, (*path, key))
    elif _is_endless(value):
        yield Problem(path, f"{dotted(path)} must be a finite number, not {value}.")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(path, f"{dotted(path)} does not fit into 64 bits: {shown(value)}.")
    elif isinstance(value, str) and not _is_unicode(value):
        yield Problem(path, f"{dotted(path)} has half of a surrogate pair in its text, which no message can carry.")
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        yield Problem(path, f"{dotted(path)} is a {type(value).__name__}, which JSON cannot carry.")


def shown(value: Any) -> str:
    """A value in a sentence, cut to a readable length."""
    match value:
        case None:
            return "empty (null)"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {value[:60]!r}{' ...' if len(value) > 60 else ''}"
        case int() if abs(value) >= 10**60:
            return "a number of more than 60 digits"
        case int() | float():
            return f"the number {value}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    target: dict[str, Any] = flow_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return _resolve(target)


def _as_list(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


def _is_a(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name][0]) and (isinstance(value, bool) == (name == "boolean"))


def _expected(names: list[str]) -> str:
    return " or ".join(TYPES[name][1] for name in names)


def _hint(value: Any, names: list[str]) -> str:
    if "boolean" in names and isinstance(value, str) and value.lower() in {"yes", "no", "on", "off", "true", "false"}:
        return f"; write {'true' if value.lower() in {'yes', 'on', 'true'} else 'false'} without quotes"
    if "string" in names and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if "string" in names and "object" not in names and isinstance(value, dict):
        return "; a text with `: ` in it needs quotes, one of several lines a `|` before the first"
    if names == ["object"] and value is None:
        return "; its fields are indented further than its name"
    if names == ["array"] and isinstance(value, str):
        return "; an item begins with `- `"
    return ""


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
