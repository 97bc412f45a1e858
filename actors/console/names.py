"""Names on the command line: a file, or a module, in place of a flow's id is refused with what is wanted."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path

SUFFIXES = {".yaml", ".yml", ".json"}
LOOKED_AT = 100_000  # characters of a file


def flow(text: str) -> str:
    """A flow's id, as the runner knows it; whether there is such a flow the runner says."""
    if Path(text).suffix in SUFFIXES:
        raise ArgumentTypeError(_is_file(text, "a flow", "id"))
    flow_id, slash, module = text.partition("/")
    if slash and flow_id and module:
        raise ArgumentTypeError(f"{text!r} is a module; a flow is wanted, such as {flow_id}")
    return text


def module(text: str) -> str:
    """FLOW/MODULE, FLOW/MODULE.PORT or, of the only flow, MODULE: which may have a port called `json`."""
    head, slash, _ = text.rpartition("/")
    if slash and Path(head).suffix in SUFFIXES:
        raise ArgumentTypeError(_is_file(head, "a flow", "id"))
    if Path(text).suffix in SUFFIXES and Path(text).is_file():
        raise ArgumentTypeError(_is_file(text, "a flow", "id"))
    return text


def deployment(text: str) -> str:
    """A deployment's name; whether one of that name is up is seen later."""
    if Path(text).suffix in SUFFIXES:
        raise ArgumentTypeError(_is_file(text, "a deployment", "name"))
    return text


def _is_file(file: str, noun: str, field: str) -> str:
    said = f"{file!r} is a file; {noun} goes by its `{field}`"
    try:
        with Path(file).open(encoding="utf-8") as opened:
            found = re.search(rf"^\W*{field}\W+([\w-]+)", opened.read(LOOKED_AT), re.MULTILINE)
    except (OSError, ValueError):
        found = None
    return f"{said}, here {found[1]}" if found else said
