"""`runner keys`: makes, shows and replaces what the runners of a deployment know each other by."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.definition.deployment import deployment_schema
from actors.definition.schema import schema_problems
from actors.deployment import key_folder


def new(options: argparse.Namespace) -> int:
    """A new folder of keys."""
    with _errors():
        key_folder.make_keys(Path(options.folder), Path(options.folder).resolve().name, _names(options))
    return _say(options, "made keys")


def add(options: argparse.Namespace) -> int:
    """Certificates for more runners; one that has one keeps it."""
    with _errors():
        key_folder.provide(Path(options.folder), _names(options))
    return _say(options, "added certificates")


def show(options: argparse.Namespace) -> int:
    """What is there, and nothing of it that is secret."""
    return _say(options, None)


def rotate(options: argparse.Namespace) -> int:
    """In one step, or in those of several machines."""
    with _errors():
        if options.prepare:
            key_folder.prepare(Path(options.folder))
        elif options.finish:
            key_folder.finish(Path(options.folder))
        else:
            key_folder.rotate(Path(options.folder))
    what = "prepared new keys" if options.prepare else "forgot the old keys" if options.finish else "replaced keys"
    return _say(options, what)


def bundle(options: argparse.Namespace) -> int:
    """A folder for another machine."""
    with _errors():
        key_folder.bundle(Path(options.folder), Path(options.to), _names(options))
    options.folder = options.to
    return _say(options, "made a bundle")


def _names(options: argparse.Namespace) -> list[str]:
    names = deployment_schema()["properties"]["runners"]["propertyNames"]
    for name in options.runners:
        if any(schema_problems(name, names)):
            raise UserError(f"{name!r} cannot be a runner's name; it must be {names['x-pattern-means']}", usage=True)
    return list(dict.fromkeys(options.runners))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except key_folder.KeysError as error:
        raise UserError(str(error)) from None


def _say(options: argparse.Namespace, did: str | None) -> int:
    with _errors():
        found = key_folder.shown(Path(options.folder))
    if options.json:
        print(json.dumps({"ok": True, "folder": options.folder, **found}))
        return 0
    if did is not None:
        print(f"{did}: {options.folder}")
    for line in _lines(found):
        print(f"  {line}")
    return 0


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for kind in ("authorities", "control"):
        for entry in found[kind]:
            until = f", until {entry['until']}" if "until" in entry else ""
            yield f"{'authority' if kind == 'authorities' else 'control key'} {entry['id']} ({entry['role']}{until})"
    for entry in found["runners"]:
        yield f"runner {entry['name']}, until {entry['until']}, by authority {entry['authority']}"
