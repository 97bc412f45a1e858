"""`runner logs [FLOW[/MODULE]]`: the last lines of a runner's log, and those that come."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from typing import Any

from actors.console.calls import connected, flow_or_module, no_module, of_each
from actors.console.client import RunnerClient
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner
from actors.console.text import plain

EVERY_S = 0.25  # a look, with --follow
LEVELS = ("debug", "info", "warning", "error", "critical")


def logs(options: argparse.Namespace) -> int:
    """Of all live runners, if no flow is named. With `--follow` until Ctrl-C, or until the runner has gone."""
    flow_id, module = flow_or_module(options, options.target) if options.target else (None, None)
    wanted = {"flow_id": flow_id, "module_id": module}
    after: dict[str, str] = {}

    def read(client: RunnerClient) -> list[dict[str, Any]]:
        runner = client.runner.path if client.runner else ""
        said = client.read_log(**wanted, after=after.get(runner))
        after[runner] = said["after"]
        return [line for line in said["lines"] if LEVELS.index(line["level"]) >= LEVELS.index(options.level)]

    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        client = stack.enter_context(connected(options, flow_id)) if flow_id else None

        def look() -> list[dict[str, Any]]:
            return read(client) if client is not None else _in_time(of_each(options, read))

        lines = look()
        if client is not None and flow_id and module and not lines:
            _check_module(client, flow_id, module)
        _show(options, lines[-options.count :])
        while options.follow:
            time.sleep(EVERY_S)
            _show(options, look())
    return 0


def _check_module(client: RunnerClient, flow_id: str, module: str) -> None:
    """One that has been removed is known by its lines only."""
    modules: dict[str, Any] = next((flow["modules"] for flow in client.list_flows() if flow["id"] == flow_id), {})
    if module not in modules:
        raise UserError(no_module(flow_id, module, modules))


def _in_time(said: dict[LiveRunner, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Those of several runners as one."""
    more = len(said) > 1
    lines = [{**line, "runner": live.path} if more else line for live, some in said.items() for line in some]
    return sorted(lines, key=lambda line: float(line["time"]))


def _show(options: argparse.Namespace, lines: list[dict[str, Any]]) -> None:
    for line in lines:
        if options.json:
            print(json.dumps(line, ensure_ascii=False))
            continue
        stamp = time.strftime("%H:%M:%S", time.localtime(line["time"]))
        runner = f"{line['runner']}: " if "runner" in line else ""
        print(plain(f"{stamp} {line['level'].upper():7} {runner}{line['message']}"))
    sys.stdout.flush()
