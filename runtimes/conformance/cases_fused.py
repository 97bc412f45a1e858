"""Cases about fused wires: native hand-over inside a turn, its order, isolation, counts, ids and errors."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from runtimes.conformance.case import Bench, Skipped, case
from runtimes.conformance.host import Host
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import Fused, Slot, expect
from runtimes.frames import NO_INDEX

MARKS: dict[str, Any] = {"marks": [], "last": None}


def to(slot: Slot, port: str = "in") -> Fused:
    """An in-port of a slot as the target of a fused wire, with the wire's name."""
    return (slot, port, f"x.out->{slot.module}.{port}")


def chain(host: Host, *modules: str) -> list[Slot]:
    """Modules fused one behind the other."""
    slots = [host.load(module) for module in modules]
    for feeder, target in pairwise(slots):
        feeder.wire(fused={"out": [to(target)]})
    return slots


@case
def chain_of_three(bench: Bench) -> None:
    """A message runs through everything fused; COMMIT counts every module."""
    host = bench.start()
    one, two, three = chain(host, "double", "double", "double")
    one.data([1, 2, 3])
    one.done()
    expect(three.out(), [8, 16, 24])
    one.counts(consumed=3, handled=3, fused=0, failed=0, sent=3, unwired=0)
    two.counts(consumed=0, handled=3, fused=3, failed=0, sent=3, unwired=0)
    three.counts(consumed=0, handled=3, failed=0, sent=3, unwired=0)


@case
def depth_first(bench: Bench) -> None:
    """A diamond: each output goes through the first branch to its end, then through the second."""
    host = bench.start()
    root, left, right, join = (host.load(m) for m in ("generator", "identity", "twice", "identity"))
    root.wire(fused={"out": [to(left), to(right)]})
    left.wire(fused={"out": [to(join)]})
    right.wire(fused={"out": [to(join)]})
    root.data(["a", "b"])
    root.done()
    expect(join.out(), [v for m in ("a", "b") for i in range(3) for v in ([m, i], [[m, i], [m, i]])])
    root.counts(consumed=2, handled=2, sent=6, unwired=2)
    join.counts(consumed=0, handled=12, fused=12, sent=12)


@case
def order_of_fused_is_kept(bench: Bench) -> None:
    """The targets run in the order of `fused`, not of their slots."""
    host = bench.start()
    root, left, right, join = (host.load(m) for m in ("identity", "twice", "identity", "identity"))
    root.wire(fused={"out": [to(right), to(left)]})
    left.wire(fused={"out": [to(join)]})
    right.wire(fused={"out": [to(join)]})
    root.data([1, 2])
    root.done()
    expect(join.out(), [1, [1, 1], 2, [2, 2]])


@case
def mutation_is_isolated(bench: Bench) -> None:
    """What one target does to its message, no other target and no channel sees."""
    host = bench.start()
    root = host.load("identity")
    targets = [host.load("mutate", config=name) for name in ("first", "second")]
    last = host.load("identity")
    root.wire(fused={"out": [to(targets[0]), to(targets[1]), to(last)]}, only_fused=False)
    root.data([MARKS])
    root.done()
    expect(targets[0].out(), [{"marks": ["first"], "last": "first"}], "first target")
    expect(targets[1].out(), [{"marks": ["second"], "last": "second"}], "second target")
    expect(last.out(), [MARKS], "last target")
    expect(root.out(), [MARKS], "channel")
    root.counts(sent=1)


@case
def sent_value_is_isolated(bench: Bench) -> None:
    """What a module does to a message after `send` its target does not see, nor the module what the target does."""
    host = bench.start()
    root, target = host.load("mutate_after_send"), host.load("mutate", config="target")
    root.wire(fused={"out": [to(target)]})
    root.data([MARKS])
    root.done()
    wanted = [["target"], ["after send", "target"]]
    expect([value["marks"] for value in target.out()], wanted, "marks")


@case
def two_ports(bench: Bench) -> None:
    """Some ports of a module are fused, others have a channel."""
    host = bench.start()
    root, target = host.load("fan"), host.load("headers_echo")
    root.wire(["out"], fused={"a": [to(target, "side")]})
    root.data([1])
    root.done()
    expect(root.out(), [[1, "out"]])
    expect([value["port"] for value in target.out()], ["side", "side"], "in-port of the target")
    root.counts(sent=3, unwired=1)


@case
def ids(bench: Bench) -> None:
    """A fused message has the id PARENT/MODULE.INDEX, the index counted over all ports of the handler call."""
    host = bench.start()
    root, middle, last = chain(host, "fan", "identity", "headers_echo")
    root.wire(fused={"a": [to(middle)], "out": [to(middle)]})
    root.data([1, 1], first=7)
    root.done()
    wanted = [f"{root.wire_name}#{n}/{root.module}.{i}/{middle.module}.0" for n in (7, 8) for i in (0, 2, 3)]
    expect([value["id"] for value in last.out()], wanted, "ids")
    expect([value["headers"] or {} for value in last.out()], [{}] * 6, "headers shown")


@case
def ids_on_a_channel(bench: Bench) -> None:
    """With `ids`, what leaves by a channel has the id it would have fused, in its headers."""
    host = bench.start()
    root = host.load("fan")
    root.wire(["out", "a", "b"], ids=True)
    root.run([1], first=7, headers=[{"x-h": "h"}])
    seen = [message.headers for port in ("a", "b", "out") for message in root.sent[port]]
    wanted = [{"id": f"{root.wire_name}#7/{root.module}.{i}", "x-h": "h"} for i in (0, 2, 1, 3)]
    expect(seen, wanted, "headers")
    root.run([1], headers=[{"id": "p/q.0"}])
    message = root.sent["out"][-1]
    expect(message.headers, {"id": f"p/q.0/{root.module}.3"}, "headers of a message whose parent has an id")


@case
def headers_are_inherited(bench: Bench) -> None:
    """Headers go through fused modules."""
    host = bench.start()
    root, last = chain(host, "identity", "headers_echo")
    root.data([1, 2], headers=[{"x-h": "h"}, None])
    root.done()
    expect([value["headers"] or {} for value in last.out()], [{"x-h": "h"}, {}], "headers seen")
    expect([message.headers for message in last.sent["out"]], [{"x-h": "h"}, None], "headers sent")


@case
def error_behind(bench: Bench) -> None:
    """A fused module that raises leaves its ERROR with the message; what ran in front of it stands."""
    host = bench.start()
    front, back = host.load("counter_echo"), host.load("fail_on_bad")
    front.wire(fused={"out": [to(back)]}, only_fused=False)
    front.data(["a", "bad", "c"], headers=[None, {"x-h": "h"}, None])
    front.done()
    expect([front.out(), back.out()], [["a", "bad", "c"], ["a", "c"]], "sent in front, and behind")
    expect([front.context_value("n"), back.context_value("n")], [3, 2], "contexts")
    front.counts(consumed=3, handled=3, failed=0, sent=3)
    back.counts(consumed=0, handled=3, failed=1, sent=2)
    require(len(back.errors) == 1 and not front.errors, f"errors {front.errors} in front, {back.errors} behind")
    error = back.errors[0]
    expect([error.index, error.message.decode()], [NO_INDEX, '"bad"'], "index and message")
    wanted = {"port": "in", "id": f"{front.wire_name}#2/{front.module}.0", "headers": {"x-h": "h"}}
    expect({key: value for key, value in error.info.items() if key != "error"}, wanted, "info")


@case
def error_in_front(bench: Bench) -> None:
    """Outputs of a failing handler are not handed on."""
    host = bench.start()
    front, back = chain(host, "fail_on_bad", "counter")
    front.data(["a", "bad", "c"])
    front.done()
    expect([back.out(), back.context_value("n")], [[1, 2], 2])
    front.counts(consumed=3, handled=3, failed=1, sent=2)
    back.counts(handled=2)


@case
def error_in_one_branch(bench: Bench) -> None:
    """A failing branch does not disturb the others."""
    host = bench.start()
    root, bad, good = host.load("identity"), host.load("fail_on_bad"), host.load("counter")
    root.wire(fused={"out": [to(bad), to(good)]})
    root.data(["bad", "a", "bad"])
    root.done()
    expect([bad.out(), good.out()], [["a"], [1, 2, 3]])
    expect(len(bad.errors), 2, "errors")


ROLLS_BACK = {"php", "ruby", "rust", "sbcl"}  # whose fused calls still fail together


@case
def too_large(bench: Bench) -> None:
    """A call over `max_turn_bytes` fails alone, as it does behind a pipe; what is handed over a fused wire counts."""
    if bench.runtime in ROLLS_BACK:
        raise Skipped("a fused call that is too large still takes the whole turn with it")
    host = bench.start()
    modules = [host.load(name, max_turn_bytes=1_000_000) for name in ("identity", "counter", "big_output", "counter")]
    root, count, big, behind = modules
    root.wire(fused={"out": [to(count), to(big)]})
    big.wire(fused={"out": [to(behind)]})
    root.data([10, 2_000_000, 20])
    root.done()
    expect([count.out(), behind.out()], [[1, 2, 3], [1, 2]])
    expect([count.context_value("n"), behind.context_value("n")], [3, 2], "contexts")
    expect([[error.slot, error.type] for error in host.errors], [[big.number, "TurnTooLarge"]], "errors")


@case
def rewire(bench: Bench) -> None:
    """WIRES between two turns fuses and unfuses; nothing is lost and the ids stay the same."""
    host = bench.start()
    front, back = host.load("identity"), host.load("headers_echo")
    seen = []
    for n in range(6):
        front.wire(fused={"out": [to(back)]} if n % 2 else None, ids=True)
        front.data([n], first=n + 1)
        front.done()
        if n % 2 == 0:
            message = front.sent["out"][-1]
            back.run([message.value], headers=[message.headers])
        seen.append(back.out()[-1]["id"])
        host.pause(front.number)
    expect(seen, [f"{front.wire_name}#{n + 1}/{front.module}.0" for n in range(6)], "ids")
    front.counts(consumed=6, sent=6)
    back.counts(consumed=3, handled=6)


@case
def target_has_a_wire_too(bench: Bench) -> None:
    """A fused target may get messages from a channel as well; its counts keep them apart."""
    host = bench.start()
    front, back = chain(host, "identity", "counter")
    front.data([0] * 10)
    back.data([0] * 5)
    front.done()
    back.done()
    expect(back.out(), list(range(1, 16)))
    back.counts(consumed=5, handled=15, fused=10, sent=15)


@case
def no_value_and_unwired(bench: Bench) -> None:
    """Behind a fused wire too, no value is nothing, and a port without a wire is counted."""
    host = bench.start()
    front, silent = chain(host, "identity", "sink")
    front.data([1, None])
    front.done()
    silent.counts(handled=2, sent=0, unwired=0)
    silent.wire([])
    front.counts(sent=2)


@case
def recalled(bench: Bench) -> None:
    """A recall of the front module ends its turn, fused part included, and forgets the rest."""
    host = bench.start()
    front, back = host.load("slow", config={"ms": 3}), host.load("counter")
    front.wire(fused={"out": [to(back)]})
    front.data(list(range(200)))
    host.wait(lambda: host.commits, "first COMMIT")
    host.pause(front.number)
    done = front.totals["consumed"]
    expect([front.totals["sent"], back.context_value("n")], [done, done], "sent by the front, context behind")
    require(0 < done < 200, f"{done} of 200 turns were done")
