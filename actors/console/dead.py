"""`runner dead`: the messages that could not be handled, as a work list: look, edit, send again, in bulk by error."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from actors.console.calls import connected, done, flow_of, show, value_of
from actors.console.client import Outcome, RunnerClient
from actors.console.errors import UserError
from actors.console.text import columns, plain
from actors.counted import counted
from actors.error_text import by_kind, error_text, more

SHOWN_OF_A_KIND = 10


def list_letters(options: argparse.Namespace) -> int:
    """`runner dead list [FLOW]`."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        found = client.dead_letters(flow_id)
    return show(options, found, _list_text)


def _list_text(letters: list[dict[str, Any]]) -> str:
    """A line a letter; under the first of a kind the stack of its error, and of many the number of the others."""
    kinds = by_kind(letters)
    shown = [letter for kind in kinds for letter in kind[:SHOWN_OF_A_KIND]]
    rows = [
        (letter["id"], letter["flowModuleId"], letter["port"], error_text(letter["error"]).partition("\n")[0])
        for letter in shown
    ]
    if not rows:
        return "there are no dead letters"
    head, *lines = columns(("ID", "MODULE", "PORT", "ERROR"), rows).split("\n")
    text = [head]
    for kind in kinds:
        count = min(len(kind), SHOWN_OF_A_KIND)
        stack = (kind[0]["error"].get("stack") or "").rstrip().split("\n")
        text += [lines[0], *(f"  {line}" for line in stack if line), *lines[1:count]]
        if len(kind) > count:
            text.append(f"  {more(len(kind) - count)}: --json lists all")
        del lines[:count]
    return "\n".join(text)


def show_letter(options: argparse.Namespace) -> int:
    """`runner dead show ID`: the message whole."""
    (id,), flow_id = _whole(options, [options.id])
    with connected(options, flow_id) as client:
        letter = next((one for one in client.dead_letters(flow_id) if one["id"] == id), None)
    if letter is None:
        raise UserError(f"there is no dead letter {id!r}; `runner dead list {flow_id}` shows them")
    if options.keep_as_test:
        from actors.console.keep_as_test import keep, of_letter  # runs flows

        return keep(options, [of_letter(options.keep_as_test, letter)])
    return show(options, letter, _letter_text)


def _letter_text(letter: dict[str, Any]) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter["time"]))
    lines = [f"{letter['id']}: {letter['flowModuleId']}.{letter['port']}, {at}", plain(error_text(letter["error"]))]
    lines += [f"  {plain(line)}" for line in (letter["error"].get("stack") or "").rstrip().split("\n") if line]
    if letter["headers"]:
        lines.append(f"headers {json.dumps(letter['headers'], ensure_ascii=False)}")
    return "\n".join([*lines, json.dumps(letter["message"], ensure_ascii=False, indent=2)])


def edit(options: argparse.Namespace) -> int:
    """`runner dead edit ID JSON`."""
    message = value_of(options.message)
    (id,), flow_id = _whole(options, [options.id])
    with connected(options, flow_id) as client:
        outcome = client.edit_dead_letter(id, message)
    return done(options, outcome, f"{id}: edited; `runner dead replay {id}` sends it", id=id)


def drop(options: argparse.Namespace) -> int:
    """`runner dead drop ID...`."""
    ids, flow_id = _whole(options, options.id)
    with connected(options, flow_id) as client:
        for number, id in enumerate(ids):
            _each(client.drop_dead_letter(id), number, len(ids), "were dropped")
    text = "\n".join(f"{id}: dropped" for id in ids)
    return show(options, {"ok": True, "dropped": ids}, lambda _: text)


def replay(options: argparse.Namespace) -> int:
    """`runner dead replay ID...`, or all of a flow, or all of them with an error of one type."""
    if not (options.all or options.type):
        if not options.id:
            raise UserError("dead replay takes the IDs of dead letters, or --type TYPE, or --all", usage=True)
        return _replay_some(options, options.id)
    if len(options.id) > 1 or any("/" in id for id in options.id):
        raise UserError("dead replay takes IDs, or a flow with --type or --all", usage=True)
    flow_id = flow_of(options, options.id[0] if options.id else None)
    with connected(options, flow_id) as client:
        letters = client.dead_letters(flow_id)
        ids = [one["id"] for one in letters if options.type in (None, one["error"]["type"])]
        if options.type and not ids:
            types = ", ".join(sorted({one["error"]["type"] for one in letters})) or "none"
            raise UserError(f"{flow_id} has no dead letter of the type {options.type!r}; there are: {types}")
        _replay(client, ids)
    text = f"{flow_id}: {counted(len(ids), 'dead letter')} sent again"
    return show(options, {"ok": True, "replayed": ids}, lambda _: text)


def _replay_some(options: argparse.Namespace, named: list[str]) -> int:
    ids, flow_id = _whole(options, named)
    with connected(options, flow_id) as client:
        _replay(client, ids)
    what = {"id": ids[0]} if len(ids) == 1 else {}
    return show(options, {"ok": True, "replayed": ids, **what}, lambda _: "\n".join(f"{id}: sent again" for id in ids))


def _replay(client: RunnerClient, ids: list[str]) -> None:
    """One after the other, in their order: at the first that is refused it says how many were sent."""
    for number, id in enumerate(ids):
        _each(client.replay_dead_letter(id), number, len(ids), "were sent again")


def _each(outcome: Outcome, number: int, count: int, what: str) -> None:
    if not outcome:
        so_far = [f"{number} of {count} {what}"] if count > 1 else []
        raise UserError(str(outcome.error), *so_far)


def _whole(options: argparse.Namespace, named: list[str]) -> tuple[list[str], str]:
    """The IDs with their flow, and the flow: `1` is the first of the only one."""
    ids = [id if "/" in id else f"{flow_of(options, None)}/{id}" for id in named]
    flows = {id.partition("/")[0] for id in ids}
    if len(flows) > 1:
        raise UserError("the IDs are to be of one flow", usage=True)
    return ids, flows.pop()
