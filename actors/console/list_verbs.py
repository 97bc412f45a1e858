"""The verbs that look on: what there is, and how it is. With several runs or deployments they show all of them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from actors.console.calls import connected, flow_of, module_of, of_each, show
from actors.console.client import RunnerClient
from actors.console.debug_text import debug_lines
from actors.console.figures import figures_of
from actors.console.live_runners import LiveRunner, live_runners
from actors.console.text import columns, plain, screen_width
from actors.counted import counted
from actors.error_text import error_text
from runtimes.manifest import listed, load_runtimes, runtime_folders


def _in_one(said: dict[LiveRunner, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of all; if those are several, each row has its runner in front of its own."""
    if len(said) == 1:
        return next(iter(said.values()))
    return [{**row, "runner": _place(runner, row)} for runner, rows in said.items() for row in rows]


def _place(live: LiveRunner, row: dict[str, Any]) -> str:
    return f"{live.path}/{row['runner']}" if "runner" in row else live.path


def _table(
    head: tuple[str, ...], cells: list[tuple[Any, ...]], rows: list[dict[str, Any]], width: int | None = None
) -> str:  # fmt: skip
    """With a column for runners, if the rows have any."""
    if not any("runner" in row for row in rows):
        return columns(head, cells, width)
    more = [(row.get("runner"), *cell) for row, cell in zip(rows, cells, strict=True)]
    return columns(("RUNNER", *head), more, width)


def runtimes(options: argparse.Namespace) -> int:
    """`runner runtimes`: of what is live; without that, what a runner started here would have."""
    if options.runner is None and not live_runners(options.state):
        found = listed(load_runtimes(runtime_folders()).values())
    else:
        found = _in_one(of_each(options, lambda client: client.list_runtimes()))
    cells = [(row["id"], row["name"], row["version"] or "-", row.get("reason", "")) for row in found]
    return show(options, found, lambda rows: _table(("RUNTIME", "NAME", "VERSION", ""), cells, rows))


def flows(options: argparse.Namespace) -> int:
    """`runner flows [--runtime ID]`."""

    def ask(client: RunnerClient) -> Any:
        return client.list_flows() if options.runtime is None else client.list_flows_for_runtime(options.runtime)

    found = _in_one(of_each(options, ask))
    cells = [
        (flow["id"], flow["state"], ", ".join(f"{name}:{m['runtime']}" for name, m in flow["modules"].items()))
        for flow in found
    ]
    return show(options, found, lambda rows: _table(("FLOW", "STATE", "MODULES"), cells, rows))


def ps(options: argparse.Namespace) -> int:
    """`runner ps`: the runners, and the links between them."""
    said = of_each(options, lambda client: client.list_runners())
    found = [{**row, "deployment": live.name} if len(rows) > 1 else row for live, rows in said.items() for row in rows]
    return show(options, found, _runners_text)


def _runners_text(rows: list[dict[str, Any]]) -> str:
    head = ["RUNNER", "PID", "STATE", "STARTS", "MACHINE", "FLOWS"]
    cells = [
        [
            row["name"],
            str(row["pid"] or ""),
            row["state"] + (", drained" if row.get("drained") else ""),
            row["incarnation"],
            row["machine"],
            ", ".join(row["flows"]),
        ]
        for row in rows
    ]
    if any("deployment" in row for row in rows):
        head.insert(0, "DEPLOYMENT")
        cells = [[row.get("deployment"), *cell] for row, cell in zip(rows, cells, strict=True)]
    text = columns(head, cells)
    links = [
        (row["name"], link["peer"], link["inPerS"], link["outPerS"], link["unacknowledged"],
         link["unacknowledgedBytes"], link["roundTripMs"], None if link["up"] else f"down: {link['reason']}")
        for row in rows for link in row["links"]
    ]  # fmt: skip
    if links:
        text += "\n\n" + columns(
            ("RUNNER", "LINK TO", "IN/S", "OUT/S", "UNACKED", "BYTES", "TRIP MS", ""), links, screen_width()
        )
    return text


def state(options: argparse.Namespace) -> int:
    """`runner state [FLOW]`: figures of each module and host, rates of the last seconds. Without FLOW: of all."""
    if options.flow is not None:
        with connected(options, options.flow) as client:
            found = [client.flow_state(options.flow)]
    else:

        def ask(client: RunnerClient) -> list[Any]:
            return [client.flow_state(flow["id"]) for flow in client.list_flows()]

        found = [one for some in of_each(options, ask).values() for one in some]
    shown, text = (found, _state_text) if not options.storage else ([one["storage"] for one in found], _storage_text)
    if options.flow is not None:
        return show(options, shown[0], text)
    texts = [text(one) for one in shown]
    if options.storage:
        texts = [f"{state['id']}:\n{one}" for state, one in zip(found, texts, strict=True)]
    return show(options, shown, lambda _: "\n\n".join(texts) or "there are no flows")


def why(options: argparse.Namespace) -> int:
    """`runner why [FLOW]`: a line a sentence, the cause first."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        found = client.explain(flow_id)
    return show(options, found, lambda its: "\n".join(map(plain, its)))


def context(options: argparse.Namespace) -> int:
    """`runner context FLOW/MODULE`: a line a key."""
    flow_id, module = module_of(options)
    with connected(options, flow_id) as client:
        found = client.get_context(module)
    return show(options, found, lambda its: "\n".join(f"{key} = {json.dumps(its[key])}" for key in sorted(its)))


def _storage_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "no journal: nothing of it is written while it runs"
    if "runners" in found:
        return "\n".join(f"{runner}:\n{_storage_text(one)}" for runner, one in found["runners"].items())
    what = "messages, contexts, accounts" if found["durable"] else "no messages, no contexts (no wire is `disk`)"
    rows = [
        ("file", found["file"]), ("bytes", f"{found['bytes']:,}, and {found['logBytes']:,} of its log"),
        ("groups", f"{found['groups']:,} durable, {found['gatheredBytes']:,} bytes gathered for the next"),
        ("kept", what),
        ("", f"{counted(found['deadLetters'], 'dead letter')}, {counted(found['versions'], 'earlier version')}"),
    ]  # fmt: skip
    return "\n".join(f"{name:8}{text}" for name, text in rows)


def _state_text(found: dict[str, Any]) -> str:
    names, figures = figures_of(found)
    lines = [f"{found['id']}: {found['state']}", *debug_lines(found["debug"], len(figures))]
    lines.append(columns([name.upper() for name in names], figures.values(), screen_width()))
    hosts = [
        (
            f"{h['runner']}: {h['host']}" if "runner" in h else h["host"],
            str(h["pid"] or ""),
            h["starts"],
            h["memoryMb"],
            h["cpuS"],
        )
        for h in found["hosts"].values()
    ]
    if hosts:
        lines.append(columns(("HOST", "PID", "STARTS", "MIB", "CPU S"), hosts, screen_width()))
    lines += [
        f"{name}: {text}" for name, m in found["modules"].items() if (text := _source_text(m.get("source"))) is not None
    ]
    lines += [f"{name}: away, with its runner {runner}" for name, runner in found.get("away", {}).items()]
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
    said = of_each(options, lambda client: client.audit())
    names = ("accepted", "completed", "queued", "dropped", "deadLettered", "balanced")
    found: dict[str, Any] = {}
    for live, rows in said.items():
        for id, row in rows.items():
            if len(said) > 1:
                found[id if id not in found else f"{live.path}:{id}"] = {**row, "runner": _place(live, row)}
            else:
                found[id] = row

    def text(rows: dict[str, Any]) -> str:
        lost = dict.fromkeys(row["lost"] for row in rows.values() if "lost" in row)
        cells = [(id, *map(rows[id].get, names)) for id in rows]
        head = ("MODULE", "ACCEPTED", "COMPLETED", "QUEUED", "DROPPED", "DEAD", "BALANCED")
        return "\n".join([_table(head, cells, list(rows.values()), screen_width()), *lost])

    return show(options, found, text)
