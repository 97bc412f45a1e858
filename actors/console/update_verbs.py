"""The verbs that change what runs: apply and rollback."""

from __future__ import annotations

import argparse
from pathlib import Path

from actors.console.calls import connected, done
from actors.console.client import Outcome, RunnerClient
from actors.console.errors import UserError
from actors.console.live_runners import live_runners
from actors.flows.model import FlowError
from actors.flows.reading import read_flow_file
from actors.flows.validation import check_flow


def apply(options: argparse.Namespace) -> int:
    """`runner apply FLOW.yaml`: checked here first, so that errors name file, line and column."""
    try:
        source = read_flow_file(Path(options.flow))
        flow = check_flow(source.document, source.places)
    except FlowError as error:
        raise UserError(*error.problems) from None
    with connected(options, flow.id if _is_somewhere(options, flow.id) else None) as client:
        outcome = client.call("addOrUpdateFlow", source.document, options.plan)
        if options.plan:
            return done(options, outcome, _receipt_text(f"{flow.id}: would be", outcome), receipt=outcome.receipt)
        if outcome and not options.no_start and not (started := client.start_flow(flow.id)):
            outcome = started
        left_out = client.flow_state(flow.id)["leftOut"] if outcome else {}
    lines = [_receipt_text(f"{flow.id}: {'added, stopped' if options.no_start else 'running'}", outcome)]
    lines += [f"  {module}: left out: {reason}" for module, reason in left_out.items()]
    return done(options, outcome, "\n".join(lines), flow=flow.id, receipt=outcome.receipt, leftOut=left_out)


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
    with connected(options, options.flow) as client:
        outcome = client.call("rollbackFlow", options.flow, options.context, options.to_version)
    text = _receipt_text(f"{options.flow}: rolled back", outcome)
    return done(options, outcome, text, flow=options.flow, receipt=outcome.receipt)


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
