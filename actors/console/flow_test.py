"""One test of a flow file: a run of its own, and what differs from what was expected. It prints nothing."""

from __future__ import annotations

import difflib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from actors.console.run import dead_letter_lines, run_embedded
from actors.counted import counted
from actors.definition.matchers import matches
from actors.definition.model import Flow, FlowTest
from actors.definition.ports import Side
from actors.definition.wire_names import end_wire
from actors.messages.run_to_session import Endpoint

LEFT_OUT = "left out"
MAX_DIFF_LINES = 60


@dataclass(slots=True)
class Result:
    """`problems`: lines; `printed`: what its modules wrote; `got`: what left the ports; `dead`: their dead letters.

    `broken`: something has failed that is no difference between messages.
    """

    result: str
    problems: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    got: dict[str, list[Any]] = field(default_factory=dict)
    dead: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    broken: bool = False


def run_test(state: str | None, flow: Flow, document: dict[str, Any], test: FlowTest, signal_fd: int) -> Result:
    """In hosts of its own. A test of an optional module that this machine cannot run is left out."""
    inputs = [_memory_file("in", place, messages) for place, messages in test.send.items()]
    outputs = [_memory_file("out", place, []) for place in test.expect]
    try:
        with _kept("runner.module.log", logging.DEBUG) as printed, _kept("runner.flow", logging.ERROR) as errors:
            outcome = run_embedded(
                state, flow=_wanted(flow, document, test), inputs=tuple(inputs), outputs=tuple(outputs),
                for_s=test.timeout_s, signal_fd=signal_fd, mute_sources=True,
            )  # fmt: skip
        modules = {place.partition(".")[0] for place in (*test.send, *test.expect)} | test.dead.keys()
        if reasons := [f"{name}: {outcome.left_out[name]}" for name in sorted(modules & outcome.left_out.keys())]:
            return Result(LEFT_OUT, reasons)
        got = {place: _lines(output.fd) for output, place in zip(outputs, test.expect, strict=True)}
    finally:
        for end in [*inputs, *outputs]:
            os.close(end.fd)
    dead: dict[str, list[dict[str, Any]]] = {}
    for letter in outcome.dead_letters:
        dead.setdefault(letter["flowModuleId"].partition("/")[2], []).append(letter)
    unforeseen = [letter for module, letters in dead.items() if module not in test.dead for letter in letters]
    problems = [*outcome.errors, *dead_letter_lines(unforeseen)]
    if test.send and not outcome.ended and not outcome.errors:
        problems.append(f"it had not come to its end after {test.timeout_s:g} s")
    is_broken = bool(problems)
    for place, expected in test.expect.items():
        problems += place_problems(place, expected, got[place])
    for module, wanted in test.dead.items():
        shown = [shown_letter(letter) for letter in dead.get(module, [])]
        partly = [{"$partial": one} for one in wanted]
        problems += [f"dead letters of {line}" for line in _list_problems(module, partly, shown, "dead letter")]
    if problems:
        problems += [line for record in errors for line in record.getMessage().split("\n")[1:]]  # stacks
    return Result("FAIL" if problems else "ok", problems, _printed(printed), got, dead, is_broken)


def _wanted(flow: Flow, document: dict[str, Any], test: FlowTest) -> dict[str, Any]:
    """The flow without the modules that nothing expected depends on: they need not cope with a test's messages."""
    needed = {place.partition(".")[0] for place in test.expect} | test.dead.keys()
    reached = 0
    while reached != len(needed):
        reached = len(needed)
        needed |= {wire.from_module for wire in flow.wires if wire.to_module in needed}
    needed |= {place.partition(".")[0] for place in test.send}
    wires = zip(document.get("wires", []), flow.wires, strict=True)
    modules = {name: module for name, module in document["modules"].items() if name in needed}
    if test.skip_waits:
        modules = {name: _without_waits(module) for name, module in modules.items()}
    return {
        **document,
        "modules": modules,
        "wires": [raw for raw, wire in wires if wire.from_module in needed and wire.to_module in needed],
        "tests": [],
    }


def _without_waits(module: dict[str, Any]) -> dict[str, Any]:
    return {**module, **{name: {**module[name], "backoff_s": 0} for name in ("retry", "restart") if name in module}}


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _kept(name: str, level: int) -> Iterator[list[logging.LogRecord]]:
    """What is logged there meanwhile, which is then nowhere else."""
    log, handler = logging.getLogger(name), _Kept()
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(level)
    try:
        yield handler.records
    finally:
        log.removeHandler(handler)
        log.propagate = True


def _printed(records: list[logging.LogRecord]) -> list[str]:
    """What modules print and log, as `module: text`; what a host prints is of its language."""
    return [line for record in records for line in record.getMessage().partition("/")[2].split("\n")]


# differences ---------------------------------------------------------------------------------------------------------


def place_problems(place: str, expected: Any, got: list[Any]) -> list[str]:
    """Lines about what has left a port and was not expected, or has not and was."""
    if isinstance(expected, list):
        return _list_problems(place, expected, got)
    ((name, wanted),) = expected.items()
    if name == "$count":
        return [] if len(got) == wanted else [f"{place}: {counted(len(got), 'message')}, expected {wanted}"]
    if name == "$contains":
        rest = iter(got)
        missing = [one for one in wanted if not any(matches(one, value) for value in rest)]
        return [f"{place}: {_short(one)} is not among the messages, in this order: {_short(got)}" for one in missing]
    paired = _paired(wanted, got)
    missing = [one for index, one in enumerate(wanted) if index not in paired]
    return _list_problems(place, [*(got[index] for index in paired.values()), *missing], _in_pairs_first(got, paired))


def _paired(wanted: list[Any], got: list[Any]) -> dict[int, int]:
    """Index of what is expected -> index of what came: as many pairs as there can be (a maximum matching)."""
    of: dict[int, int] = {}  # index in got -> index in wanted

    def find(index: int, seen: set[int]) -> bool:
        for at, value in enumerate(got):
            if at not in seen and matches(wanted[index], value):
                seen.add(at)
                if at not in of or find(of[at], seen):
                    of[at] = index
                    return True
        return False

    for index in range(len(wanted)):
        find(index, set())
    return {index: at for at, index in of.items()}


def _in_pairs_first(got: list[Any], paired: dict[int, int]) -> list[Any]:
    return [*(got[at] for at in paired.values()), *(one for at, one in enumerate(got) if at not in paired.values())]


def _list_problems(place: str, expected: list[Any], got: list[Any], noun: str = "message") -> list[str]:
    """A sentence about the first difference, then all of them as a diff."""
    differing = [
        index for index, (wanted, value) in enumerate(zip(expected, got, strict=False)) if not matches(wanted, value)
    ]
    if differing:
        first = differing[0]
        said = f"{place}: {noun} {first + 1} is {_short(got[first])}, expected {_short(expected[first])}"
    elif len(got) != len(expected):
        said = f"{place}: {counted(len(got), noun)}, expected {len(expected)}"
    else:
        return []
    meant = [
        got[index] if index < len(got) and index not in differing else wanted for index, wanted in enumerate(expected)
    ]
    return [said, *_diff(meant, got)]


def _diff(expected: list[Any], got: list[Any]) -> list[str]:
    """`-` was expected, `+` came."""
    is_long = len(expected) == len(got) and any(len(_text(one)) > 60 for one in (*expected, *got))
    before, after = _many_lines(expected, is_long), _many_lines(got, is_long)
    lines = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
    lines = ["..." if line.startswith("@@") else line for line in lines]
    lines = lines[1:] if lines[:1] == ["..."] else lines
    return lines if len(lines) <= MAX_DIFF_LINES else [*lines[:MAX_DIFF_LINES], f"... {len(lines)} lines in all"]


def _many_lines(messages: list[Any], is_long: bool) -> list[str]:
    if not is_long:
        return [_text(one) for one in messages]
    return [
        line for one in messages for line in json.dumps(one, indent=2, ensure_ascii=False, sort_keys=True).split("\n")
    ]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _short(value: Any) -> str:
    """As JSON; whoever expects a $partial dead letter has not written that word."""
    if isinstance(value, dict) and list(value) == ["$partial"]:
        value = value["$partial"]
    return json.dumps(value)


def shown_letter(letter: dict[str, Any]) -> dict[str, Any]:
    """As tests speak of dead letters."""
    error = letter["error"]
    return {"port": letter["port"], "message": letter["message"], "type": error["type"], "text": error["message"]}


# ends ----------------------------------------------------------------------------------------------------------------


def _lines(fd: int) -> list[Any]:
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:
        return [json.loads(line) for line in file]


def _memory_file(side: Side, place: str, messages: list[Any]) -> Endpoint:
    fd = os.memfd_create(place)
    for message in messages:
        os.write(fd, json.dumps(message).encode() + b"\n")
    os.lseek(fd, 0, os.SEEK_SET)
    module, _, port = place.partition(".")
    return Endpoint(places={end_wire(side, place): (module, port)}, fd=fd, name=place)
