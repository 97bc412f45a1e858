"""The tests in a flow file, changed in place: comments, order and quotes of the YAML stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.flow_test import Result, place_problems, shown_letter
from actors.definition.flow_yaml import FlowYaml, write_whole
from actors.definition.matchers import matches
from actors.definition.model import FlowTest


class TestFile:
    """A flow file, to be read, changed and written."""

    __test__ = False  # for pytest

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, FlowYaml(path)
        self._changed = False

    def update(self, test: FlowTest, result: Result) -> None:
        """What came is what is expected from now on; what was right already stays as it is written."""
        (written,) = (one for one in self._file.document["tests"] if one["name"] == test.name)
        for key in [*written["expect"]]:
            place = key if "." in key else f"{key}.out"
            got, expected = result.got[place], test.expect[place]
            if isinstance(expected, list):
                self._replace(written["expect"][key], expected, got)
            elif place_problems(place, expected, got):
                written["expect"][key] = {"$count": len(got)} if "$count" in expected else self._file.new(got)
                self._changed = True
        for module in [*written.get("dead", ())]:
            letters = [shown_letter(letter) for letter in result.dead.get(module, [])]
            self._replace(written["dead"][module], [{"$partial": one} for one in test.dead[module]], letters)

    def _replace(self, written: Any, expected: list[Any], got: list[Any]) -> None:
        for index, value in enumerate(got):
            if index >= len(expected):
                written.append(self._file.new(value))
            elif not matches(expected[index], value):
                written[index] = self._file.new(value)
            else:
                continue
            self._changed = True
        if len(expected) > len(got):
            del written[len(got) :]
            self._changed = True

    def add(self, test: dict[str, Any]) -> None:
        """One more, at the end."""
        if not self._file.add_test(test):
            raise UserError(f"{self._path} has a test {test['name']!r} already; take another name")
        self._changed = True

    def text(self) -> str:
        """What the file is to be."""
        return self._file.text()

    def save(self) -> None:
        """Write it, if anything has changed; as a whole or not at all."""
        if self._changed:
            write_whole(self._path, self.text())
