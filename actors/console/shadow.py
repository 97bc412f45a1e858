"""`runner shadow FLOW/MODULE --file NEW`: what another text of a module would make of its messages."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from actors.console.calls import connected, module_of, show
from actors.console.errors import UserError
from actors.counted import counted
from actors.error_text import error_text

SHOWN = 10  # differences, one by one


def shadow(options: argparse.Namespace) -> int:
    """Until N messages have been compared. Differences are no failure."""
    flow_id, module = module_of(options)
    path = Path(options.file)
    try:
        fields = {"code": path.read_text("utf-8"), "name": path.name}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8'}") from None
    with connected(options, flow_id) as client:
        client.on_progress = lambda text: print(f"  {text}", file=sys.stderr, flush=True)
        try:
            found = client.call(
                "shadowModule", module, fields, messages=options.count, recent=options.recent, yes=options.yes,
                timeoutS=options.timeout, timeout=None,
            )  # fmt: skip
        except KeyboardInterrupt:
            client.call("endShadow", module)
            raise
    return show(options, found, lambda value: text_of(module, value))


def text_of(module: str, found: dict[str, Any]) -> str:
    """What shadowModule has found, in lines for people."""
    kinds = [f"{found['same']:,} the same", f"{found['different']:,} differ", f"{found['errors']:,} fail"]
    lines = [f"{module}: {counted(found['messages'], 'message')}: {', '.join(kinds)}"]
    if found["ended"]:
        lines.append(f"  ended: {found['ended']}")
    lines += [
        f"  port {port}: {its['same']:,} the same, {its['different']:,} differ"
        for port, its in sorted(found["ports"].items())
    ]
    for name, words in (
        ("unsteady", "of which the version that runs, done once more, makes something else, too"),
        ("unclear", "of which it is not known what they have come to"),
        ("missed", "that were given up and not tried"),
    ):
        if found[name]:
            lines.append(f"  {counted(found[name], 'message')} {words}")
    for row in found["differences"][:SHOWN]:
        lines += _difference(row)
    if (rest := found["different"] + found["errors"] - SHOWN) > 0:
        lines.append(f"  ... and {rest:,} more; --json has {len(found['differences'])} of them")
    for key, its in found["context"].items():
        lines.append(f"  context {key}: {_value(its, 'before')} -> {_value(its, 'after')}")
    return "\n".join(lines)


def _difference(row: dict[str, Any]) -> list[str]:
    lines = [f"  {row['number']}: {row['port']} {json.dumps(row['message'], ensure_ascii=False)}"]
    for sign, side, error in (("-", "before", "errorBefore"), ("+", "after", "error")):
        for port, messages in row[side].items():
            lines += [f"    {sign} {port} {json.dumps(message, ensure_ascii=False)}" for message in messages]
        if error in row:
            lines.append(f"    {sign} {error_text(row[error])}")
    return lines


def _value(its: dict[str, Any], side: str) -> str:
    return json.dumps(its[side], ensure_ascii=False) if side in its else "nothing"
