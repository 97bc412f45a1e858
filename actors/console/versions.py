"""The verbs that show what a flow is, and was: its versions and the texts of its modules."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from actors.console.calls import connected, flow_of, module_of, show
from actors.console.errors import UserError
from actors.console.text import columns

Document = dict[str, Any]
LEFT_OUT = ("modules", "origin", "layout", "tests")  # of what makes a flow differ as a whole


def versions(options: argparse.Namespace) -> int:
    """`runner versions FLOW`: a line each, the oldest first."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        found = client.list_versions(flow_id)
    return show(options, found, _text)


def _text(found: list[dict[str, Any]]) -> str:
    before = [None, *(row["document"] for row in found)]
    rows = [
        (row["version"], "runs" if row["current"] else "", changes(old, row["document"]))
        for old, row in zip(before, found, strict=False)
    ]
    return columns(("VERSION", "", "CHANGES"), rows)


def changes(old: Document | None, new: Document) -> str:
    """In words, what is another than in the version before."""
    if old is None:
        return "-"
    was, now = old["modules"], new["modules"]
    words = {
        "added": [name for name in now if name not in was],
        "removed": [name for name in was if name not in now],
        "changed": [name for name in now if name in was and now[name] != was[name]],
    }
    said = [f"{word} {', '.join(names)}" for word, names in words.items() if names]
    said += sorted(key for key in {*old, *new} - {*LEFT_OUT} if old.get(key) != new.get(key))
    return "; ".join(said) or "-"


def source(options: argparse.Namespace) -> int:
    """`runner source FLOW/MODULE [--version N]`: the text as it is."""
    flow_id, place = module_of(options)
    name = place.partition("/")[2]
    with connected(options, flow_id) as client:
        found = client.list_versions(flow_id)
    wanted = [row for row in found if options.of_version in (None, row["version"])]
    if not wanted:
        kept = ", ".join(str(row["version"]) for row in found)
        raise UserError(f"{flow_id}: there is no version {options.of_version}; kept are {kept}")
    row = wanted[-1]
    module = row["document"]["modules"].get(name)
    if module is None:
        there = ", ".join(row["document"]["modules"])
        raise UserError(f"{flow_id}: version {row['version']} has no module {name!r}; there are {there}")
    if options.json:
        print(json.dumps(module))
        return 0
    code = module["code"]
    sys.stdout.write(code if code.endswith("\n") else f"{code}\n")
    return 0
