"""What all verbs that call the Runner API share: which runner is meant, and how an answer is shown."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.console.client import TIMEOUT_S, Outcome, RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, find_runner, live_runners, several
from actors.state.shown import MAX_MESSAGE_DEPTH, is_nested_deeper

ANSWER_TIMEOUT_S = (3.0, 30.0)  # of a runner that is stopped, of one that is only busy


@contextmanager
def connected(options: argparse.Namespace, flow_id: str | None = None) -> Iterator[RunnerClient]:
    """The runner that is meant: with several live ones, the one that has the flow."""
    try:
        with reached(_choose(options, flow_id)) as client:
            yield client
    except RunnerError as error:
        problems = error.data if isinstance(error.data, list) else [str(error)]
        raise UserError(*map(str, problems)) from None
    except BrokenPipeError:  # of our own output: what the client meets it says itself
        raise
    except ConnectionError as error:
        raise UserError(f"the runner has gone: {error.strerror}") from None
    except TimeoutError:
        raise UserError(f"the runner has not answered within {TIMEOUT_S:g} s") from None


@contextmanager
def reached(runner: LiveRunner) -> Iterator[RunnerClient]:
    """A connection to a runner that answers."""
    name = f"the runner {runner.name} ({runner.pid})"
    try:
        client = RunnerClient(socket=runner.socket)
    except BlockingIOError:
        raise UserError(f"{name} does not answer: as many calls as can be wait for it already") from None
    with client:
        client.runner = runner
        first, longest = ANSWER_TIMEOUT_S
        answer = client.begin("ping")
        try:
            answer.result(first)
        except TimeoutError:
            if _is_stopped(runner.pid):
                said = f"{name} is stopped by a signal: `kill -CONT {runner.pid}` lets it go on"
                raise UserError(said) from None
            try:
                answer.result(longest - first)
            except TimeoutError:
                raise UserError(f"{name} has not answered within {longest:g} s") from None
        yield client


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "tT"
    except OSError:
        return False


def runners_with(runners: Iterable[LiveRunner], flow_id: str) -> tuple[list[LiveRunner], list[str]]:
    """Those that have a flow; and sentences about those that do not answer."""
    having: list[LiveRunner] = []
    silent: list[str] = []
    for runner in runners:
        try:
            with reached(runner) as client:
                if any(flow["id"] == flow_id for flow in client.list_flows()):
                    having.append(runner)
        except UserError as error:
            silent += error.sentences
    return having, silent


def _choose(options: argparse.Namespace, flow_id: str | None) -> LiveRunner:
    runners = live_runners(options.state)
    if options.runner is not None or len(runners) < 2 or flow_id is None:
        return find_runner(options.state, options.runner)
    having, silent = runners_with(runners, flow_id)
    if len(having) == 1:
        return having[0]
    if having:
        raise UserError(f"several runners have the flow {flow_id!r}: {several(having)}", *silent)
    raise UserError(f"no live runner has the flow {flow_id!r}; {several(runners)}", *silent)


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
    if is_nested_deeper(text.encode(errors="replace"), MAX_MESSAGE_DEPTH):
        raise UserError(f"the message is nested deeper than {MAX_MESSAGE_DEPTH} levels", usage=True)
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise UserError(f"the message is not JSON: {error} (text needs quotes: '\"text\"')", usage=True) from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
