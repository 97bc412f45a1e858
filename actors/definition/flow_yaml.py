"""A flow file's YAML (or JSON), changed in place: comments, order and quotes stay as they are."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString

WIDE = 1 << 20  # lines are not folded
_LIST_IN_MAPPING = re.compile(r"^( *)[\w-]+:[^\n]*\n(?:\s*#[^\n]*\n)*( *)- ", re.MULTILINE)


class FlowYaml:
    """The text of a file as `document`, whose keys and values are to be changed; `text()` is what it is then."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        """`text`: of a file that is not there yet."""
        self.path = path
        before = path.read_text("utf-8") if text is None else text
        self._yaml = _yaml()
        found = _LIST_IN_MAPPING.search(before)
        offset = len(found[2]) - len(found[1]) if found else 2
        self._yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
        self.is_json = path.suffix == ".json"
        self.document: Any = json.loads(before) if self.is_json else self._yaml.load(before)

    def text(self) -> str:
        """What the file is to be."""
        if self.is_json:
            return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"
        text = io.StringIO()
        self._yaml.dump(self.document, text)
        return text.getvalue()

    def new(self, value: Any) -> Any:
        """A value on one line."""
        return value if self.is_json else flat(value)

    def add_test(self, test: dict[str, Any]) -> bool:
        """One more, at the end; False if there is one of this name."""
        tests = self.document.setdefault("tests", [] if self.is_json else CommentedSeq())
        if any(one.get("name") == test["name"] for one in tests):
            return False
        tests.append(test if self.is_json else block(test))
        return True

    def block(self, fields: dict[str, Any]) -> Any:
        """A mapping, a line a field; texts of several lines as they stand."""
        return fields if self.is_json else CommentedMap((key, self.value(its)) for key, its in fields.items())

    def value(self, value: Any) -> Any:
        """A field's value: a text of several lines as it stands, all else on one line."""
        if not self.is_json and isinstance(value, str) and "\n" in value and value.strip(" ") == value:
            return LiteralScalarString(value)
        return self.new(value)


def write_whole(path: Path, text: str) -> None:
    """All of it or nothing; its mode stays. Raises OSError, which names the file."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, "utf-8")
        new.chmod(path.stat().st_mode if path.exists() else 0o644)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise OSError(error.errno, f"{error.strerror}; it is as it was", str(path)) from None


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDE
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    return yaml


def flat(value: Any) -> Any:
    """In YAML's flow style, on one line."""
    if isinstance(value, dict):
        made: Any = CommentedMap((key, flat(its)) for key, its in value.items())
    elif isinstance(value, list):
        made = CommentedSeq(map(flat, value))
    else:
        return value
    made.fa.set_flow_style()
    return made


def block(test: dict[str, Any]) -> Any:
    """A test as people write one: a line a port, its messages in flow style."""
    made = CommentedMap()
    for name, value in test.items():
        made[name] = CommentedMap((key, flat(its)) for key, its in value.items()) if isinstance(value, dict) else value
    return made


def as_text(test: dict[str, Any]) -> str:
    """A test for a flow file, as YAML."""
    yaml, text = _yaml(), io.StringIO()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({"tests": CommentedSeq([block(test)])}, text)
    return text.getvalue()
