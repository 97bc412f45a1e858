"""Flow files, the client's side: reads the file and puts the texts it names into one document.

The document is what `addOrUpdateFlow` takes: no path is left in it. What it says is checked by validation;
whatever does not have the shape of a file name here is passed on for that check to name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from actors.definition.catalogue import Catalogue, folders_named
from actors.definition.model import FlowError
from actors.definition.origin import origin_of
from actors.definition.places import FieldPath, Places, cut, cut_path, dotted
from actors.definition.references import FIELDS, absolute
from actors.definition.schema import Problem
from actors.definition.text_files import matches, text_of
from actors.definition.yaml_text import read_text

MAX_FILES = 1_000  # that one module's patterns may match


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSource:
    """A flow file with its texts inlined, the places of its fields, and every path that was read. `fingerprint`: of a
    deployment, what changes with the file or with what the deployment says of it.
    """

    document: dict[str, Any]
    places: Places
    paths: tuple[Path, ...]
    fingerprint: str = ""

    @property
    def sent(self) -> dict[str, Any]:
        """The document as a runner gets it: with its `origin`."""
        origin = origin_of(self.document, self.places)
        return self.document if origin is None else {**self.document, "origin": origin}


@dataclass(slots=True)
class LookedAt:
    """Whatever the text of a flow depends on: files, there or not, and the patterns of `files`."""

    files: set[Path] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)


def read_flow_file(path: Path, looked_at: LookedAt | None = None, catalogue: tuple[Path, ...] = ()) -> FlowSource:
    """Reads a flow from a YAML file, or a JSON file called *.json; FlowError says what cannot be read.

    `looked_at` is filled in either case. `catalogue`: folders of modules, besides those that the file names.
    """
    looked_at = looked_at or LookedAt()
    looked_at.files.add(path)
    document, places = read_text(text_of(path, str(path)), str(path))
    if not isinstance(document, dict):
        raise FlowError(
            [f"{places.at(())}: a flow file is a mapping with `id` and `modules`, no list and no single value."]
        )
    if "runners" in document and "modules" not in document:
        said = "this is a deployment, not a flow; `runner up` starts it, `runner check` checks it"
        raise FlowError([f"{places.at(('runners',))}: {said}."])
    inliner = _Inliner(path, places, looked_at)
    folders = (*inliner.catalogue_folders(document.pop("catalogue", [])), *catalogue)
    modules = document.get("modules")
    modules = modules if isinstance(modules, dict) else {}
    for module_id, module in modules.items():
        if isinstance(module, dict):
            if isinstance(module.get("use"), str):
                modules[module_id] = inliner.use(module, ("modules", module_id), folders)
            else:
                inliner.inline(module, ("modules", module_id))
    if inliner.problems:
        raise FlowError(inliner.problems)
    return FlowSource(document=document, places=places, paths=tuple(dict.fromkeys([path, *inliner.paths])))


def folders_of(folder: Path, pattern: str) -> set[Path]:
    """The folders in which a pattern of `files` looks."""
    level = found = {folder}
    for part in PurePosixPath(pattern).parts[:-1]:
        below = "**/" if part == "**" else f"{part}/"
        level = {path for folder in level for path in matches(folder, below) if path.is_dir()}
        found = found | level
    return found


class _Inliner:
    """Replaces the paths in modules by the texts they name, and collects what goes wrong."""

    def __init__(self, flow_path: Path, places: Places, looked_at: LookedAt) -> None:
        self.folder, self.looked_at = flow_path.parent, looked_at
        self.places = places
        self.paths: list[Path] = []
        self.problems: list[str] = []

    def inline(self, module: dict[str, Any], path: FieldPath) -> None:
        """Changes `file` to `code` and `name`, and the patterns of `files` to names and texts."""
        home, own = self.folder, None
        if isinstance(module.get("file"), str) and "code" not in module:
            file = self.folder / module["file"]
            text = self._read(file, (*path, "file"))
            if text is not None:
                own, home = file, file.parent
                del module["file"]
                module["code"] = text
                module.setdefault("name", file.name)
        module |= {field: absolute(module[field], self.folder) for field in FIELDS if field in module}
        patterns = module.get("files")
        if isinstance(patterns, list) and all(isinstance(pattern, str) for pattern in patterns):
            module["files"] = self._siblings(patterns, home, own, (*path, "files"))

    def catalogue_folders(self, said: Any) -> list[Path]:
        """The folders that the flow names under `catalogue`."""
        folders, problems = folders_named(said, self.folder)
        self._take(problems)
        return folders

    def use(self, module: dict[str, Any], path: FieldPath, folders: tuple[Path, ...]) -> dict[str, Any]:
        """What a module of the catalogue makes of this one."""
        used, problems = Catalogue(folders, self._look_at).use(module, path, self.folder)
        self._take(problems)
        return used

    def _look_at(self, file: Path) -> None:
        self.looked_at.files.add(file)
        self.paths += [file] if file.is_file() else []

    def _take(self, problems: list[Problem]) -> None:
        self.problems += [f"{self.places.at(problem.path)}: {problem.text}" for problem in problems]

    def _read(self, file: Path, path: FieldPath) -> str | None:
        self.looked_at.files.add(file)
        try:
            text = text_of(file, f"{self.places.at(path)}: {dotted(path)} names {cut_path(file)!r}, which")
        except FlowError as error:
            self.problems += error.problems
            return None
        self.paths.append(file)
        return text

    def _siblings(self, patterns: list[str], home: Path, own: Path | None, path: FieldPath) -> dict[str, str]:
        """Name -> text. A file below the module's own folder is named from there, others from the flow file's."""
        found: dict[str, Path] = {}
        for index, pattern in enumerate(patterns):
            for file in self._matches(pattern, (*path, index)):
                if own is not None and file.resolve() == own.resolve():
                    continue
                name = file.relative_to(home if file.is_relative_to(home) else self.folder).as_posix()
                if found.setdefault(name, file) != file:
                    self._refuse(
                        (*path, index), f"{str(found[name])!r} and {str(file)!r} would both be called {name!r}."
                    )
        texts = {name: self._read(found[name], path) for name in sorted(found)}
        return {name: text for name, text in texts.items() if text is not None}

    def _matches(self, pattern: str, path: FieldPath) -> list[Path]:
        """The files that a pattern matches, in order; none of them outside the flow file's folder."""
        parts, shown = PurePosixPath(pattern), repr(cut(pattern))
        if not parts.parts or parts.is_absolute() or ".." in parts.parts:
            return self._refuse(path, f"{shown} must be a pattern inside the flow file's folder, like 'lib/*.py'.")
        try:
            files = sorted(file for file in matches(self.folder, pattern) if file.is_file())
        except (ValueError, OSError, NotImplementedError) as error:
            return self._refuse(path, f"{shown} is not a pattern: {cut(str(error))}.")
        self.looked_at.patterns.add(pattern)
        outside = [file for file in files if not file.resolve().is_relative_to(self.folder.resolve())]
        if outside:
            return self._refuse(path, f"{str(outside[0])!r} leads out of the flow file's folder; copy it there.")
        if not files:
            return self._refuse(path, f"{shown} matches no file in {str(self.folder)!r}.")
        if len(files) > MAX_FILES:
            return self._refuse(path, f"{shown} matches {len(files)} files; at most {MAX_FILES} are read.")
        return files

    def _refuse(self, path: FieldPath, sentence: str) -> list[Path]:
        self.problems.append(f"{self.places.at(path)}: {dotted(path)}: {sentence}")
        return []
