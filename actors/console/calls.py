"""What all verbs that call the Runner API share: which runner is meant, and how an answer is shown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.console.client import TIMEOUT_S, Outcome, RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, doors, find_runner, live_runners, several
from actors.console.text import plain
from actors.definition.places import among, listed
from actors.state.shown import MAX_MESSAGE_DEPTH, is_nested_deeper

ANSWER_TIMEOUT_S = (3.0, 30.0)  # of a runner that is stopped, of one that is only busy


@contextmanager
def connected(options: argparse.Namespace, flow_id: str | None = None) -> Iterator[RunnerClient]:
    """The runner that is meant: with several live ones, the one that has the flow."""
    with calling(choose(options, flow_id)) as client:
        yield client


@contextmanager
def calling(runner: LiveRunner) -> Iterator[RunnerClient]:
    """What goes wrong is a UserError."""
    try:
        with reached(runner) as client:
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


def choose(options: argparse.Namespace, flow_id: str | None) -> LiveRunner:
    """The runner that is meant: of several the one that has the flow. Raises UserError."""
    runners = doors(live_runners(options.state))
    if options.runner is not None or len(runners) < 2 or flow_id is None:
        return find_runner(options.state, options.runner)
    having, silent = runners_with(runners, flow_id)
    if len(having) == 1:
        return having[0]
    if having:
        raise UserError(f"several runners have the flow {flow_id!r}: {several(having)}", *silent)
    raise UserError(f"no live runner has the flow {flow_id!r}; {several(runners)}", *silent)


def flow_of(options: argparse.Namespace, named: str | None) -> str:
    """The flow that is meant: the only one there is, if none is named."""
    if named is not None:
        return named
    ids = sorted({flow["id"] for flows in of_each(options, _flows).values() for flow in flows})
    if len(ids) == 1:
        return str(ids[0])
    there = f"there are {', '.join(ids)}" if ids else "there is none; `runner apply FLOW.yaml` adds one"
    raise UserError(f"which flow? {there}", usage=bool(ids))


def place_of(options: argparse.Namespace, text: str, wanted: str) -> tuple[str, str, str]:
    """Flow, module and port (or "") of FLOW/MODULE.PORT; FLOW/ may be left out if there is only one.

    `wanted` begins the sentence about another text.
    """
    flow_id, slash, place = text.rpartition("/")
    module, _, port = place.partition(".")
    if not slash:
        flow_id = _flow_with(options, module, f"{wanted}, not {text!r}")
    if not flow_id or not module or "/" in flow_id:
        raise UserError(f"{wanted}, not {text!r}", usage=True)
    return flow_id, module, port


def module_of(options: argparse.Namespace) -> tuple[str, str]:
    """The flow of `options.module`, and its `flow/module`."""
    wanted = "a module is named FLOW/MODULE"
    flow_id, module, port = place_of(options, options.module, wanted)
    if port:
        raise UserError(f"{wanted}, not {options.module!r}", usage=True)
    return flow_id, f"{flow_id}/{module}"


def flow_or_module(options: argparse.Namespace, text: str) -> tuple[str, str | None]:
    """Of FLOW, FLOW/MODULE, or MODULE where there is only one flow, and none is called so."""
    flow_id, slash, module = text.partition("/")
    if slash:
        return flow_id, module or None
    found = [flow for flows in of_each(options, _flows).values() for flow in flows]
    if len(found) == 1 and text != found[0]["id"] and text in found[0]["modules"]:
        return str(found[0]["id"]), text
    return text, None


def _flow_with(options: argparse.Namespace, module: str, refused: str) -> str:
    """The only flow, which has this module."""
    found = [flow for flows in of_each(options, _flows).values() for flow in flows]
    if len(found) != 1:
        there = listed(sorted(flow["id"] for flow in found)) or "none"
        raise UserError(f"{refused}; flows here: {there}", usage=True)
    flow_id, modules = str(found[0]["id"]), found[0]["modules"]
    if module == flow_id:
        raise UserError(f"{refused}; its modules are {listed(modules)}", usage=True)
    if module not in modules:
        raise UserError(no_module(flow_id, module, modules))
    return flow_id


def no_module(flow_id: str, module: str, modules: Iterable[str]) -> str:
    """The sentence about a module that a flow has not."""
    return f"the flow {flow_id!r} has no module {among(module, modules, 'it has')}"


def _flows(client: RunnerClient) -> list[dict[str, Any]]:
    return list(client.list_flows())


def of_each(options: argparse.Namespace, ask: Callable[[RunnerClient], Any]) -> dict[LiveRunner, Any]:
    """What every live runner says, or the one that is meant. One that does not answer is named on standard error."""
    runners = doors(live_runners(options.state))
    if options.runner is not None or len(runners) < 2:
        runners = [find_runner(options.state, options.runner)]
    said: dict[LiveRunner, Any] = {}
    silent: list[str] = []
    for runner in runners:
        try:
            with calling(runner) as client:
                said[runner] = ask(client)
        except UserError as error:
            silent += error.sentences
    if not said:
        raise UserError(*silent)
    for sentence in silent:
        print(f"runner: {plain(sentence)}", file=sys.stderr)
    return said


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
