"""The verbs that are calls of the Runner API: one call each, its answer as text or JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from actors.console.calls import connected, done, flow_of


def _life(method: str, word: str) -> Callable[[argparse.Namespace], int]:
    def verb(options: argparse.Namespace) -> int:
        flow_id = flow_of(options, options.flow)
        with connected(options, flow_id) as client:
            outcome = client.call(method, flow_id, timeout=None)  # it may have to be compiled
        return done(options, outcome, f"{flow_id}: {word}", flow=flow_id)

    return verb


start, stop, remove = _life("startFlow", "running"), _life("stopFlow", "stopped"), _life("removeFlow", "removed")


def restart(options: argparse.Namespace) -> int:
    """`runner restart RUNNER`: returns when it is up again."""
    with connected(options) as client:
        outcome = client.call("restartRunner", options.name, timeout=None)
    return done(options, outcome, f"{options.name}: up again", runner=options.name)
