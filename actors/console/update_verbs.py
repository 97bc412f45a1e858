"""The verbs that change what runs: apply and rollback."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from actors.console.calls import connected, done, runners_with
from actors.console.client import Outcome, RunnerClient
from actors.console.errors import UserError
from actors.console.live_runners import live_runners
from actors.console.watch import open_watch
from actors.definition.model import FlowError
from actors.definition.reading import FlowSource, read_flow_file
from actors.definition.unsupported import warnings
from actors.definition.validation import check_flow
from actors.ends.flow_watch import Edit, FlowWatch


def apply(options: argparse.Namespace) -> int:
    """`runner apply FLOW.yaml`: checked here first, so that errors name file, line and column."""
    if options.plan and options.watch:
        raise UserError("apply takes --plan or --watch, not both", usage=True)
    if options.expect is not None and options.watch:
        raise UserError("apply takes --expect or --watch, not both", usage=True)
    try:
        source = read_flow_file(Path(options.flow))
        flow = check_flow(source.document, source.places)
    except FlowError as error:
        raise UserError(*error.problems) from None
    for warning in warnings(source.document):
        print(f"runner: {options.flow}: {warning}", file=sys.stderr)
    with connected(options, flow.id if _is_somewhere(options, flow.id) else None) as client:
        if options.plan:
            outcome = client.call("addOrUpdateFlow", source.sent, True, options.expect, timeout=None)
            return done(options, outcome, _receipt_text(f"{flow.id}: would be", outcome), receipt=outcome.receipt)
        if options.watch:
            return _follow(options, client, source)
        return _apply(options, client, source.sent)


def _apply(options: argparse.Namespace, client: RunnerClient, document: dict[str, Any]) -> int:
    flow_id = document["id"]
    outcome = client.call(
        "addOrUpdateFlow", document, False, options.expect, timeout=None
    )  # it may have to be compiled
    if outcome and not options.no_start and not (started := client.start_flow(flow_id, timeout=None)):
        outcome = started
    left_out = client.flow_state(flow_id)["leftOut"] if outcome else {}
    head = f"{flow_id}: {'added, stopped' if options.no_start else 'running'}{_version(outcome)}"
    lines = [_receipt_text(head, outcome)]
    lines += [f"  {module}: left out: {reason}" for module, reason in left_out.items()]
    done(options, outcome, "\n".join(lines), flow=flow_id, receipt=outcome.receipt, leftOut=left_out)
    return _regret(f"{flow_id}: applied", outcome)


def _regret(done: str, outcome: Outcome) -> int:
    """An update stands, but a `stop` of the version before has raised: that is no success."""
    modules = (outcome.receipt or {}).get("modules", {}).items()
    regrets = [
        f"{done}, but stop of {module} failed: {what['stopError']}" for module, what in modules if "stopError" in what
    ]
    for regret in regrets:
        print(f"runner: {regret}", file=sys.stderr)
    return 1 if regrets else 0


def _follow(options: argparse.Namespace, client: RunnerClient, source: FlowSource) -> int:
    """Apply what is there and then every edit, until Ctrl-C or the end of the runner."""
    assert client.runner is not None
    _try(options, client, Edit(document=source.sent))
    with open_watch(options.flow, source) as watch, contextlib.suppress(KeyboardInterrupt):
        runner = os.pidfd_open(client.runner.pid)
        try:
            ready = select.poll()
            for fd in (watch.fd, runner):
                ready.register(fd, select.POLLIN)
            while True:
                sys.stdout.flush()
                wait_s = None if watch.due is None else max(0.0, watch.due - time.monotonic())
                came = dict(ready.poll(None if wait_s is None else math.ceil(wait_s * 1000)))
                if runner in came:
                    raise UserError("the runner has ended")
                if watch.fd in came:
                    watch.take_in()
                _take_edit(options, client, watch)
        finally:
            os.close(runner)
    return 0


def _take_edit(options: argparse.Namespace, client: RunnerClient, watch: FlowWatch) -> None:
    """If there is one."""
    if watch.due is not None and watch.due <= time.monotonic() and (edit := watch.reread()) is not None:
        _try(options, client, edit)


def _try(options: argparse.Namespace, client: RunnerClient, edit: Edit) -> None:
    """What is wrong with it is said, and what runs goes on."""
    problems = edit.problems
    if not problems:
        try:
            _apply(options, client, edit.document)
        except UserError as error:
            problems = error.sentences
    if problems and options.json:
        print(json.dumps({"ok": False, "errors": problems}))
    for problem in (*problems, "the edit is not taken: what ran before goes on") if problems else ():
        print(f"runner: {problem}", file=sys.stderr)


def _version(outcome: Outcome) -> str:
    return f", version {outcome.receipt['version']}" if outcome and outcome.receipt else ""


def _receipt_text(head: str, outcome: Outcome) -> str:
    """A line per module: what was done to it, how long it paused, how many messages waited."""
    lines = [head]
    for module, what in ((outcome.receipt or {}).get("modules", {}) if outcome else {}).items():
        more = [f"paused {what['pauseMs']:.1f} ms, {what['held']} held"] if what.get("pauseMs") else []
        more += [word for word in ("migrated", "mixed") if what.get(word)]
        lines.append(f"  {module}: {what['did']}" + (f" ({', '.join(more)})" if more else ""))
    return "\n".join(lines)


def rollback(options: argparse.Namespace) -> int:
    """`runner rollback FLOW`: to the version before, or `--version N`; prints the receipt."""
    with connected(options, options.flow) as client:
        outcome = client.call("rollbackFlow", options.flow, options.context, options.to_version, timeout=None)
    text = _receipt_text(f"{options.flow}: rolled back{_version(outcome)}", outcome)
    done(options, outcome, text, flow=options.flow, receipt=outcome.receipt)
    return _regret(f"{options.flow}: rolled back", outcome)


def _is_somewhere(options: argparse.Namespace, flow_id: str) -> bool:
    """Whether any live runner has the flow already: then that one is updated."""
    runners = live_runners(options.state)
    if options.runner is not None or len(runners) < 2:
        return False
    return bool(runners_with(runners, flow_id)[0])
