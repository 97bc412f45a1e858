"""Modules that flows take by name, `use: timer`: folders with a `module.yaml`, the shipped ones and users' own.

Using one puts its source and fields into the flow's document, so a runner meets an ordinary module; `use` stays as a
note of where it is from.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from actors.definition.config_schema import Completed, config_problems, schema_fault
from actors.definition.model import FlowError
from actors.definition.places import FieldPath, Places, cut, dotted, nearest
from actors.definition.schema import Problem, flow_schema, schema_problems
from actors.definition.text_files import matches, text_of

MANIFEST = "module.yaml"
SHIPPED = Path(__file__).parents[2] / "catalogue"
_TEXT = {"type": "string", "pattern": r"\S", "x-pattern-means": "a text"}
_OWN: dict[str, Any] = {
    "description": _TEXT | {"description": "What the module does, in a sentence."},
    "file": _TEXT | {"description": "The source, in the module's folder."},
    "files": {
        "type": "array",
        "items": _TEXT,
        "description": "Patterns of files beside the source that it imports.",
    },
    "config": {
        "type": "object",
        "description": "The JSON Schema of `config`; `x-path: read|write` marks paths, `x-ports` names of ports.",
    },
    "sends": _TEXT | {"description": "What the messages look like that it sends."},
    "delivery": _TEXT | {"description": "What can happen twice after a death, and what makes that harmless."},
    "example": _TEXT | {"description": "A flow file that uses the module."},
}
_OF_FLOWS = ("runtime", "dependencies", "ports", "state_version")  # said here, not where it is used
_DEFAULTS = (
    "background",
    "concurrency",
    "isolated",
    "timeout_s",
    "retry",
    "restart",
    "env",
    "limits",
)  # a flow may say otherwise
_FIXED = (*_OF_FLOWS, "file", "files", "code", "name")


@cache
def module_schema() -> dict[str, Any]:
    """The JSON Schema of a module.yaml; `runner schema module` prints it."""
    of_flows = flow_schema()["$defs"]["module"]["properties"]
    return {
        "$schema": flow_schema()["$schema"],
        "title": "Catalogue module",
        "description": "A module that flows take by the name of its folder: `use: NAME`.",
        "type": "object",
        "required": ["description", "runtime", "file"],
        "additionalProperties": False,
        "properties": {**_OWN, **{name: of_flows[name] for name in (*_OF_FLOWS, *_DEFAULTS)}},
        "$defs": {name: flow_schema()["$defs"][name] for name in ("id", "text", "seconds")},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModule:
    """One module of a catalogue. `fields`: those of a flow's module; `config`: its schema, None: it takes any."""

    name: str
    folder: Path
    description: str
    fields: dict[str, Any]
    config: dict[str, Any] | None = None
    sends: str = ""
    delivery: str = ""
    example: str = ""
    paths: tuple[Path, ...] = ()

    @property
    def kind(self) -> str:
        """`in` takes data into flows, `out` gives it out, `between` does neither."""
        ports = self.fields.get("ports", {})
        return "in" if ports.get("in") == [] else "out" if ports.get("out") == [] else "between"

    def facts(self) -> dict[str, Any]:
        """As JSON: all but the source."""
        return {
            "name": self.name,
            "kind": self.kind,
            "runtime": self.fields["runtime"],
            "description": self.description,
            "ports": self.fields.get("ports", {}),
            "config": self.config,
            "dependencies": self.fields.get("dependencies", []),
            "sends": self.sends,
            "delivery": self.delivery,
            "example": self.example,
            "folder": str(self.folder),
        }

    def used_by(self, raw: dict[str, Any], path: FieldPath, home: Path | None) -> tuple[dict[str, Any], list[Problem]]:
        """The module that a flow gets which uses this one, and what is wrong with how it does.

        `home` is the folder of the flow file, None if there is none.
        """
        problems = [
            Problem((*path, name), f"{dotted((*path, name))}: the module {self.name!r} says this itself; leave it out, "
                    f"or take a copy of the module to change: `runner eject {self.name}`.")
            for name in _FIXED if name in raw
        ]  # fmt: skip
        module = {**self.fields, **raw}
        if self.config is not None:
            where = (*path, "config")
            problems += config_problems(raw.get("config", {}), self.config, where)
            if not problems:
                completed = Completed(raw.get("config", {}), self.config, where, home)
                problems += completed.problems
                module["config"] = completed.value
                for side, names in completed.ports.items():
                    ports = module.get("ports", {})
                    module["ports"] = {**ports, side: list(dict.fromkeys([*names, *ports.get(side, [])]))}
                if completed.writable:
                    limits = module.get("limits", {})
                    own = limits.get("writable", [])
                    more = [folder for folder in completed.writable if folder not in own]
                    module["limits"] = {**limits, "writable": [*own, *more]}
        return module, problems


def read_module(folder: Path) -> CatalogueModule:
    """The module in a folder; FlowError says what is wrong with it, with file and line."""
    from actors.definition.yaml_text import read_text  # a runner whose flows use none does without

    file = folder / MANIFEST
    value, places = read_text(text_of(file, str(file)), str(file))
    problems = list(schema_problems(value, module_schema()))
    if isinstance(value, dict) and isinstance(value.get("config"), dict) and not folder.is_relative_to(SHIPPED):
        fault = schema_fault(value["config"])
        problems += [Problem(("config",), f"{dotted(('config',))} {fault}")] if fault else []
    if problems:
        raise FlowError([_sentence(problem, places) for problem in problems])
    source = Path(os.path.normpath(folder / value["file"]))
    texts = {path: text_of(path, f"{places.at(('files',))}: `files`:") for path in _siblings(value, source)}
    fields = {name: value[name] for name in (*_OF_FLOWS, *_DEFAULTS) if name in value}
    fields |= {
        "name": source.name,
        "code": text_of(source, f"{places.at(('file',))}: `file` names {value['file']!r}, which"),
    }
    if texts:
        fields["files"] = {path.relative_to(source.parent).as_posix(): text for path, text in texts.items()}
    return CatalogueModule(
        name=folder.name, folder=folder, description=value["description"].strip(), fields=fields,
        config=value.get("config"), sends=value.get("sends", "").strip(),
        delivery=value.get("delivery", "").strip(), example=value.get("example", ""),
        paths=(file, source, *texts),
    )  # fmt: skip


def _siblings(value: dict[str, Any], source: Path) -> list[Path]:
    found = {path for pattern in value.get("files", ()) for path in matches(source.parent, pattern) if path.is_file()}
    return sorted(found - {source})


def _sentence(problem: Problem, places: Places) -> str:
    text = problem.text if problem.path else problem.text.replace(dotted(()), "the module", 1)
    return f"{places.at(problem.path)}: {text}"


@cache
def _shipped(name: str) -> CatalogueModule:
    return read_module(SHIPPED / name)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Where modules are looked for: in folders of the user's, the first one that has a name, then among the shipped."""

    folders: tuple[Path, ...] = ()
    read: Callable[[Path], object] = field(default=lambda _: None)  # is told of every file that matters

    def names(self) -> dict[str, Path]:
        """The folder of each module."""
        return {
            manifest.parent.name: manifest.parent
            for folder in (SHIPPED, *reversed(self.folders)) for manifest in sorted(folder.glob(f"*/{MANIFEST}"))
        }  # fmt: skip

    def find(self, name: str) -> CatalogueModule:
        """The module; FlowError says that there is none, or why it cannot be taken."""
        for folder in self.folders:
            self.read(folder / name / MANIFEST)
            if (folder / name / MANIFEST).is_file():
                found = read_module(folder / name)
                for path in found.paths:
                    self.read(path)
                return found
        names = self.names()
        if name not in names:
            raise FlowError([f"there is no module {name!r} in the catalogue; {nearest(name, names)}"])
        return _shipped(name)

    def modules(self) -> list[CatalogueModule]:
        """All of them, by name; FlowError says which one is wrong."""
        return [self.find(name) for name in sorted(self.names())]

    def use(self, raw: dict[str, Any], path: FieldPath, home: Path | None) -> tuple[dict[str, Any], list[Problem]]:
        """The module of a flow with what its `use` names, and what is wrong."""
        try:
            return self.find(raw["use"]).used_by(raw, path, home)
        except FlowError as error:
            return raw, [Problem((*path, "use"), f"{dotted((*path, 'use'))}: {text}") for text in error.problems]


def with_shipped(document: Any) -> tuple[Any, list[Problem]]:
    """A document from a client that has left `use` to the runner, with the shipped modules it names."""
    modules = document.get("modules") if isinstance(document, dict) else None
    modules = modules if isinstance(modules, dict) else {}
    asked = {
        name: raw for name, raw in modules.items()
        if isinstance(raw, dict) and isinstance(raw.get("use"), str) and "code" not in raw
    }  # fmt: skip
    if not asked:
        return document, []
    problems: list[Problem] = []
    for name, raw in asked.items():
        asked[name], wrong = Catalogue().use(raw, ("modules", name), None)
        problems += wrong
    return {**document, "modules": {**modules, **asked}}, problems


def folders_named(said: Any, home: Path) -> tuple[list[Path], list[Problem]]:
    """The folders that a file in `home` names under `catalogue`, and which of them are none."""
    path: FieldPath = ("catalogue",)
    problems = list(schema_problems(said, flow_schema()["$defs"]["flow"]["properties"]["catalogue"], path))
    folders = [] if problems else [home / folder for folder in said]
    for index, folder in enumerate(folders):
        if not folder.is_dir():
            where = (*path, index)
            problems.append(Problem(where, f"{dotted(where)}: there is no folder {cut(str(folder))!r}."))
    return folders, problems
