"""`runner test FLOW.yaml`: sends what the flow's tests say and compares what leaves. Each test has hosts of its own."""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.run import catch_signals, dead_letter_lines, run_embedded
from actors.counted import counted
from actors.definition.model import Flow, FlowError, FlowTest
from actors.definition.ports import Side
from actors.definition.reading import read_flow_file
from actors.definition.validation import check_flow
from actors.definition.wire_names import end_wire
from actors.messages.run_to_session import Endpoint
from runtimes.conformance.values import equal

TIMEOUT_S = 60.0
LEFT_OUT = "left out"


def run_tests(options: argparse.Namespace) -> int:
    """Run every test of a flow file. Exit status 0 when all passed."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.ERROR)
    try:
        source = read_flow_file(Path(options.flow))
        flow = check_flow(source.document, source.places)
    except FlowError as error:
        raise UserError(*error.problems) from None
    if not flow.tests:
        raise UserError(f"{options.flow} carries no tests")
    signal_fd = catch_signals()
    results: Counter[str] = Counter()
    for test in flow.tests:
        result, lines = _run_test(options.state, _only_needed(flow, source.sent, test), test, signal_fd)
        results[result] += 1
        print(f"{result}: {test.name}")
        for line in lines:
            print(f"  {line}")
    left_out = f", {results[LEFT_OUT]} left out" if results[LEFT_OUT] else ""
    print(f"{results['ok']} passed, {results['FAIL']} failed{left_out}")
    return 1 if results["FAIL"] else 0


def _only_needed(flow: Flow, document: dict[str, Any], test: FlowTest) -> dict[str, Any]:
    """The flow without the modules that nothing expected depends on: they need not cope with a test's messages."""
    needed = {place.partition(".")[0] for place in test.expect}
    reached = 0
    while reached != len(needed):
        reached = len(needed)
        needed |= {wire.from_module for wire in flow.wires if wire.to_module in needed}
    needed |= {place.partition(".")[0] for place in test.send}
    wires = zip(document.get("wires", []), flow.wires, strict=True)
    return {
        **document,
        "modules": {name: module for name, module in document["modules"].items() if name in needed},
        "wires": [raw for raw, wire in wires if wire.from_module in needed and wire.to_module in needed],
        "tests": [],
    }


def _run_test(
    state: str | None, document: dict[str, Any], test: FlowTest, signal_fd: int
) -> tuple[str, list[str]]:  # fmt: skip
    """The result and what to say of it: a test of an optional module that this machine cannot run is left out."""
    inputs = [_memory_file("in", place, messages) for place, messages in test.send.items()]
    outputs = [_memory_file("out", place, []) for place in test.expect]
    try:
        outcome = run_embedded(
            state, flow=document, inputs=tuple(inputs), outputs=tuple(outputs), for_s=TIMEOUT_S,
            signal_fd=signal_fd, mute_sources=True,
        )  # fmt: skip
        modules = {place.partition(".")[0] for place in (*test.send, *test.expect)}
        if reasons := [f"{name}: {outcome.left_out[name]}" for name in sorted(modules & outcome.left_out.keys())]:
            return LEFT_OUT, reasons
        problems = list(outcome.errors)
        problems += dead_letter_lines(outcome.dead_letters)
        for output, (place, expected) in zip(outputs, test.expect.items(), strict=True):
            problems += _compare(place, expected, output.fd)
    finally:
        for end in [*inputs, *outputs]:
            os.close(end.fd)
    return "FAIL" if problems else "ok", problems


def _compare(place: str, expected: list[Any], fd: int) -> list[str]:
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:
        got = [json.loads(line) for line in file]
    for index, (wanted, value) in enumerate(zip(expected, got, strict=False)):
        if not equal(wanted, value):
            return [f"{place}: message {index + 1} is {json.dumps(value)}, expected {json.dumps(wanted)}"]
    if len(got) != len(expected):
        return [f"{place}: {counted(len(got), 'message')}, expected {len(expected)}"]
    return []


def _memory_file(side: Side, place: str, messages: list[Any]) -> Endpoint:
    fd = os.memfd_create(place)
    for message in messages:
        os.write(fd, json.dumps(message).encode() + b"\n")
    os.lseek(fd, 0, os.SEEK_SET)
    module, _, port = place.partition(".")
    return Endpoint(places={end_wire(side, place): (module, port)}, fd=fd, name=place)
