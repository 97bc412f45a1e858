"""`--keep-as-test NAME`: what was seen of a running flow becomes a test, printed, or added to a flow file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient
from actors.console.errors import UserError
from actors.console.flow_test import run_test, shown_letter
from actors.console.kept_tests import TestFile
from actors.console.run import catch_signals
from actors.definition.flow_yaml import as_text
from actors.definition.model import Flow, FlowTest
from actors.definition.validation import check_flow


def keep(options: argparse.Namespace, tests: list[dict[str, Any]]) -> int:
    """Add them to the file, or print them as they stand in one."""
    if options.into is None:
        print("\n".join(map(as_text, tests)), end="")
        return 0
    file = TestFile(Path(options.into))
    for test in tests:
        file.add(test)
    file.save()
    for test in tests:
        print(f"{options.into}: test {test['name']!r} added; `runner test {options.into}` runs it")
    return 0


def of_letter(name: str, letter: dict[str, Any]) -> dict[str, Any]:
    """The message, and the error that it has met."""
    module = letter["flowModuleId"].partition("/")[2]
    seen = shown_letter(letter)
    error = {"type": seen["type"], "text": seen["text"]}
    return {
        "name": name, "send": {f"{module}.{letter['port']}": [letter["message"]]}, "expect": {},
        "dead": {module: [error]},
    }  # fmt: skip


def of_step(name: str, wave: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """A test for each module that has taken something. One begins with an empty context: where that was not
    so, there is a sentence.
    """
    taken = {id.partition("/")[2]: part for id, part in wave.items() if part.get("inputStates")}
    if not taken:
        raise UserError("nothing was taken in this step: there is nothing to keep")
    tests, notes = [], []
    for module, part in taken.items():
        test: dict[str, Any] = {"name": name if len(taken) == 1 else f"{name}: {module}", "send": {}, "expect": {}}
        for state in part["inputStates"]:
            test["send"].setdefault(f"{module}.{state['port']}", []).append(state["message"])
        for state in part["outputStates"]:
            test["expect"].setdefault(f"{module}.{state['port']}", []).append(state["message"])
        if part["errors"] and f"{module}.error" not in test["expect"]:
            test["dead"] = {module: [{"type": one["type"], "text": one["message"]} for one in part["errors"]]}
        elif not test["expect"]:
            test["expect"] = {f"{module}.out": []}
        if part["inputStates"][0].get("context"):
            notes.append(f"the context of {module} was not empty, and a test begins with an empty one")
        tests.append(test)
    return tests, notes


def of_takers(client: RunnerClient, flow: str, takers: list[tuple[str, str]], messages: list[Any]) -> dict[str, Any]:
    """As `of_tap`, but for the name; what these modules make of the messages is found out in trial hosts."""
    test: dict[str, Any] = {"send": {f"{module}.{port}": messages for module, port in takers}, "expect": {}}
    ports_by_module: dict[str, list[str]] = {}
    for module, port in takers:
        ports_by_module.setdefault(module, []).append(port)
    for module, ports in ports_by_module.items():
        given = [{"port": port, "message": message} for port in ports for message in messages]
        found = client.call("shadowModule", f"{flow}/{module}", {}, given=given)
        dead = []
        expect: dict[str, list[Any]] = {}
        for row in found["results"]:
            for port, sent in row["before"].items():
                expect.setdefault(f"{module}.{port}", []).extend(sent)
            if "errorBefore" in row:
                dead.append({"type": row["errorBefore"]["type"], "text": row["errorBefore"]["message"]})
        test["expect"] |= expect if expect or dead else {f"{module}.out": []}
        if dead:
            test.setdefault("dead", {})[module] = dead
    return test


def takers_of(document: dict[str, Any], module: str, port: str) -> list[tuple[str, str]]:
    """The modules that get what leaves a port, each with its in-port."""
    return _behind(check_flow(_untested(document)), module, port)


def _untested(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("state", "tests")}


def _behind(flow: Flow, module: str, port: str) -> list[tuple[str, str]]:
    wires = [wire for wire in flow.wires if (wire.from_module, wire.from_port) == (module, port)]
    if not wires:
        raise UserError(f"no wire leads from {module}.{port}: there is no module that a test could send this to")
    return [(wire.to_module, wire.to_port) for wire in wires]


def of_tap(options: argparse.Namespace, client: RunnerClient, place: tuple[str, str, str], messages: list[Any]) -> Any:
    """The messages as what the modules behind the port get; what is expected is what these make of them in a run of
    their own, which is done now.
    """
    flow_id, module, port = place
    (document,) = (flow for flow in client.list_flows() if flow["id"] == flow_id)
    document = _untested(document)
    flow = check_flow(document)
    takers = _behind(flow, module, port)
    if not messages:
        raise UserError("no message has come: there is nothing to keep")
    send = {f"{taker}.{its_port}": messages for taker, its_port in takers}
    modules = {taker for taker, _ in takers}
    places = [f"{wire.from_module}.{wire.from_port}" for wire in flow.wires if wire.from_module in modules]
    places += [f"{module}.out" for module in modules if not any(p.startswith(f"{module}.") for p in places)]
    expect: dict[str, list[Any]] = {place: [] for place in dict.fromkeys(places)}
    test = FlowTest(name=options.keep_as_test, send=send, expect=expect, dead={module: [] for module in modules})
    result = run_test(options.state, flow, document, test, catch_signals())
    if result.broken:
        raise UserError(f"{options.keep_as_test}: it cannot be run:", *result.problems)
    dead = {
        name: [{"type": letter["error"]["type"], "text": letter["error"]["message"]} for letter in letters]
        for name, letters in result.dead.items()
    }
    kept = {"name": options.keep_as_test, "send": send, "expect": result.got}
    return {**kept, "dead": dead} if dead else kept
