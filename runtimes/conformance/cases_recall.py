"""Cases about PAUSE: it answers fast, what is not committed can be sent again, and credit is forgotten."""

from __future__ import annotations

from runtimes.conformance.case import Bench, case
from runtimes.conformance.invariants import in_time
from runtimes.conformance.slot import Slot, expect
from runtimes.frames import ALL_SLOTS, TURN_FLAG

ANSWER_S = 0.05
MARGIN_S = 0.25


def again(slot: Slot, values: list[int]) -> None:
    """Send what is not consumed of `values`, numbered from 1, once more."""
    done = slot.totals["consumed"]
    slot.redeliver(values[done:], first=done + 1)
    slot.done(30)


def wait_beyond(slot: Slot, done: int) -> None:
    """Wait until more than so many messages are consumed, or all."""
    slot.host.wait(lambda: slot.totals["consumed"] > done or not slot.in_flight, f"more than {done} messages")


@case
def in_a_batch(bench: Bench) -> str:
    """PAUSE in 600 messages of 5 ms answers within 50 ms; sent again, everything is there exactly once."""
    host = bench.start()
    slot = host.load("slow", config={"ms": 5})
    values = list(range(600))
    slot.data(values)
    host.wait(lambda: slot.totals["consumed"] >= 10, "10 turns")
    took = host.pause(slot.number)
    done = slot.totals["consumed"]
    in_time(done < 500, f"{done} of 600 turns were done when PAUSED came")
    in_time(took < ANSWER_S + MARGIN_S, f"PAUSED took {took * 1000:.0f} ms")
    slot.data([1000], first=done + 1)
    slot.done()
    expect(slot.out(), [*range(done), 1000], "after the recall")
    slot.sent.clear()
    host.pause(slot.number)
    slot.data(values[done : done + 40], first=done + 1)
    slot.done()
    expect(slot.out(), values[done : done + 40], "sent again")
    return f"answered after {took * 1000:.1f} ms, {done} turns done"


@case
def exactly_once(bench: Bench) -> str:
    """Recalled up to five times in a batch, each message is handled exactly once."""
    host = bench.start()
    slot = host.load("counter")
    values = list(range(3000))
    for _ in range(5):
        done = slot.totals["consumed"]
        if done == len(values):
            break
        slot.redeliver(values[done:], first=done + 1)
        wait_beyond(slot, done)
        host.pause(slot.number)
    recalled_at = slot.totals["consumed"]
    if recalled_at < len(values):
        again(slot, values)
    expect(slot.out(), list(range(1, 3001)))
    return f"last recall after {recalled_at} of 3000"


@case
def several_frames(bench: Bench) -> None:
    """A recall forgets frames that are wholly unread too."""
    host = bench.start()
    slot = host.load("slow", config={"ms": 2})
    values = list(range(300))
    for n in range(0, 300, 10):
        slot.data(values[n : n + 10], first=n + 1)
    host.wait(lambda: host.commits, "first COMMIT")
    host.pause(slot.number)
    done = slot.totals["consumed"]
    in_time(done < 300, "everything was done before PAUSED")
    slot.redeliver(values[done : done + 20], first=done + 1)
    slot.done()
    expect(slot.out(), values[: done + 20])


@case
def behind_a_turn(bench: Bench) -> None:
    """What waits in the pipe when a turn ends is looked at as a whole: no other turn begins in front of a PAUSE."""
    host = bench.start()
    slot = host.load("slow", config={"ms": 300})
    slot.data([0], flags=TURN_FLAG)
    host.wait(lambda: host.turns, "TURN")
    for n in range(1, 4):  # a frame each
        slot.data([n])
    host.pause(slot.number)
    in_time(slot.totals["consumed"] == 1, f"{slot.totals['consumed']} turns were done, not one")


@case
def one_of_two_slots(bench: Bench) -> None:
    """A recall of one slot leaves the input of the other."""
    host = bench.start()
    slots = [host.load("slow", config={"ms": 2}) for _ in range(2)]
    for slot in slots:
        slot.data(list(range(60)))
    host.wait(lambda: host.commits, "first COMMIT")
    host.pause(slots[0].number)
    slots[1].done()
    expect(slots[1].out(), list(range(60)))
    again(slots[0], list(range(60)))
    expect(slots[0].out(), list(range(60)))


@case
def all_slots(bench: Bench) -> None:
    """PAUSE of 65535 recalls every slot."""
    host = bench.start()
    slots = [host.load("slow", config={"ms": 2}) for _ in range(3)]
    for slot in slots:
        slot.data(list(range(50)))
    host.wait(lambda: host.commits, "first COMMIT")
    host.pause(ALL_SLOTS)
    in_time(any(slot.totals["consumed"] < 50 for slot in slots), "everything was done before PAUSED")
    for slot in slots:
        if slot.totals["consumed"] < 50:
            again(slot, list(range(50)))
        expect(slot.out(), list(range(50)))


@case
def nothing_to_recall(bench: Bench) -> None:
    """PAUSE of an idle slot, of a slot that was paused before, and without any slot is answered."""
    host = bench.start()
    host.pause(ALL_SLOTS)
    slot = host.load("identity")
    host.pause(slot.number)
    host.pause(slot.number)
    expect(slot.run([1]), [1])


@case
def right_behind_data(bench: Bench) -> None:
    """A PAUSE that comes with the DATA leaves every message either committed or forgotten."""
    host = bench.start()
    slot = host.load("counter")
    values = list(range(100))
    for _ in range(20):
        done = slot.totals["consumed"]
        if done == len(values):
            break
        slot.redeliver(values[done:], first=done + 1)
        host.pause(slot.number)
    if slot.totals["consumed"] < len(values):
        again(slot, values)
    expect(slot.out(), list(range(1, 101)))
