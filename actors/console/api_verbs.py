"""The verbs that are calls of the Runner API: one call each, its answer as text or JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from actors.console.calls import connected, done, show, value_of
from actors.console.debug_text import debug_lines
from actors.console.errors import UserError
from actors.console.figures import COLUMNS, rows
from actors.console.live_runners import live_runners
from actors.console.text import columns
from actors.counted import counted
from actors.error_text import by_kind, error_text, more
from runtimes.manifest import listed, load_runtimes, runtime_folders

SHOWN_OF_A_KIND = 10  # dead letters

# lists -----------------------------------------------------------------------------------------------------------


def runtimes(options: argparse.Namespace) -> int:
    """`runner runtimes`: of the live runner; without one, what a runner started here would have."""
    if options.runner is None and not live_runners(options.state):
        found = listed(load_runtimes(runtime_folders()).values())
    else:
        with connected(options) as client:
            found = client.list_runtimes()
    head = ("RUNTIME", "NAME", "VERSION", "")
    return show(
        options,
        found,
        lambda rows: columns(head, [(r["id"], r["name"], r["version"] or "-", r.get("reason", "")) for r in rows]),
    )


def flows(options: argparse.Namespace) -> int:
    """`runner flows [--runtime ID]`."""
    with connected(options) as client:
        found = client.list_flows() if options.runtime is None else client.list_flows_for_runtime(options.runtime)
    rows = [
        (flow["id"], flow["state"], ", ".join(f"{name}:{m['runtime']}" for name, m in flow["modules"].items()))
        for flow in found
    ]
    return show(options, found, lambda _: columns(("FLOW", "STATE", "MODULES"), rows))


def state(options: argparse.Namespace) -> int:
    """`runner state FLOW`: figures of each module and host, rates since the last call."""
    with connected(options, options.flow) as client:
        found = client.flow_state(options.flow)
    if options.storage:
        return show(options, found["storage"], _storage_text)
    return show(options, found, _state_text)


def _storage_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "no journal: nothing of it is written while it runs"
    what = "messages, contexts, accounts" if found["durable"] else "no messages, no contexts (no wire is `disk`)"
    rows = [
        ("file", found["file"]), ("bytes", f"{found['bytes']:,}, and {found['logBytes']:,} of its log"),
        ("groups", f"{found['groups']:,} durable, {found['gatheredBytes']:,} bytes gathered for the next"),
        ("kept", what),
        ("", f"{counted(found['deadLetters'], 'dead letter')}, {counted(found['versions'], 'earlier version')}"),
    ]  # fmt: skip
    return "\n".join(f"{name:8}{text}" for name, text in rows)


def _state_text(found: dict[str, Any]) -> str:
    figures = rows(found).values()
    lines = [f"{found['id']}: {found['state']}", *debug_lines(found["debug"], len(figures))]
    lines.append(columns([name.upper() for name in COLUMNS], figures))
    hosts = [(h["host"], str(h["pid"] or ""), h["starts"], h["memoryMb"], h["cpuS"]) for h in found["hosts"].values()]
    if hosts:
        lines.append(columns(("HOST", "PID", "STARTS", "MIB", "CPU S"), hosts))
    lines += [
        f"{name}: {text}" for name, m in found["modules"].items() if (text := _source_text(m.get("source"))) is not None
    ]
    lines += [f"left out: {name}: {reason}" for name, reason in found["leftOut"].items()]
    lines += [found["lost"]] if found.get("lost") else []
    return "\n".join([*lines, *found["errors"]])


def _source_text(source: dict[str, Any] | None) -> str | None:
    """What there is to say of a source that has raised."""
    if source is None or "error" not in source:
        return None
    return f"{_SOURCE_WORDS[source['state']]}: {error_text(source['error'])}"


_SOURCE_WORDS = {
    "failed": "the source has failed",
    "restarting": "the source has raised and is started again",
    "running": "the source was started again and has sent nothing yet, after",
}


def audit(options: argparse.Namespace) -> int:
    """`runner audit`: a row a module, of all flows."""
    with connected(options) as client:
        found = client.audit()
    head = ("MODULE", "ACCEPTED", "COMPLETED", "QUEUED", "DROPPED", "DEAD", "BALANCED")
    names = ("accepted", "completed", "queued", "dropped", "deadLettered", "balanced")

    def text(rows: dict[str, Any]) -> str:
        lost = dict.fromkeys(row["lost"] for row in rows.values() if "lost" in row)
        return "\n".join([columns(head, [(id, *map(rows[id].get, names)) for id in rows]), *lost])

    return show(options, found, text)


# the lives of flows ----------------------------------------------------------------------------------------------


def _life(method: str, word: str) -> Callable[[argparse.Namespace], int]:
    def verb(options: argparse.Namespace) -> int:
        with connected(options, options.flow) as client:
            outcome = client.call(method, options.flow, timeout=None)  # it may have to be compiled
        return done(options, outcome, f"{options.flow}: {word}", flow=options.flow)

    return verb


start, stop, remove = _life("startFlow", "running"), _life("stopFlow", "stopped"), _life("removeFlow", "removed")


# messages --------------------------------------------------------------------------------------------------------


def send(options: argparse.Namespace) -> int:
    """`runner send FLOW/MODULE[.PORT] JSON`."""
    flow_id, slash, place = options.target.partition("/")
    module, _, port = place.partition(".")
    if not slash or not flow_id or not module:
        raise UserError(f"send takes FLOW/MODULE or FLOW/MODULE.PORT, not {options.target!r}", usage=True)
    texts = sys.stdin if options.message == "-" else [options.message]
    sent = 0
    with connected(options, flow_id) as client:
        for text in texts:
            if not text.strip():
                continue
            outcome = client.send_message(f"{flow_id}/{module}", port or "in", value_of(text))
            if not outcome:
                return done(options, outcome, "")
            sent += 1
    return show(options, {"ok": True, "sent": sent}, lambda _: "sent" if sent == 1 else f"{sent} sent")


def dead_list(options: argparse.Namespace) -> int:
    """`runner dead list FLOW`."""
    with connected(options, options.flow) as client:
        found = client.dead_letters(options.flow)
    return show(options, found, _dead_text)


def _dead_text(letters: list[dict[str, Any]]) -> str:
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


def dead_replay(options: argparse.Namespace) -> int:
    """`runner dead replay ID`."""
    with connected(options, options.id.partition("/")[0]) as client:
        outcome = client.replay_dead_letter(options.id)
    return done(options, outcome, f"{options.id}: sent again", id=options.id)
