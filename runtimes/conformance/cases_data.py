"""Cases about DATA: what is meant, ports, counts, order, redelivery."""

from __future__ import annotations

from runtimes.conformance.case import Bench, case
from runtimes.conformance.slot import expect
from runtimes.frames import REDELIVERED


@case
def skip_and_count(bench: Bench) -> None:
    """Only the messages in [skip, skip + count) are meant."""
    host = bench.start()
    slot = host.load("double")
    slot.data([1, 2, 3, 4, 5], skip=2, count=2, first=7)
    slot.data([10, 20], skip=0, count=1)
    slot.data([10, 20], skip=1, count=1)
    slot.done()
    expect(slot.out(), [6, 8, 20, 40])
    slot.counts(consumed=4, handled=4, failed=0, sent=4, unwired=0, pulled=0)


@case
def skipped_messages_are_not_decoded(bench: Bench) -> None:
    """Bad messages outside [skip, skip + count) are nobody's business."""
    host = bench.start()
    slot = host.load("identity")
    slot.texts([b'"\\ud800"', b"1", b"2", b'{"a":"\\udfff"}'], skip=1, count=2)
    slot.done()
    expect([slot.out(), [error.type for error in slot.errors]], [[1, 2], []])


@case
def several_ports(bench: Bench) -> None:
    """Outputs go to the channel of their port; each port keeps its order."""
    host = bench.start()
    slot = host.load("fan")
    slot.wire(["out", "a", "b"])
    slot.run([1, 2])
    expect(slot.out("a"), [[1, "a"], [1, "a again"], [2, "a"], [2, "a again"]], "port a")
    expect(slot.out("b"), [[1, "b"], [2, "b"]], "port b")
    expect(slot.out("out"), [[1, "out"], [2, "out"]], "port out")
    slot.counts(consumed=2, handled=2, sent=8, unwired=0)


@case
def several_in_ports(bench: Bench) -> None:
    """Messages of several channels reach the handler with their port, in the order they came."""
    host = bench.start()
    slot = host.load("headers_echo")
    slot.wire(ins=["in", "other"])
    slot.data([0], first=1)
    slot.data([0, 0], channel=1, first=5)
    slot.data([0], first=2)
    slot.done()
    expect([value["port"] for value in slot.out()], ["in", "other", "other", "in"], "ports")
    wire = slot.wire_name
    other = wire.removesuffix("in") + "other"
    expect([value["id"] for value in slot.out()], [f"{wire}#1", f"{other}#5", f"{other}#6", f"{wire}#2"], "ids")


@case
def unwired_output(bench: Bench) -> None:
    """A handler's value without a wire is counted as unwired."""
    host = bench.start()
    slot = host.load("identity")
    slot.wire([])
    slot.run([1, 2, 3])
    slot.counts(consumed=3, handled=3, sent=0, unwired=3)


@case
def unwired_ports_are_named(bench: Bench) -> None:
    """The first send to a port without a wire, other than `out`, is a LOG with the level `unwired`, once for each."""
    host = bench.start()
    slot = host.load("fan", slot=3)
    slot.wire(["out"])
    slot.run([1, 2])
    slot.wire(["b"])
    slot.run([3])
    slot.wire([])
    slot.run([4])
    host.ping(9)
    logs = [(number, body["text"]) for number, body in host.logs if body["level"] == "unwired"]
    expect(sorted(logs), [(3, "a"), (3, "b")], "LOG of the level unwired")


@case
def no_value(bench: Bench) -> None:
    """A handler that returns no value sends nothing."""
    host = bench.start()
    slot = host.load("sink")
    expect(slot.run([1, None, {}]), [])
    slot.counts(consumed=3, handled=3, sent=0, unwired=0)


@case
def null_is_a_value(bench: Bench) -> None:
    """A top-level null can be sent and returned, and is not the same as no value."""
    host = bench.start()
    expect(host.load("null_sender").run([1]), [None, None])
    expect(host.load("is_null").run([None, 0, False, "", [], {}]), [True, False, False, False, False, False])


@case
def many_outputs_of_a_turn(bench: Bench) -> None:
    """A turn may send a thousand messages; they come in order."""
    host = bench.start()
    slot = host.load("many")
    slot.wire(["out", "b"])
    slot.run([1000, 0, 4])
    expect(slot.out(), [i for n in (1000, 4) for i in range(n) if i % 3 != 2])
    slot.counts(sent=1004, handled=3)


@case
def generator(bench: Bench) -> None:
    """A handler that is a generator sends several results, and sends between them in order."""
    host = bench.start()
    slot = host.load("generator")
    slot.wire(["out", "side"])
    expect(slot.run(["a", "b"]), [["a", 0], ["a", 1], ["a", 2], ["b", 0], ["b", 1], ["b", 2]])
    expect(slot.out("side"), ["a", "b"])
    slot.counts(consumed=2, handled=2, sent=8)


@case
def failing_generator(bench: Bench) -> None:
    """A generator that raises after some results leaves none of them."""
    host = bench.start()
    slot = host.load("generator")
    slot.wire(["out", "side"])
    expect(slot.run(["bad", "b"]), [["b", 0], ["b", 1], ["b", 2]])
    expect(slot.out("side"), ["b"])
    slot.counts(consumed=2, handled=2, failed=1, sent=4)


@case
def redelivery(bench: Bench) -> None:
    """A message sent again has the same id, and `context.redelivered` says so."""
    host = bench.start()
    slot = host.load("headers_echo")
    [plain, _] = slot.run([1, 2], first=40)
    [again] = slot.run([1], first=40, flags=REDELIVERED)
    expect([plain["id"], plain["redelivered"]], [f"{slot.wire_name}#40", False], "first delivery")
    expect([again["id"], again["redelivered"]], [f"{slot.wire_name}#40", True], "redelivery")


@case
def who_am_i(bench: Bench) -> None:
    """The context knows the module and the flow."""
    host = bench.start()
    [value] = host.load("headers_echo", module="me", flow="my-flow").run([1])
    expect([value["module"], value["flow"]], ["me", "my-flow"])


@case
def large_numbers(bench: Bench) -> None:
    """Message numbers go far beyond 32 bits."""
    host = bench.start()
    slot = host.load("headers_echo")
    [one, two] = slot.run([1, 2], first=2**50)
    expect([one["id"], two["id"]], [f"{slot.wire_name}#{2**50}", f"{slot.wire_name}#{2**50 + 1}"], "ids")
