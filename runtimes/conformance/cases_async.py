"""Cases about async handlers: overlapping turns, their order, sends outside of turns."""

from __future__ import annotations

import time

from runtimes.conformance.case import Bench, case
from runtimes.conformance.host import Host
from runtimes.conformance.invariants import in_time, require
from runtimes.conformance.slot import Slot, expect

COUNT = 100  # messages, of which a recall comes in time for most


def sleeps(*milliseconds: int, bad: int = -1) -> list[dict[str, object]]:
    """Messages for `async_sleep`; the one with the index `bad` fails after its sleep."""
    return [{"ms": ms} if index != bad else {"ms": ms, "bad": True} for index, ms in enumerate(milliseconds)]


def pairs(slot: Slot, numbers: list[int], milliseconds: list[int]) -> list[object]:
    """What `async_sleep` sends: the id, then the milliseconds."""
    return [v for n, ms in zip(numbers, milliseconds, strict=True) for v in (f"{slot.wire_name}#{n}", ms)]


@case
def one_at_a_time(bench: Bench) -> None:
    """Without concurrency the turns of an async handler do not overlap."""
    host = bench.start()
    slot = host.load("async_counter")
    expect(slot.run([0] * 20), list(range(1, 21)))


@case
def overlapping(bench: Bench) -> str:
    """With concurrency turns overlap, a later one ends first, and they are committed in input order."""
    host = bench.start()
    slot = host.load("async_sleep", concurrency=8)
    milliseconds = [160, 80, 120, 40, 150, 10, 100, 60]
    start = time.monotonic()
    expect(slot.run(list(sleeps(*milliseconds))), pairs(slot, list(range(1, 9)), milliseconds))
    took = time.monotonic() - start
    in_time(took < 0.6, f"turns of {sum(milliseconds)} ms in all took {took * 1000:.0f} ms, they do not overlap")
    slot.counts(consumed=8, handled=8, sent=16)
    return f"{sum(milliseconds)} ms of turns in {took * 1000:.0f} ms"


@case
def no_more_than_concurrency(bench: Bench) -> None:
    """At most n turns overlap."""
    host = bench.start()
    slot = host.load("async_sleep", concurrency=2)
    start = time.monotonic()
    slot.run(list(sleeps(50, 50, 50, 50, 50, 50)))
    took = time.monotonic() - start
    require(took >= 0.145, f"six turns of 50 ms, two at a time, took {took * 1000:.0f} ms")


@case
def failing(bench: Bench) -> None:
    """An overlapping turn that fails leaves only its ERROR, in its place."""
    host = bench.start()
    slot = host.load("async_sleep", concurrency=4)
    expect(slot.run(list(sleeps(60, 30, 1, 20, bad=1))), pairs(slot, [1, 3, 4], [60, 1, 20]))
    expect([error.number for error in slot.errors], [2], "errors")
    slot.counts(consumed=4, handled=4, failed=1, sent=6)


@case
def context_is_read_only(bench: Bench) -> None:
    """With concurrency `context.set` raises."""
    host = bench.start()
    slot = host.load("async_counter", concurrency=2, context={"n": 7})
    expect(slot.run([0, 0, 0]), [])
    expect([len(slot.errors), slot.context_value("n")], [3, 7], "errors, context")


@case
def recalled(bench: Bench) -> None:
    """PAUSE ends the turns begun and forgets the others; sent again, everything is there once."""
    host = bench.start()
    slot = host.load("async_sleep", concurrency=3)
    messages = sleeps(*[20] * COUNT)
    slot.data(list(messages))
    host.wait(lambda: host.commits, "first COMMIT")
    host.pause(slot.number)
    done = slot.totals["consumed"]
    require(done >= 3, f"{done} turns were done")
    in_time(done < COUNT, "every turn was done before PAUSED")
    host.ping(1)
    expect(slot.totals["consumed"], done, "turns after PAUSED")
    slot.redeliver(list(messages[done : done + 20]), first=done + 1)
    slot.done()
    numbers = list(range(1, min(done + 20, COUNT) + 1))
    expect(slot.out(), pairs(slot, numbers, [20] * len(numbers)))


@case
def other_slots_go_on(bench: Bench) -> None:
    """While an async turn waits, another slot is served."""
    host = bench.start()
    slot, other = host.load("async_sleep"), host.load("identity")
    slot.data(list(sleeps(300)))
    expect(other.run([1, 2]), [1, 2])
    in_time(not slot.out(), "the other slot was served when the turn had ended")
    slot.done()
    slot.counts(consumed=1, handled=1)


@case
def generator(bench: Bench) -> None:
    """An async generator sends several results."""
    host = bench.start()
    slot = host.load("async_generator")
    expect(slot.run(["a", "b"]), [["a", 0], ["a", 1], ["a", 2], ["b", 0], ["b", 1], ["b", 2]])
    slot.counts(consumed=2, handled=2, sent=6)


def messages(*wakes: int) -> list[dict[str, object]]:
    """For `source_beside`: the ones that wake its source, which yields how many of the others there were, as `ms`."""
    return [{"wake": bool(wake), "ms": 0} for wake in wakes]


def taken(count: int) -> dict[str, object]:
    """What the source yields then."""
    return {"wake": False, "ms": count}


@case
def source_beside(bench: Bench) -> None:
    """What an async source yields goes before messages that have not begun, and sees what was done before it."""
    host = bench.start()
    slot = host.load("source_beside", config={"ms": 0})
    slot.call("start", turns=0)
    slot.pull(10)
    expect(slot.run(list(messages(0, 0, 1, 0, 0))), [*messages(0, 0, 1), taken(2), *messages(0, 0)])
    expect(slot.context_value("n"), 2, "context n")
    slot.counts(consumed=5, handled=6, pulled=1, sent=6)


@case
def source_beside_before_a_slow_one(bench: Bench) -> None:
    """It is so, too, if what is fused behind it has to end first."""
    host = bench.start()
    slot, slow = host.load("source_beside", config={"ms": 0}), host.load("async_sleep")
    slot.wire(fused={"out": [(slow, "in", "w")]})
    slot.call("start", turns=0)
    slot.pull(10)
    slot.run(list(messages(1, 0, 0, 0, 1, 0)))
    expect(slow.out()[1::2], [0, 0, 0, 0, 0, 0, 3, 0], "what the slow one has done, in this order")
    expect(slot.context_value("n"), 1, "context n")


def come_late(host: Host, slot: Slot, feeder: Slot) -> None:
    """Twice the source yields in a pause, and then messages come, before there is credit again."""
    slot.call("start", turns=0)
    slot.pull(10)
    for times, count in enumerate((1, 3)):
        feeder.run(list(messages(0, 1)))
        host.pause(slot.number)
        before = slot.out()
        in_time(len(before) == 2 + 5 * times, "the source yielded before PAUSED")
        host.wait(lambda times=times: len(host.logs) > times, "the source to have taken")  # type: ignore[misc]
        host.ping(times)
        expect(slot.out(), before, "what was sent in the pause")
        feeder.run(list(messages(0, 0)))
        expect(slot.out()[len(before) :], [taken(count), *messages(0, 0)])
        slot.pull(11)
    slot.counts(handled=10, pulled=2, sent=10)
    expect(slot.context_value("n"), 2, "context n")


@case
def source_beside_recalled(bench: Bench) -> None:
    """A value that comes when PAUSE has taken the credit goes before the next message, on credit that is owed."""
    host = bench.start()
    slot = host.load("source_beside", config={"ms": 200})
    come_late(host, slot, slot)


@case
def source_beside_fused(bench: Bench) -> None:
    """It goes before a message that comes over a fused wire, too, and is committed with it."""
    host = bench.start()
    slot, feeder = host.load("source_beside", config={"ms": 200}), host.load("identity")
    feeder.wire(fused={"out": [(slot, "in", "w")]})
    come_late(host, slot, feeder)
    slot.counts(consumed=0)


@case
def late_send(bench: Bench) -> None:
    """A send outside any turn is a turn of its own that uses a credit."""
    host = bench.start()
    slot = host.load("late_send")
    slot.wire(["out", "late"])
    slot.pull(10)
    expect(slot.run([1, 2]), ["at once", "at once"])
    host.wait(lambda: len(slot.out("late")) == 2, "both late messages")
    expect(sorted(slot.out("late")), [1, 2], "late messages")
    slot.counts(consumed=2, pulled=2, sent=4)


@case
def late_send_waits_for_credit(bench: Bench) -> None:
    """Without credit a send outside any turn waits."""
    host = bench.start()
    slot, other = host.load("late_send"), host.load("async_sleep")
    slot.wire(["out", "late"])
    slot.run([1])
    other.run(list(sleeps(20)))
    expect(slot.out("late"), [], "late messages without credit")
    slot.pull(1)
    host.wait(lambda: slot.out("late"), "the late message")
    slot.counts(pulled=1, sent=2)


@case
def stop_ends_turns_begun(bench: Bench) -> None:
    """STOP ends and commits the async turns that have begun."""
    host = bench.start()
    slot = host.load("async_sleep", concurrency=2)
    slot.data(list(sleeps(1, 200)))
    host.wait(lambda: host.commits, "first COMMIT")
    host.stop()
    expect(slot.out(), pairs(slot, [1, 2], [1, 200]))
