"""YAML text as plain values, with the place of every field; JSON's is json_text.py. Knows nothing of flows.

YAML's own 1.1 reading turns `on` into true, `1_0` into ten and a date into an object; here plain
words mean what YAML 1.2's core schema says, so a file means the same as its JSON twin.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml
from yaml.reader import Reader

from actors.definition.json_text import MAX_NESTING, read_json, whole_number
from actors.definition.model import FlowError
from actors.definition.places import FieldPath, Places, dotted

MAX_VALUES = 250_000  # aliases can make a short text enormous
TAG = "tag:yaml.org,2002:"
PLAIN_WORDS = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
INSTEAD_OF_MERGING = "write the fields out, or quote it"
HINTS = {  # what the parser misses, and what people have mostly done
    "did not find expected key": "what belongs together begins in the same column",
    "did not find expected '-' indicator": "the items of a list begin in the same column",
    "mapping values are not allowed": "a text with `: ` in it needs quotes, and a line may be indented too far",
    "could not find expected ':'": "a key ends in `:`, and the lines of a text after `|` are indented further than it",
    "block sequence entries are not allowed": "a list begins in a line of its own",
    "did not find expected ',' or": "a bracket or a quote is not closed, or a text with signs in it needs quotes",
    "found unexpected end of stream": "a quote is not closed",
    "cannot start any token": "put the text in quotes",
    "undefined alias": "a text that begins with `*` needs quotes",
}
OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")  # YAML 1.1 ends lines there, YAML 1.2 and editors do not


class Yaml12Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's parser (libyaml's where it is built in) with YAML 1.2's meaning of plain words."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own way)


for _name, (_pattern, _first) in PLAIN_WORDS.items():
    _first_letters = [*_first, ""] if _name == "null" else list(_first)
    Yaml12Loader.add_implicit_resolver(f"{TAG}{_name}", re.compile(f"^(?:{_pattern})$"), _first_letters)


def read_text(text: str, file: str) -> tuple[Any, Places]:
    """The value of a YAML text, or of a JSON text if `file` ends in .json; FlowError names what is wrong and where."""
    places = Places(file)
    if file.endswith(".json"):
        return read_json(text, places), places
    if odd := Reader.NON_PRINTABLE.search(text) or OTHER_BREAKS.search(text):
        before = text[: odd.start()]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        _refuse(
            f"{file}:{line}:{column}",
            f"the character {odd[0]!r} may not stand in YAML; remove or escape it.",
        )
    return _Converter(places, text.splitlines()).convert(_composed(text, places), ()), places


def _refuse(place: str, sentence: str) -> NoReturn:
    raise FlowError([f"{place}: {sentence}"])


def _composed(text: str, places: Places) -> yaml.Node:
    loader = Yaml12Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        _refuse(*_syntax_error(error, text, places.file))
    except RecursionError:
        _refuse(f"{places.file}:1:1", f"the file is nested deeper than {MAX_NESTING} levels.")
    finally:
        loader.dispose()
    if node is None:
        _refuse(f"{places.file}:1:1", "the file is empty; a flow needs at least `id` and `modules`.")
    return node


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> tuple[str, str]:
    mark, context = error.problem_mark or error.context_mark, error.context or ""
    if mark is None:
        return f"{file}:1:1", f"this is not YAML: {error.problem}."
    place, lines = f"{file}:{mark.line + 1}:{mark.column + 1}", text.split("\n")
    if mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
        return place, "a tab stands where YAML wants spaces; replace it."
    if context and error.context_mark:
        context = f" {context} that begins in line {error.context_mark.line + 1}"
    hint = next((f"; {hint}" for problem, hint in HINTS.items() if problem in str(error.problem)), "")
    return place, f"this is not YAML:{context + ':' if context else ''} {error.problem}{hint}."


class _Converter:
    """Turns nodes into values and notes where each one stands."""

    def __init__(self, places: Places, lines: list[str]) -> None:
        self.places, self.lines = places, lines
        self.values = 0

    def convert(self, node: yaml.Node, path: FieldPath) -> Any:
        """The value of a node; mappings note the place of each key, lists that of each item."""
        self.values += 1
        if path not in self.places.marks:
            self._note(path, node)
        if len(path) > MAX_NESTING or self.values > MAX_VALUES:
            self._refuse(path[:4], f"{dotted(path[:4])} is nested too deep, too large, or contains itself.")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return self._refuse(path, f"{dotted(path)} has the tag {_short(node.tag)}, which a flow file cannot have.")

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != f"{TAG}str":
                self._note((*path, "?"), key_node)
                key = repr(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "of several values"
                self._refuse((*path, "?"), f"the key {key} in {dotted(path)} is not text; put it in quotes.")
            key = key_node.value
            inner = (*path, key)
            if key == "<<" and not key_node.style:
                self._note(inner, key_node)
                self._refuse(inner, f"{dotted(inner)}: `<<` merges in YAML 1.1 only; {INSTEAD_OF_MERGING}.")
            if key in result:
                first = self.places.position(inner)[0]
                self._note(inner, key_node)
                self._refuse(inner, f"{dotted(inner)} is given twice, first in line {first}; remove one.")
            self._note(inner, key_node)
            result[key] = self.convert(value_node, inner)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        text, kind = node.value, node.tag.removeprefix(TAG)
        try:
            match kind:
                case "str":
                    if node.style == "|":
                        self._note_block(path, node)
                    return text
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    return whole_number(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
                case "float":
                    return float(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))
        except (KeyError, ValueError):
            self._refuse(path, f"{dotted(path)} says it is {_short(node.tag)}, which {text[:60]!r} is not.")
        return self._refuse(path, f"{dotted(path)} has the tag {_short(node.tag)}, which a flow file cannot have.")

    def _note_block(self, path: FieldPath, node: yaml.ScalarNode) -> None:
        """A literal block begins in the line after its `|`, which has a line of its own at times."""
        content = node.value.lstrip("\n").partition("\n")[0]
        blank = len(node.value) - len(node.value.lstrip("\n"))
        for first in (node.start_mark.line + 1, node.start_mark.line + 2):
            line = self.lines[first + blank] if first + blank < len(self.lines) else ""
            if content and line.endswith(content) and not line[: -len(content)].strip(" "):
                self.places.blocks[path] = (first + 1, len(line) - len(content))
                return

    def _note(self, path: FieldPath, node: yaml.Node) -> None:
        self.places.marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def _refuse(self, path: FieldPath, sentence: str) -> NoReturn:
        _refuse(self.places.at(path), sentence)


def _short(tag: str) -> str:
    return tag.replace(TAG, "!!")
