"""Cases about headers: inherited, overridden, refused."""

from __future__ import annotations

from typing import Any

from runtimes.conformance.case import Bench, case
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import Slot, expect

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x-user": "ü", "client": "c1"}


def headers_of(slot: Slot, port: str = "out") -> list[Any]:
    """The headers that left a port."""
    return [message.headers for message in slot.sent.get(port, [])]


@case
def inherited(bench: Bench) -> None:
    """Every output of a turn has the headers of its input; a message without headers gives none."""
    host = bench.start()
    slot = host.load("fan")
    slot.wire(["out", "a"])
    slot.run([1, 2, 3], headers=[TRACE, None, {"x-n": "3"}])
    expect(headers_of(slot), [TRACE, None, {"x-n": "3"}], "headers of out")
    expect(headers_of(slot, "a"), [TRACE, TRACE, None, None, {"x-n": "3"}, {"x-n": "3"}], "headers of a")


@case
def skipped_with_their_messages(bench: Bench) -> None:
    """`skip` and `count` hold for the array of headers too."""
    host = bench.start()
    slot = host.load("identity")
    slot.run([1, 2, 3, 4], headers=[{"x-n": "1"}, {"x-n": "2"}, {"x-n": "3"}, None], skip=1, count=2)
    expect([slot.out(), headers_of(slot)], [[2, 3], [{"x-n": "2"}, {"x-n": "3"}]])


@case
def read(bench: Bench) -> None:
    """`context.headers` has the headers of the turn's input, and no `id`."""
    host = bench.start()
    slot = host.load("headers_echo")
    [with_id, plain] = slot.run([1, 2], headers=[{"id": "a/b.0", "x-a": "1"}, None])
    expect([with_id["id"], with_id["headers"]], ["a/b.0", {"x-a": "1"}], "a message with an id")
    require(plain["headers"] in ({}, None), f"headers of a message without: {plain['headers']}")
    expect(headers_of(slot), [{"x-a": "1"}, None], "inherited headers")


@case
def overridden(bench: Bench) -> None:
    """Headers given to `send` replace the inherited ones."""
    host = bench.start()
    slot = host.load("headers_set")
    slot.run([{"value": 1, "headers": {"x-new": "n"}}], headers=[TRACE])
    expect([slot.out(), headers_of(slot)], [[1], [{"x-new": "n"}]])


@case
def refused(bench: Bench) -> None:
    """Unknown names, values that are not text, more than 4 KiB and `id` are errors of `send`."""
    host = bench.start()
    slot = host.load("headers_set")
    bad: list[Any] = [{"cookie": "1"}, {"x-n": 1}, {"x-big": "v" * 5000}, {"id": "mine"}]
    slot.run([{"value": 1, "headers": headers} for headers in bad])
    expect([slot.out(), len(slot.errors)], [[], len(bad)], "sent, and number of errors")
    expect(slot.run([{"value": 2, "headers": {"x-big": "v" * 3500}}]), [2])


@case
def in_errors(bench: Bench) -> None:
    """An ERROR carries the headers of its input."""
    host = bench.start()
    slot = host.load("fail_on_bad")
    slot.run(["bad", "bad"], headers=[TRACE, None])
    expect([error.info["headers"] for error in slot.errors], [TRACE, None], "headers in ERROR")
