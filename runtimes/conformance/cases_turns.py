"""Cases about turns and transactions: atomicity, commits, TURN, HELD, the size of a turn."""

from __future__ import annotations

from runtimes.conformance.case import Bench, case
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import Slot, expect
from runtimes.frames import REDELIVERED, TURN_FLAG


@case
def failed_turn_leaves_only_its_error(bench: Bench) -> None:
    """A handler that raises after it sent and changed its context leaves its ERROR and nothing else."""
    host = bench.start()
    slot = host.load("fail_on_bad")
    expect(slot.run(["a", "bad", "b", "bad", "bad", "c"]), ["a", "b", "c"])
    expect(slot.context_value("n"), 3, "context n")
    slot.counts(consumed=6, handled=6, failed=3, sent=3)
    expect([error.number for error in slot.errors], [2, 4, 5], "numbers of the errors")


@case
def context_and_outputs_commit_together(bench: Bench) -> None:
    """After every COMMIT the context fits the messages consumed and sent so far."""
    host = bench.start()
    slot = host.load("counter")
    for n in range(20):
        slot.data([0] * 50, first=50 * n + 1)

    def fits() -> bool:
        sent = slot.out()
        if host.commits:
            expect(slot.context_value("n"), len(sent), "context n after a COMMIT")
            expect(slot.totals["consumed"], len(sent), "consumed after a COMMIT")
        return not slot.in_flight

    host.wait(fits, "COMMIT of everything")
    expect(slot.out(), list(range(1, 1001)))


@case
def single_message_commits_at_once(bench: Bench) -> None:
    """A host does not wait for more before it commits a message."""
    host = bench.start()
    slot = host.load("identity")
    for n in range(5):
        slot.data([n])
        host.wait(lambda: not slot.in_flight, "COMMIT of a single message", 1.0)


@case
def commit_at_64_kib(bench: Bench) -> None:
    """64 KiB of output are committed, not gathered: 40 outputs of 30,000 bytes take many transactions."""
    host = bench.start()
    slot = host.load("big_output")
    slot.run([30_000] * 40)
    sizes = [sum(len(messages) for _, messages in commit.data) for commit in host.commits]
    require(max(sizes) <= 6, f"messages of 30,000 bytes in the transactions: {sizes}")


@case
def commit_every_10_ms(bench: Bench) -> None:
    """A batch of slow turns is committed between turns."""
    host = bench.start()
    slot = host.load("slow", config={"ms": 4})
    slot.data(list(range(50)))
    slot.done()
    require(len(host.commits) >= 10, f"200 ms of turns of 4 ms gave {len(host.commits)} COMMIT")


@case
def turn_is_announced(bench: Bench) -> None:
    """With the flag TURN, every turn has a TURN before it and a COMMIT behind it."""
    host = bench.start()
    slot = host.load("identity")
    slot.run([1, 2, 3], flags=TURN_FLAG | REDELIVERED, first=11)
    expect([list(turn) for turn in host.turns], [[0, 11], [0, 12], [0, 13]], "TURN frames")
    expect(host.journal[-6:], ["TURN 11", "COMMIT", "TURN 12", "COMMIT", "TURN 13", "COMMIT"], "order of frames")
    expect(slot.run([4]), [4])
    expect(len(host.turns), 3, "TURN frames without the flag")


def wait_held(slot: Slot, errors: int) -> None:
    """Wait for the ERROR of an attempt."""
    slot.host.wait(lambda: len(slot.errors) == errors, "ERROR with HELD")


@case
def retry_holds(bench: Bench) -> None:
    """With `retry` a failing turn is not consumed, and input is discarded until PAUSE; sent again, all is handled."""
    host = bench.start()
    slot = host.load("retry_fail", retry=True)
    slot.data(["a", "bad", "c"])
    host.wait(lambda: slot.errors, "ERROR with HELD")
    slot.data(["d"])
    host.ping(1)
    expect([slot.out(), slot.context_value("n")], [[["a", 1]], 1], "committed before the failing turn")
    require(len(slot.errors) == 1 and slot.errors[0].held, f"errors: {slot.errors}")
    expect([slot.errors[0].number, slot.errors[0].info["id"]], [2, f"{slot.wire_name}#2"], "the held message")
    slot.counts(consumed=1, handled=2, failed=1, sent=1)
    host.pause(slot.number)
    expect(sum(count for _, count in slot.forgotten), 3, "messages that come again")
    slot.redeliver(["bad", "c", "d"], first=2)
    slot.done()
    expect(slot.out(), [["a", 1], ["bad", 2], ["c", 3], ["d", 4]])
    slot.counts(consumed=4, handled=5, failed=1)


@case
def retry_holds_again(bench: Bench) -> None:
    """A message that keeps failing is held each time, and nothing overtakes it."""
    host = bench.start()
    slot = host.load("fail_on_bad", retry=True)
    for attempt in (1, 2, 3):
        slot.data(["bad", "b"], first=1)
        wait_held(slot, attempt)
        host.pause(slot.number)
        slot.counts(consumed=0, handled=attempt, failed=attempt, sent=0)
    expect(slot.run(["b"], first=2), ["b"])


@case
def too_large_turn(bench: Bench) -> None:
    """A turn whose outputs exceed `max_turn_bytes` is rolled back with the error TurnTooLarge."""
    host = bench.start()
    slot = host.load("big_output", max_turn_bytes=1_000_000)
    sent = slot.run([10, 2_000_000, 20])
    expect([len(text) for text in sent], [10, 20], "lengths sent")
    expect([[error.type, error.number] for error in slot.errors], [["TurnTooLarge", 2]], "errors")
    slot.counts(consumed=3, sent=2)


@case
def too_large_turn_of_many(bench: Bench) -> None:
    """The sum of a turn's outputs counts, not the largest."""
    host = bench.start()
    slot = host.load("many", max_turn_bytes=20_000)
    slot.wire(["out", "b"])
    slot.run([100, 50_000, 3])
    expect([error.type for error in slot.errors], ["TurnTooLarge"], "errors")
    slot.counts(consumed=3, sent=103)


@case
def too_large_context_change(bench: Bench) -> None:
    """Context changes count for `max_turn_bytes`."""
    host = bench.start()
    slot = host.load("context_big", max_turn_bytes=100_000)
    slot.run([{"key": "a", "bytes": 10}, {"key": "b", "bytes": 500_000}])
    expect([error.type for error in slot.errors], ["TurnTooLarge"], "errors")
    expect(sorted(slot.context), ["a"], "keys")
    expect(slot.out(), ["a"])
