"""Where inline code, and each `config`, stands in the flow file: errors name that place, as if it were a file's. Pure.

A document's `origin`, which the client writes, says so. It is no part of a module: one that only moved in the file is
unchanged, and the lines of its errors are those of the file as it was read last.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.definition.model import Flow
    from actors.definition.places import Places

# In a stack, of the file {}, with an extension if the language needs one: `x:3:5`, `x", line 3`, `x(3)`.
_PLACE = r"(?<![\w./-])({}(?:\.\w+)?)(:|\", line |\()(\d+)(?::(\d+))?"


CONFIG_DEPTH = 2  # of the fields in a `config` whose places are kept

Placed: TypeAlias = (
    "Callable[[str, dict[str, Any]], dict[str, Any]]"  # of a module's id and an ERROR: that ERROR, placed
)


def origin_of(document: dict[str, Any], places: Places) -> dict[str, Any] | None:
    """Of a document that was read from a file: the file, for inline code its first line and the columns before it, and
    the line and column of each `config` and its fields.

    The columns are left out if the lines of the code are no lines of the file. None: there is neither.
    """
    code, config = {}, dict[str, dict[str, dict[str, int]]]()
    modules = document.get("modules")
    for module in modules if isinstance(modules, dict) else ():
        path = ("modules", module, "code")
        if path in places.blocks:
            line, columns = places.blocks[path]
            code[module] = {"line": line, "columns": columns}
        elif path in places.marks:
            code[module] = {"line": places.marks[path][0]}
    for field, place in places.marks.items():
        match field:
            case ("modules", str(name), "config", *fields) if len(fields) <= CONFIG_DEPTH:
                config.setdefault(name, {})[".".join(map(str, fields))] = {"line": place[0], "column": place[1]}
    if not (code or config):
        return None
    return {"file": places.file, "code": code} | ({"config": config} if config else {})


def with_module(document: dict[str, Any], module: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A flow's document in which a module has these fields in place of its own; a text with a name of its own stands
    in a file of its own.
    """
    modules = {**document["modules"], module: {**document["modules"][module], **fields}}
    origin = document.get("origin")
    gone = [part for part, field in (("code", "name"), ("config", "config")) if field in fields]
    if origin is not None and gone:
        others = {part: {name: at for name, at in origin.get(part, {}).items() if name != module} for part in gone}
        document = {**document, "origin": {**origin, **others}}
    return {**document, "modules": modules}


def placed(flow: Flow, module_id: str, error: dict[str, Any]) -> dict[str, Any]:
    """An ERROR of the protocol with the places of inline code in the flow file's lines; one without a file names it."""
    module = flow.modules.get(module_id)
    if module is None:
        return error
    if "config" in error:
        return _in_config(flow, module_id, error)
    error = {**error, "file": error.get("file") or module.name}
    origin = flow.document.get("origin", {"code": {}})
    block = origin["code"].get(module_id)
    if block is None:
        return error
    first, columns = block["line"], block.get("columns")
    name = re.escape(module.name)
    file = error["file"]
    if re.fullmatch(rf"{name}(\.\w+)?", file) and file not in module.files:
        error["file"] = origin["file"]
        if columns is None:
            error["line"] = first
            error.pop("column", None)
        elif error.get("line"):
            error["line"] += first - 1
            if error.get("column"):
                error["column"] += columns
    if error.get("stack") and columns is not None:

        def moved(found: re.Match[str]) -> str:
            if found[1] in module.files:
                return found[0]
            column = f":{int(found[4]) + columns}" if found[4] else ""
            return f"{origin['file']}{found[2]}{int(found[3]) + first - 1}{column}"

        error["stack"] = re.sub(_PLACE.format(name), moved, error["stack"])
    return error


def _in_config(flow: Flow, module_id: str, error: dict[str, Any]) -> dict[str, Any]:
    """An ERROR about a field of a `config`: at that field, or the nearest one around it."""
    origin = flow.document.get("origin", {})
    places, field = origin.get("config", {}).get(module_id, {}), error["config"]
    error = {name: value for name, value in error.items() if name != "config"}
    while field not in places and field:
        field = field.rpartition(".")[0]
    if field in places:
        error |= {"file": origin["file"], **places[field]}
    return error
