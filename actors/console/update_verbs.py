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

from actors.console.calls import connected, done, flow_of, module_of, runners_with
from actors.console.client import Outcome, RunnerClient
from actors.console.errors import UserError
from actors.console.live_runners import doors, live_runners
from actors.console.watch import open_watch
from actors.definition.model import FlowError
from actors.definition.reading import FlowSource, read_flow_file
from actors.definition.unsupported import warnings
from actors.definition.validation import check_flow
from actors.ends.flow_watch import Edit, FlowWatch

SHOWN_UNTOUCHED = 5  # modules, line by line


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
            return done(options, outcome, receipt_text(f"{flow.id}: would be", outcome), receipt=outcome.receipt)
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
    refused: dict[str, Any] = {"state": "", "leftOut": {}, "version": 0}
    state = client.flow_state(flow_id, rates=False) if outcome else refused
    left_out, is_new = state["leftOut"], state["version"] == 1 and options.no_start
    head = f"{flow_id}: {'added, ' if is_new else ''}{state['state']}{_version(outcome)}"
    lines = [receipt_text(head, outcome)]
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


def receipt_text(head: str, outcome: Outcome) -> str:
    """A line per module: what was done to it, how long it paused, how many messages waited. Many untouched: a sum."""
    lines = [head]
    modules = (outcome.receipt or {}).get("modules", {}) if outcome else {}
    untouched = [module for module, what in modules.items() if what["did"] == "untouched"]
    counted = untouched if len(untouched) > SHOWN_UNTOUCHED else []
    for module, what in modules.items():
        if module in counted:
            continue
        more = [f"paused {what['pauseMs']:.1f} ms, {what['held']} held"] if what.get("pauseMs") else []
        more += [word for word in ("migrated", "mixed") if what.get(word)]
        more[:0] = [f"from {what['movedFrom']} to {what['runner']}"] if "movedFrom" in what else []
        lines.append(f"  {module}: {what['did']}" + (f" ({', '.join(more)})" if more else ""))
    if counted:
        lines.append(f"  {len(counted)} modules: untouched")
    return "\n".join(lines)


def rollback(options: argparse.Namespace) -> int:
    """`runner rollback FLOW`: to the version before, or `--version N`; prints the receipt."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        outcome = client.call("rollbackFlow", flow_id, options.context, options.to_version, timeout=None)
    text = receipt_text(f"{flow_id}: rolled back{_version(outcome)}", outcome)
    done(options, outcome, text, flow=flow_id, receipt=outcome.receipt)
    return _regret(f"{flow_id}: rolled back", outcome)


def move(options: argparse.Namespace) -> int:
    """`runner move FLOW/MODULE RUNNER`: returns when the module works there; prints the receipt."""
    flow_id, module = module_of(options)
    with connected(options, flow_id) as client:
        outcome = client.call("moveModule", module, options.to, timeout=None)
    text = receipt_text(f"{module}: moved to {options.to}", outcome)
    done(options, outcome, text, module=module, runner=options.to, receipt=outcome.receipt)
    return _regret(f"{module}: moved", outcome)


def drain(options: argparse.Namespace) -> int:
    """`runner drain RUNNER`: returns when nothing is on it any more."""
    with connected(options) as client:
        outcome = client.call("drainRunner", options.name, options.end, timeout=None)
    text = f"{options.name}: {'may be used again' if options.end else 'drained, nothing is on it'}"
    return done(options, outcome, text, runner=options.name)


def _is_somewhere(options: argparse.Namespace, flow_id: str) -> bool:
    """Whether any live runner has the flow already: then that one is updated."""
    runners = doors(live_runners(options.state))
    if options.runner is not None or len(runners) < 2:
        return False
    return bool(runners_with(runners, flow_id)[0])
