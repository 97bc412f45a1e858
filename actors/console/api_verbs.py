"""The verbs that are calls of the Runner API: one call each, its answer as text or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.console.client import Outcome, RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, find_runner, live_runners, several
from actors.console.text import columns
from actors.flows.model import FlowError
from actors.flows.reading import read_flow_file
from actors.flows.validation import check_flow
from runtimes.manifest import RUNTIMES_FOLDER, listed, load_runtimes


@contextmanager
def _client(options: argparse.Namespace, flow_id: str | None = None) -> Iterator[RunnerClient]:
    """The runner that is meant: with several live ones, the one that has the flow."""
    try:
        with RunnerClient(socket=_choose(options, flow_id).socket) as client:
            yield client
    except RunnerError as error:
        problems = error.data if isinstance(error.data, list) else [str(error)]
        raise UserError(*map(str, problems)) from None
    except ConnectionError as error:
        raise UserError(f"the runner has gone: {error.strerror}") from None


def _choose(options: argparse.Namespace, flow_id: str | None) -> LiveRunner:
    runners = live_runners(options.state)
    if options.runner is not None or len(runners) < 2 or flow_id is None:
        return find_runner(options.state, options.runner)
    having = []
    for runner in runners:
        with RunnerClient(socket=runner.socket) as client:
            if any(flow["id"] == flow_id for flow in client.list_flows()):
                having.append(runner)
    if len(having) == 1:
        return having[0]
    if having:
        raise UserError(f"several runners have the flow {flow_id!r}: {several(having)}")
    raise UserError(f"no live runner has the flow {flow_id!r}; {several(runners)}")


def _show(options: argparse.Namespace, value: Any, text: Callable[[Any], str]) -> int:
    print(json.dumps(value) if options.json else text(value))
    return 0


def _done(options: argparse.Namespace, outcome: Outcome, text: str, **more: Any) -> int:
    """The end of a call that returns true or false."""
    if not outcome:
        raise UserError(*(map(str, outcome.data) if isinstance(outcome.data, list) else [outcome.error or "refused"]))
    return _show(options, {"ok": True, **more}, lambda _: text)


# lists -----------------------------------------------------------------------------------------------------------


def runtimes(options: argparse.Namespace) -> int:
    """`runner runtimes`: of the live runner; without one, what a runner started here would have."""
    if options.runner is None and not live_runners(options.state):
        found = listed(load_runtimes([RUNTIMES_FOLDER]).values())
    else:
        with _client(options) as client:
            found = client.list_runtimes()
    head = ("RUNTIME", "NAME", "VERSION", "")
    return _show(
        options,
        found,
        lambda rows: columns(head, [(r["id"], r["name"], r["version"] or "-", r.get("reason", "")) for r in rows]),
    )


def flows(options: argparse.Namespace) -> int:
    """`runner flows [--runtime ID]`."""
    with _client(options) as client:
        found = client.list_flows() if options.runtime is None else client.list_flows_for_runtime(options.runtime)
    rows = [
        (flow["id"], flow["state"], ", ".join(f"{name}:{m['runtime']}" for name, m in flow["modules"].items()))
        for flow in found
    ]
    return _show(options, found, lambda _: columns(("FLOW", "STATE", "MODULES"), rows))


def state(options: argparse.Namespace) -> int:
    """`runner state FLOW`."""
    with _client(options, options.flow) as client:
        found = client.flow_state(options.flow)
    return _show(options, found, _state_text)


def _state_text(found: dict[str, Any]) -> str:
    head = ("MODULE", "RUNTIME", "IN/S", "OUT/S", "DONE", "QUEUED", "IN FLIGHT", "ERRORS", "DEAD", "P50 MS", "P99 MS")
    rows = [
        (
            name, m["runtime"], round(m["inPerS"]), round(m["outPerS"]), m["completed"], m["queued"], m["inFlight"],
            m["errors"], m["deadLettered"], m["latencyMs"]["p50"], m["latencyMs"]["p99"],
        )
        for name, m in found["modules"].items()
    ]  # fmt: skip
    lines = [f"{found['id']}: {found['state']}", columns(head, rows)]
    lines += [f"left out: {name}: {reason}" for name, reason in found["leftOut"].items()]
    return "\n".join([*lines, *found["errors"]])


def audit(options: argparse.Namespace) -> int:
    """`runner audit`."""
    with _client(options) as client:
        found = client.audit()
    head = ("MODULE", "ACCEPTED", "COMPLETED", "QUEUED", "DROPPED", "DEAD", "BALANCED")
    names = ("accepted", "completed", "queued", "dropped", "deadLettered", "balanced")
    return _show(options, found, lambda rows: columns(head, [(id, *map(rows[id].get, names)) for id in rows]))


# the lives of flows ----------------------------------------------------------------------------------------------


def apply(options: argparse.Namespace) -> int:
    """`runner apply FLOW.yaml`: checked here first, so that errors name file, line and column."""
    try:
        source = read_flow_file(Path(options.flow))
        flow = check_flow(source.document, source.places)
    except FlowError as error:
        raise UserError(*error.problems) from None
    with _client(options, flow.id if _is_somewhere(options, flow.id) else None) as client:
        outcome = client.call("addOrUpdateFlow", source.document, options.plan)
        if options.plan:
            return _done(options, outcome, _receipt_text(f"{flow.id}: would be", outcome), receipt=outcome.receipt)
        if outcome and not options.no_start and not (started := client.start_flow(flow.id)):
            outcome = started
        left_out = client.flow_state(flow.id)["leftOut"] if outcome else {}
    lines = [_receipt_text(f"{flow.id}: {'added, stopped' if options.no_start else 'running'}", outcome)]
    lines += [f"  {module}: left out: {reason}" for module, reason in left_out.items()]
    return _done(options, outcome, "\n".join(lines), flow=flow.id, receipt=outcome.receipt, leftOut=left_out)


def _receipt_text(head: str, outcome: Outcome) -> str:
    """A line per module: what was done to it, how long it paused, how many messages waited."""
    lines = [head]
    for module, what in ((outcome.receipt or {}).get("modules", {}) if outcome else {}).items():
        more = [f"paused {what['pauseMs']:.1f} ms, {what['held']} held"] if what.get("pauseMs") else []
        more += [word for word in ("migrated", "mixed") if what.get(word)]
        lines.append(f"  {module}: {what['did']}" + (f" ({', '.join(more)})" if more else ""))
    return "\n".join(lines)


def rollback(options: argparse.Namespace) -> int:
    """`runner rollback FLOW`."""
    with _client(options, options.flow) as client:
        outcome = client.call("rollbackFlow", options.flow, options.context, options.to_version)
    text = _receipt_text(f"{options.flow}: rolled back", outcome)
    return _done(options, outcome, text, flow=options.flow, receipt=outcome.receipt)


def _is_somewhere(options: argparse.Namespace, flow_id: str) -> bool:
    """Whether any live runner has the flow already: then that one is updated."""
    runners = live_runners(options.state)
    if options.runner is not None or len(runners) < 2:
        return False
    for runner in runners:
        with RunnerClient(socket=runner.socket) as client:
            if any(flow["id"] == flow_id for flow in client.list_flows()):
                return True
    return False


def _life(method: str, word: str) -> Callable[[argparse.Namespace], int]:
    def verb(options: argparse.Namespace) -> int:
        with _client(options, options.flow) as client:
            outcome = client.call(method, options.flow)
        return _done(options, outcome, f"{options.flow}: {word}", flow=options.flow)

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
    with _client(options, flow_id) as client:
        for text in texts:
            if not text.strip():
                continue
            outcome = client.send_message(f"{flow_id}/{module}", port or "in", _value(text))
            if not outcome:
                return _done(options, outcome, "")
            sent += 1
    return _show(options, {"ok": True, "sent": sent}, lambda _: "sent" if sent == 1 else f"{sent} sent")


def _value(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UserError(f"the message is not JSON: {error} (text needs quotes: '\"text\"')", usage=True) from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def dead_list(options: argparse.Namespace) -> int:
    """`runner dead list FLOW`."""
    with _client(options, options.flow) as client:
        found = client.dead_letters(options.flow)
    rows = [
        (letter["id"], letter["flowModuleId"], letter["port"], letter["error"]["type"], letter["error"]["message"])
        for letter in found
    ]
    head = ("ID", "MODULE", "PORT", "ERROR", "")
    return _show(options, found, lambda _: columns(head, rows) if rows else "there are no dead letters")


def dead_replay(options: argparse.Namespace) -> int:
    """`runner dead replay ID`."""
    with _client(options, options.id.partition("/")[0]) as client:
        outcome = client.replay_dead_letter(options.id)
    return _done(options, outcome, f"{options.id}: sent again", id=options.id)
