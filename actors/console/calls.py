"""What all verbs that call the Runner API share: which runner is meant, and how an answer is shown."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from actors.console.client import Outcome, RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, find_runner, live_runners, several


@contextmanager
def connected(options: argparse.Namespace, flow_id: str | None = None) -> Iterator[RunnerClient]:
    """The runner that is meant: with several live ones, the one that has the flow."""
    try:
        runner = _choose(options, flow_id)
        with RunnerClient(socket=runner.socket) as client:
            client.runner = runner
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


def show(options: argparse.Namespace, value: Any, text: Callable[[Any], str]) -> int:
    """The answer, as JSON or as text."""
    print(json.dumps(value) if options.json else text(value))
    return 0


def done(options: argparse.Namespace, outcome: Outcome, text: str, **more: Any) -> int:
    """The end of a call that returns true or false."""
    if not outcome:
        raise UserError(*(map(str, outcome.data) if isinstance(outcome.data, list) else [outcome.error or "refused"]))
    return show(options, {"ok": True, **more}, lambda _: text)


def value_of(text: str) -> Any:
    """A message from the command line."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UserError(f"the message is not JSON: {error} (text needs quotes: '\"text\"')", usage=True) from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
