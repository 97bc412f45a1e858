"""`runner catalogue`, `runner catalogue show NAME`, `runner eject NAME`: modules that flows take by name."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.console.calls import show
from actors.console.errors import UserError
from actors.console.text import columns, screen_width
from actors.definition.catalogue import MANIFEST, Catalogue, CatalogueModule, folders_named
from actors.definition.model import FlowError
from actors.definition.text_files import text_of
from actors.definition.yaml_text import read_text

ORDER = ("in", "between", "out")


def _catalogue(options: argparse.Namespace) -> Catalogue:
    """The shipped modules, and those of the folders that `--of` a flow or deployment file names, or is itself."""
    if "of" not in options:
        return Catalogue()
    path = Path(options.of)
    if path.is_dir():
        return Catalogue((path,))
    value, places = read_text(text_of(path, str(path)), str(path))
    said = value.get("catalogue", []) if isinstance(value, dict) else []
    folders, problems = folders_named(said, path.parent)
    if problems:
        raise FlowError([f"{places.at(problem.path)}: {problem.text}" for problem in problems])
    return Catalogue(tuple(folders))


def list_modules(options: argparse.Namespace) -> int:
    """A line a module."""
    try:
        found = [module.facts() for module in _catalogue(options).modules()]
    except FlowError as error:
        raise UserError(*error.problems) from None
    found.sort(key=lambda its: ORDER.index(its["kind"]))
    return show(options, found, _list_text)


def _list_text(found: list[dict[str, Any]]) -> str:
    rows = [(its["name"], its["kind"], its["runtime"], its["description"]) for its in found]
    return columns(("MODULE", "KIND", "RUNTIME", "WHAT IT DOES"), rows, screen_width())


def show_module(options: argparse.Namespace) -> int:
    """All that there is to know of one, its source at the end."""
    module = _find(options)
    facts = {**module.facts(), "source": module.fields["code"], "files": module.fields.get("files", {})}
    return show(options, facts, lambda _: "\n".join(_lines(module)))


def _find(options: argparse.Namespace) -> CatalogueModule:
    try:
        return _catalogue(options).find(options.name)
    except FlowError as error:
        raise UserError(*error.problems) from None


def _lines(module: CatalogueModule) -> Iterator[str]:
    ports = module.fields.get("ports", {})
    yield f"{module.name} ({module.fields['runtime']}): {module.description}"
    yield f"in {module.folder}"
    for side in ("in", "out"):
        if side in ports:
            yield f"{side}-ports: {', '.join(ports[side]) or 'none'}"
    if module.fields.get("dependencies"):
        yield f"dependencies: {', '.join(module.fields['dependencies'])}"
    if module.config is not None:
        yield from ("", "config:", *(f"  {line}" for line in config_lines(module.config)))
    for title, text in (
        ("sends", module.sends),
        ("delivery", module.delivery),
        ("example", module.example),
        (module.fields["name"], module.fields["code"]),
    ):
        if text:
            yield from ("", f"{title}:", *(f"  {line}".rstrip() for line in text.rstrip().split("\n")))


def config_lines(schema: dict[str, Any]) -> Iterator[str]:
    """A line a field: its name, what it takes, what it is without one, what it means."""
    needed = schema.get("required", ())
    for name, its in schema.get("properties", {}).items():
        kinds = its.get("type", "any value")
        notes = ["one of " + ", ".join(map(str, its["enum"])) if "enum" in its else _as_text(kinds)]
        notes += ["needed"] if name in needed else []
        notes += [f"else {json.dumps(its['default'])}"] if "default" in its else []
        means = " ".join(its.get("description", "").split())
        yield f"{name} ({'; '.join(notes)}){': ' if means else ''}{means}"


def _as_text(kinds: Any) -> str:
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def eject(options: argparse.Namespace) -> int:
    """Copy a module's folder beside the flow; the flow, if it is named, takes that one from now on."""
    module = _find(options)
    flow = Path(options.flow) if options.flow is not None else None
    target = (flow.parent if flow is not None else Path()) / module.name
    if target.exists():
        raise UserError(f"{target} exists already; nothing was written")
    try:
        text = None if flow is None else _looking_beside(flow)
        shutil.copytree(module.folder, target, ignore=shutil.ignore_patterns("__pycache__"))
        _bring_in(module, target)
        if flow is not None and text is not None:
            flow.write_text(text, "utf-8")
    except FlowError as error:
        raise UserError(*error.problems) from None
    except OSError as error:
        raise UserError(f"{error.filename or target}: {error.strerror}") from None
    said = f"wrote {target}{os.sep}; " + (
        f"{flow} takes it from now on" if text is not None
        else f"{'the flow file beside it' if flow is None else flow} takes it, if it says: catalogue: [.]"
    )  # fmt: skip
    return show(options, {"ok": True, "folder": str(target), "rewritten": text is not None}, lambda _: said)


def _bring_in(module: CatalogueModule, target: Path) -> None:
    """Let a copy have its source beside it, and what that imports, if they are another module's."""
    _, source, *others = module.paths
    if source.parent.resolve() != module.folder.resolve():
        for path in (source, *others):
            (target / path.relative_to(source.parent)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / path.relative_to(source.parent))
        manifest = target / MANIFEST
        named = os.path.relpath(source, module.folder)
        manifest.write_text(manifest.read_text("utf-8").replace(f"file: {named}\n", f"file: {source.name}\n"), "utf-8")


def _looking_beside(flow: Path) -> str | None:
    """The text of a flow file that looks for modules in its own folder; None if it has to be written by hand."""
    text = text_of(flow, str(flow))
    document, places = read_text(text, str(flow))
    lines = text.split("\n")
    line, column = places.marks.get(("id",), (0, 0))
    if (
        not isinstance(document, dict)
        or "catalogue" in document
        or column != 1
        or not lines[line - 1].startswith("id:")
    ):
        return None
    return "\n".join([*lines[:line], "catalogue: [.]", *lines[line:]])
