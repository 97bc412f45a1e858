"""References to secrets in a module's `config` and `env`: `${env:NAME}`, `${file:PATH}`. Pure: what they stand for is
looked up where hosts are started (host/secrets.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from actors.definition.places import FieldPath, dotted
from actors.definition.schema import Problem

REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")
FIELDS = "config", "env"


def texts(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """All texts in a JSON value, with their places; keys are none."""
    waiting = [(path, value)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*where, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*where, index), item) for index, item in enumerate(value)]
        elif isinstance(value, str):
            yield where, value


def replaced(value: Any, secrets: Mapping[str, str]) -> Any:
    """The JSON value with what its references stand for; `secrets`: reference -> text."""
    if not secrets:
        return value
    if isinstance(value, dict):
        return {key: replaced(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, secrets) for item in value]
    return REFERENCE.sub(lambda found: secrets[found[0]], value) if isinstance(value, str) else value


def absolute(value: Any, folder: Path) -> Any:
    """The JSON value with files of references beside a folder, unless they say where they are."""
    if isinstance(value, dict):
        return {key: absolute(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [absolute(item, folder) for item in value]
    return REFERENCE.sub(lambda found: _absolute(found, folder), value) if isinstance(value, str) else value


def _absolute(found: re.Match[str], folder: Path) -> str:
    return f"${{file:{(folder / found[2]).absolute()}}}" if found[1] == "file" and found[2] else found[0]


def reference_problems(path: FieldPath, raw: dict[str, Any]) -> Iterator[Problem]:
    """Of a module: references that can stand for nothing, and those whose secret would leave the machine."""
    for field in FIELDS:
        for where, text in texts(raw.get(field), (*path, field)):
            for found in REFERENCE.finditer(text):
                if raw.get("runtime") == "browser":
                    yield Problem(where, f"{dotted(where)}: {found[0]} is a secret: it would go to every page.")
                elif not found[2]:
                    yield Problem(where, f"{dotted(where)}: {found[0]} names nothing.")
                elif found[1] == "file" and not found[2].startswith("/"):
                    yield Problem(where, f"{dotted(where)}: {found[0]}: the path has to begin with /.")
