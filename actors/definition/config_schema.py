"""A module's `config` by its JSON Schema: what is wrong with it, and what it is with defaults and whole paths.

The words for people are schema.py's; a schema that says more than that one knows is checked by the library jsonschema.
`x-path: read|write` is ours: the text is the path of a file, relative to the flow file; of one that is written the
folder becomes writable. So is `x-ports: in|out`: the names of an object are ports of the module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.definition.places import FieldPath, dotted
from actors.definition.schema import TYPES, Problem, schema_problems, shown

_NOTES = {"title", "description", "default", "examples", "x-path", "x-ports", "x-pattern-means"}
_ID = {"$ref": "#/$defs/id"}
_NUMBERS = {"minimum", "exclusiveMinimum", "maximum"}
_KNOWN = {
    "object": {"properties", "required", "additionalProperties", "minProperties"},
    "array": {"items", "uniqueItems", "minItems"},
    "string": {"enum", "pattern", "minLength"},
    "integer": _NUMBERS, "number": _NUMBERS, "boolean": set(),
}  # fmt: skip


def config_problems(config: Any, schema: dict[str, Any], path: FieldPath) -> Iterator[Problem]:
    """Everything in which a config differs from its schema, in the config's order."""
    choice = _choice(schema)
    plain = {name: its for name, its in schema.items() if name != "oneOf"} if choice else schema
    if _is_plain(plain):
        yield from schema_problems(config, plain, path)
        given = [name for name in choice if isinstance(config, dict) and name in config]
        if choice and isinstance(config, dict) and len(given) != 1:
            either = " or ".join(f"`{name}`" for name in choice)
            yield Problem(
                path, f"{dotted(path)} needs {either}: one of them, {'not both' if given else 'and has none'}."
            )
        return
    import jsonschema

    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        where = (*path, *error.absolute_path)
        yield Problem(where, f"{dotted(where)}: {error.message}.")


def _choice(schema: dict[str, Any]) -> list[str]:
    """The fields of which there has to be one, if a schema says that and no more by `oneOf`."""
    ways = schema.get("oneOf", [])
    named = [
        way["required"][0]
        for way in ways
        if isinstance(way, dict) and [*way] == ["required"] and len(way["required"]) == 1
    ]
    return named if len(named) == len(ways) else []


def schema_fault(schema: Any) -> str | None:
    """Why this is no JSON Schema, as the end of a sentence."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        at = ".".join(str(part) for part in error.absolute_path)
        return f"is no JSON Schema: {at + ': ' if at else ''}{error.message}."
    return None


def _is_plain(schema: Any) -> bool:
    """Whether schema.py knows all that a schema says."""
    if schema in (True, {}):
        return True
    if not isinstance(schema, dict):
        return False
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not all(kind in TYPES for kind in kinds):
        return schema.keys() <= _NOTES
    if not schema.keys() <= _NOTES.union({"type"}, *(_KNOWN[kind] for kind in kinds)):
        return False
    if not all(isinstance(choice, str) for choice in schema.get("enum", ())):
        return False
    others = schema.get("additionalProperties", {})
    inner = [*schema.get("properties", {}).values(), schema.get("items", {}), {} if others is False else others]
    return all(map(_is_plain, inner))


class Completed:
    """A config that fits its schema, with defaults. `writable`: folders of files that are written; `ports`: by side."""

    def __init__(self, config: Any, schema: dict[str, Any], path: FieldPath, home: Path | None) -> None:
        """Relative paths are looked for in `home`; without one they are a problem."""
        self.problems: list[Problem] = []
        self.writable: list[str] = []
        self.ports: dict[str, list[str]] = {}
        self._home = home
        self.value = self._completed(config, schema, path)

    def _completed(self, value: Any, schema: Any, path: FieldPath) -> Any:
        schema = schema if isinstance(schema, dict) else {}
        if isinstance(value, dict):
            if "x-ports" in schema:
                self._take_ports(value, schema["x-ports"], path)
            fields = schema.get("properties", {})
            defaults = {
                name: its["default"] for name, its in fields.items() if isinstance(its, dict) and "default" in its
            }
            return {
                name: self._completed(item, fields.get(name), (*path, name))
                for name, item in {**defaults, **value}.items()
            }
        if isinstance(value, list):
            return [self._completed(item, schema.get("items"), (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and "x-path" in schema:
            return self._whole(value, schema["x-path"], path)
        return value

    def _take_ports(self, named: dict[str, Any], side: str, path: FieldPath) -> None:
        self.problems += [problem for name in named for problem in schema_problems(name, _ID, (*path, name))]
        self.ports.setdefault(side, []).extend(named)

    def _whole(self, text: str, use: str, path: FieldPath) -> str:
        place = Path(text)
        if not place.is_absolute():
            if self._home is None:
                sentence = (
                    f"{dotted(path)}: a runner knows no folder of yours; write the whole path, not {shown(text)}."
                )
                self.problems.append(Problem(path, sentence))
                return text
            place = self._home.absolute() / place
        if use == "write":
            folder = str(place.parent)
            self.writable += [] if folder in self.writable else [folder]
        return str(place)
