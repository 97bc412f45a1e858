"""Writes into a flow's file what has become of the flow since it was read, and nothing else.

Of what differs between the document that was read and the one that runs, each field is written where it stands: in the
YAML, whose comments stay, or in the file that it names. A field that somebody has changed in the file meanwhile is not
written over: that is refused, and nothing is written.

    python -m actors.definition.flow_file JOB    JOB.out gets {"written": [...]}, {"text": ...} or {"errors": [...]}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.definition.flow_yaml import FlowYaml, write_whole
from actors.definition.model import FlowError
from actors.definition.reading import read_flow_file

Document = dict[str, Any]
NOT_OF_THE_FILE = ("origin", "state", "modules", "wires", "catalogue", "use")
_MISSING = object()


def changed(path: Path, base: Document, new: Document) -> tuple[dict[Path, str], list[str]]:
    """What is to be written, file -> text, so that the file at `path`, which was `base`, says `new`; and conflicts."""
    edit = _Edit(path, base, new)
    edit.run()
    texts = {} if edit.problems else {file: text for file, text in edit.texts() if _text(file) != text}
    return texts, edit.problems


def as_file(document: Document) -> str:
    """A flow file of its own for a document: every text inline."""
    file = FlowYaml(Path("flow.yaml"), "id: x\n")
    file.document["id"] = document["id"]
    file.document["modules"] = file.block({})
    for name, module in document["modules"].items():
        file.document["modules"][name] = file.block(_fields(name, module))
    for name, value in document.items():
        if name == "wires":
            file.document[name] = [file.new(one) for one in value]
        elif name == "tests":
            for test in value:
                file.add_test(test)
        elif name not in (*NOT_OF_THE_FILE, "id"):
            file.document[name] = file.value(value)
    return file.text()


def _fields(name: str, module: Document) -> Document:
    """Those of a module that is not in the file yet."""
    if "use" in module:
        return {key: value for key, value in module.items() if key in ("use", "config")}
    return {key: value for key, value in module.items() if key != "name" or value != name}


def _text(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None


class _Edit:
    def __init__(self, path: Path, base: Document, new: Document) -> None:
        self._path, self._base, self._new = path, base, new
        self._file, self._there = FlowYaml(path), read_flow_file(path).document
        self._changed = False
        self._texts: dict[Path, str] = {}
        self.problems: list[str] = []

    def texts(self) -> Iterator[tuple[Path, str]]:
        yield from self._texts.items()
        if self._changed:
            yield self._path, self._file.text()

    def run(self) -> None:
        """Field by field."""
        base, new = self._base, self._new
        self._modules(base.get("modules", {}), new.get("modules", {}))
        self._wires()
        self._tests()
        for name in sorted(base.keys() | new.keys() - {*NOT_OF_THE_FILE, "tests"}):
            if name in NOT_OF_THE_FILE or name == "tests":
                continue
            self._field(self._file.document, self._there, base, new, name, name)

    def _differs(self, there: Any, base: Any, new: Any, where: str) -> bool:
        """Whether it is to be written; a conflict is noted."""
        if _same(new, base) or _same(new, there):
            return False
        if not _same(there, base):
            said = f"{self._path}: {where} was changed in the file meanwhile: apply that first, or undo it"
            self.problems.append(said)
            return False
        return True

    def _field(self, written: Any, there: Document, base: Document, new: Document, name: str, where: str) -> None:
        value = new.get(name, _MISSING)
        if not self._differs(there.get(name, _MISSING), base.get(name, _MISSING), value, where):
            return
        self._changed = True
        if value is _MISSING:
            del written[name]
        else:
            written[name] = self._file.value(value)

    # modules -------------------------------------------------------------------------------------------------------

    def _modules(self, base: Document, new: Document) -> None:
        there, written = self._there.get("modules", {}), self._file.document["modules"]
        for name in [*base, *(name for name in new if name not in base)]:
            where = f"modules.{name}"
            if name in base and name in new and name in there:
                self._module(name, written[name], there[name], base[name], new[name])
            elif self._differs(there.get(name), base.get(name), new.get(name), where):
                self._changed = True
                if name in new:
                    written[name] = self._file.block(_fields(name, new[name]))
                else:
                    del written[name]

    def _module(self, name: str, written: Any, there: Document, base: Document, new: Document) -> None:
        for field in sorted(base.keys() | new.keys()):
            where = f"modules.{name}.{field}"
            if _same(base.get(field, _MISSING), new.get(field, _MISSING)):
                continue
            if "use" in written and field in ("code", "files", "name", "runtime"):
                self.problems.append(f"{self._path}: {name} is the catalogue's: `runner eject` makes its text yours")
            elif field == "code" and "file" in written:
                if self._differs(there.get(field), base.get(field), new.get(field), where):
                    self._texts[self._path.parent / written["file"]] = new["code"]
            elif field == "files" and isinstance(written.get("files"), list):
                self._siblings(name, written, there, base, new)
            else:
                self._field(written, there, base, new, field, where)

    def _siblings(self, name: str, written: Any, there: Document, base: Document, new: Document) -> None:
        """Files that patterns have found."""
        home = (self._path.parent / written["file"]).parent if "file" in written else self._path.parent
        before, now, after = (one.get("files", {}) for one in (base, there, new))
        for file in sorted(before.keys() | after.keys()):
            if not self._differs(now.get(file), before.get(file), after.get(file), f"modules.{name}.files: {file}"):
                continue
            place = home / file if file not in before or (home / file).exists() else self._path.parent / file
            if file not in after or not place.resolve().is_relative_to(self._path.parent.resolve()):
                self.problems.append(f"{place}: files of a module are added and removed on the disk, not here")
            elif file not in before:
                self._texts[place] = after[file]
                written["files"].append(str(place.relative_to(self._path.parent)))
                self._changed = True
            else:
                self._texts[place] = after[file]

    # lists ---------------------------------------------------------------------------------------------------------

    def _wires(self) -> None:
        base, new, there = (one.get("wires", []) for one in (self._base, self._new, self._there))
        gone = [_wire(one) for one in base if _wire(one) not in {_wire(other) for other in new}]
        come = [one for one in new if _wire(one) not in {_wire(other) for other in (*base, *there)}]
        otherwise = [one for one in new if _wire(one) not in map(_wire, come) and one not in base and one not in there]
        if not gone and not come and not otherwise:
            return
        written = self._file.document.setdefault("wires", [])
        for at in reversed(range(len(written))):
            if _wire(written[at]) in gone:
                del written[at]
                self._changed = True
        for one in otherwise:
            places = [at for at, other in enumerate(written) if _wire(other) == _wire(one)]
            for at in places:
                written[at] = self._file.new(one)
                self._changed = True
        for one in come:
            written.append(self._file.new(one))
            self._changed = True

    def _tests(self) -> None:
        known = [one.get("name") for one in (*self._base.get("tests", []), *self._there.get("tests", []))]
        for test in self._new.get("tests", []):
            if test.get("name") not in known:
                self._changed |= self._file.add_test(test)


def _same(left: Any, right: Any) -> bool:
    """As JSON: 1 is not true."""
    if left is _MISSING or right is _MISSING:
        return left is right
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _wire(wire: Any) -> tuple[str, str]:
    """The ends of a wire, with their ports."""
    start, end = map(str.strip, wire.split("->")) if isinstance(wire, str) else (wire["from"], wire["to"])
    return start if "." in start else f"{start}.out", end if "." in end else f"{end}.in"


def main() -> None:
    """Do the job of a file."""
    job = Path(sys.argv[1])
    asked = json.loads(job.read_text("utf-8"))
    answer: Document
    try:
        if asked["file"] is None:
            answer = {"text": as_file(asked["new"])}
        else:
            texts, problems = changed(Path(asked["file"]), asked["base"], asked["new"])
            for file, text in texts.items():
                write_whole(file, text)
            answer = {"errors": problems} if problems else {"written": [str(file) for file in texts]}
    except FlowError as error:
        answer = {"errors": error.problems}
    except OSError as error:
        answer = {"errors": [f"{error.filename}: {error.strerror}"]}
    Path(f"{job}.out").write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
