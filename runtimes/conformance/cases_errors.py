"""Cases about ERROR: what a raising handler leaves behind."""

from __future__ import annotations

from runtimes.conformance.case import Bench, case
from runtimes.conformance.cases_loading import check_place
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import expect


@case
def raised(bench: Bench) -> str:
    """ERROR has type, message and the user's line; the host and the module go on."""
    host = bench.start()
    slot = host.load("fail_on_bad")
    expect(slot.run(["bad", "good"]), ["good"])
    require(len(slot.errors) == 1, f"errors: {slot.errors}")
    error = slot.errors[0].info["error"]
    expect(error["message"], "no bad messages", "message of the error")
    require(error["type"], "the error has no type")
    return check_place(bench, "fail_on_bad", error)


@case
def index_number_and_id(bench: Bench) -> None:
    """ERROR names the message: its index among those consumed, number, id and port."""
    host = bench.start()
    slot = host.load("fail_on_bad")
    slot.data(["skipped", "a", "bad", "b", "bad"], skip=1, first=31)
    slot.done()
    expect(slot.out(), ["a", "b"])
    expect([error.number for error in slot.errors], [32, 34], "numbers")
    expect([error.info["id"] for error in slot.errors], [f"{slot.wire_name}#{n}" for n in (32, 34)], "ids")
    expect([error.info["port"] for error in slot.errors], ["in", "in"], "ports")
    places, consumed = [], 0
    for commit in host.commits:
        places += [consumed + error.index for error in commit.errors]
        consumed += commit.rows.get(slot.number, [0])[0]
    expect(places, [1, 3], "places of the errors among what was consumed")


@case
def every_message_fails(bench: Bench) -> None:
    """A batch of failures is a batch of ERRORs."""
    host = bench.start()
    slot = host.load("fail_on_bad")
    expect(slot.run(["bad"] * 500), [])
    expect([error.number for error in slot.errors], list(range(1, 501)), "numbers")
    slot.counts(consumed=500, handled=500, failed=500, sent=0)
    require(not slot.context, "failed turns have changed the context")
