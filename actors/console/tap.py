"""`runner tap FLOW/MODULE.PORT`: what leaves an out-port, as NDJSON. The flow does not wait for it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys

from actors.console.calls import connected
from actors.console.client import RunnerClient
from actors.console.errors import UserError


def tap(options: argparse.Namespace) -> int:
    """Until Ctrl-C, or until `--count` messages have come. What was dropped is reported on standard error."""
    flow_id, slash, place = options.target.partition("/")
    module, _, port = place.partition(".")
    if not slash or not flow_id or not module:
        raise UserError(f"tap takes FLOW/MODULE or FLOW/MODULE.PORT, not {options.target!r}", usage=True)
    with connected(options, flow_id) as client:
        tap_id = client.tap_port(f"{flow_id}/{module}", port or "out")
        with contextlib.suppress(KeyboardInterrupt):
            _print(client, tap_id, options)
    return 0


def _print(client: RunnerClient, tap_id: str, options: argparse.Namespace) -> None:
    left = options.count
    while left is None or left > 0:
        read = client.read_tap(tap_id, timeout=None)
        for view in read["messages"][:left]:
            print(json.dumps(view if options.json else view["message"], ensure_ascii=False, separators=(",", ":")))
        sys.stdout.flush()
        left = None if left is None else left - len(read["messages"])
        if read["dropped"] and (left is None or left > 0):
            print(f"runner: {read['dropped']:,} messages left out: they came too fast", file=sys.stderr)
