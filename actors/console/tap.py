"""`runner tap FLOW/MODULE.PORT`: what leaves an out-port, as NDJSON. The flow does not wait for it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import Any

from actors.console.calls import connected, place_of
from actors.console.client import RunnerClient
from actors.console.errors import UserError
from actors.counted import counted
from actors.state.condition import ConditionError, Expression

NAMES = ("message", "headers")


def tap(options: argparse.Namespace) -> int:
    """Until Ctrl-C, or until `--count` messages have come. What was dropped is reported on standard error."""
    look = _Look(options)
    flow_id, module, port = place_of(options, options.target, "tap takes FLOW/MODULE or FLOW/MODULE.PORT")
    with connected(options, flow_id) as client:
        tap_id = client.tap_port(f"{flow_id}/{module}", port or "out")
        with contextlib.suppress(KeyboardInterrupt):
            _print(client, tap_id, options.count, look)
        look.say_failed()
        if options.keep_as_test:
            from actors.console.keep_as_test import keep, of_tap  # runs flows

            return keep(options, [of_tap(options, client, (flow_id, module, port or "out"), look.shown)])
    return 0


def _print(client: RunnerClient, tap_id: str, left: int | None, look: _Look) -> None:
    while left is None or left > 0:
        read = client.read_tap(tap_id, timeout=None)
        lines = [line for view in read["messages"] for line in look.lines(view)][:left]
        for line in lines:
            print(line, file=sys.stderr if look.keeps else sys.stdout)
        sys.stdout.flush()
        left = None if left is None else left - len(lines)
        if read["dropped"] and (left is None or left > 0):
            print(f"runner: {read['dropped']:,} messages left out: they came too fast", file=sys.stderr)


class _Look:
    """Which messages are shown, and what of them. Both are found out here: the flow pays for a copy only."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Raises UserError for an expression that is none."""
        self._json, self.keeps = options.json, options.keep_as_test is not None
        self.shown: list[Any] = []  # if it is kept: the messages
        self._when, self._select = _expression("when", options.when), _expression("select", options.select)
        self._failed: dict[str, int] = {}

    def lines(self, view: dict[str, Any]) -> list[str]:
        """The line of a message, or none. One of which an expression cannot be told is counted."""
        given = {"message": view["message"], "headers": view["headers"] or {}}
        shown = view if self._json else view["message"]
        try:
            if self._when is not None and not self._when.is_true(given):
                return []
            if self._select is not None:
                shown = self._select.value(given)
        except ConditionError as error:
            self._failed[str(error)] = self._failed.get(str(error), 0) + 1
            if self._failed[str(error)] == 1:
                print(f"runner: {error}: messages like this are left out", file=sys.stderr)
            return []
        if self.keeps:
            self.shown.append(view["message"])
        return [json.dumps(shown, ensure_ascii=False, separators=(",", ":"))]

    def say_failed(self) -> None:
        """How many were left out, if it was more than one that has been said."""
        count = sum(self._failed.values())
        if count > len(self._failed):
            print(f"runner: {counted(count, 'message')} left out: an expression failed", file=sys.stderr)


def _expression(option: str, text: str | None) -> Expression | None:
    if text is None:
        return None
    try:
        return Expression(text, NAMES, f"--{option}")
    except ConditionError as error:
        raise UserError(str(error), usage=True) from None
