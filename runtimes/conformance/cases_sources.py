"""Cases about sources: a `start` that is a generator, advanced on credit, its position kept in the context."""

from __future__ import annotations

import random
from typing import Any

from runtimes.conformance.case import Bench, case
from runtimes.conformance.host import Host
from runtimes.conformance.invariants import in_time, require
from runtimes.conformance.slot import Slot, expect
from runtimes.conformance.values import parse
from runtimes.frames import NO_INDEX

MARGIN_S = 0.25


def begin(host: Host, module: str = "source", turns: int = 0, **changes: Any) -> Slot:
    """Load a source and call its start."""
    slot = host.load(module, **changes)
    expect(slot.call("start", turns=turns), {"ok": True, "source": True}, "RESULT of start")
    return slot


def has(slot: Slot, n: int) -> None:
    """Wait until a source has sent n messages."""
    slot.host.wait(lambda: len(slot.out()) >= n, f"message {n} of the source")


@case
def pulled_on_credit(bench: Bench) -> None:
    """A source sends as many messages as it has credit, its context with them."""
    host = bench.start()
    slot = begin(host, config={"n": 100})
    host.ping(1)
    expect(slot.out(), [], "messages without credit")
    for credit, total in ((3, 3), (1, 4), (40, 44)):
        slot.pull(credit)
        has(slot, total)
        host.ping(total)
        expect(slot.out(), list(range(1, total + 1)))
        expect(slot.context_value("i"), total, "context i")
    slot.counts(consumed=0, handled=44, failed=0, pulled=44, sent=44)


@case
def what_stays_is_no_credit(bench: Bench) -> None:
    """A PULL that only says how many turns stay gives no credit; it may come before and after `stop`."""
    host = bench.start()
    slot = begin(host, turns=5, config={"n": 100})
    slot.pull(3)
    has(slot, 3)
    for turns in (6, 8, 8):
        slot.keep(turns)
    host.ping(1)
    expect(slot.out(), [1, 2, 3], "messages")
    slot.call("stop")
    slot.keep(8)
    host.ping(2)
    expect(slot.out(), [1, 2, 3], "messages")


@case
def finished(bench: Bench) -> None:
    """When a source ends, what it changed is committed, then FINISHED comes."""
    host = bench.start()
    slot = begin(host, config={"n": 5})
    slot.pull(100)
    host.wait(lambda: slot.finished, "FINISHED")
    expect([slot.finished, slot.out()], [{"ok": True}, [1, 2, 3, 4, 5]])
    expect([slot.context_value("i"), slot.context_value("ended")], [5, True], "context")
    slot.counts(failed=0, sent=5)


@case
def failed(bench: Bench) -> None:
    """A source that raises leaves its ERROR and what it yielded before, then FINISHED with ok false."""
    host = bench.start()
    slot = begin(host, config={"n": 2, "fail": True}, turns=40)
    slot.pull(100)
    host.wait(lambda: slot.finished, "FINISHED")
    expect([slot.finished, slot.out()], [{"ok": False}, [1, 2]])
    require(len(slot.errors) == 1, f"errors: {slot.errors}")
    error = slot.errors[0]
    expect([error.index, error.number, error.message.decode()], [NO_INDEX, 42, ""], "index, number, message")
    require("ended" not in slot.context, "what the failing turn changed was committed")


@case
def failed_and_started_again(bench: Bench) -> None:
    """A source that has raised can be started again, from the context that it is given."""
    host = bench.start()
    slot = begin(host, config={"n": 3, "fail": True})
    slot.pull(100)
    host.wait(lambda: slot.finished, "FINISHED")
    host.pause(slot.number)
    slot.finished = None
    again = slot.call("start", turns=3, context={"i": 1})
    expect(again, {"ok": True, "source": True}, "RESULT of the second start")
    slot.pull(100)
    host.wait(lambda: slot.finished, "the second FINISHED")
    expect([slot.finished, slot.out()], [{"ok": False}, [1, 2, 3, 2, 3]])
    expect([error.number for error in slot.errors], [3, 5], "numbers of the turns that raised")


@case
def numbers_and_ids(bench: Bench) -> None:
    """The parent id of a source's turn is MODULE.start#NUMBER, counted from `turns`."""
    host = bench.start()
    slot = host.load("source", config={"n": 10})
    slot.wire(ids=True)
    slot.call("start", turns=17)
    slot.pull(2)
    has(slot, 2)
    seen = [message.headers for message in slot.sent["out"]]
    expect(seen, [{"id": f"{slot.module}.start#{n}/{slot.module}.0"} for n in (17, 18)], "headers")


@case
def fused_behind(bench: Bench) -> None:
    """What is fused behind a source runs in the source's turn."""
    host = bench.start()
    slot, target = host.load("source", config={"n": 10}), host.load("double")
    slot.wire(fused={"out": [(target, "in", "w")]})
    slot.call("start", turns=0)
    slot.pull(4)
    has(target, 4)
    host.ping(1)
    expect(target.out(), [2, 4, 6, 8])
    slot.counts(pulled=4, sent=4, handled=4)
    target.counts(consumed=0, handled=4, sent=4)


@case
def recall_forgets_credit(bench: Bench) -> None:
    """PAUSE takes back the credit; the next PULL goes on where the source was."""
    host = bench.start()
    slot = begin(host, config={"n": 1_000_000_000})
    slot.pull(1_000_000_000)
    has(slot, 10)
    took = host.pause(slot.number)
    done = len(slot.out())
    in_time(took < 0.05 + MARGIN_S, f"PAUSED took {took * 1000:.0f} ms, {done} messages were sent by then")
    host.ping(1)
    expect(len(slot.out()), done, "messages after PAUSED")
    slot.pull(5)
    has(slot, done + 5)
    host.ping(2)
    expect(slot.out()[-6:], list(range(done, done + 6)))
    expect(slot.context_value("i"), done + 5, "context i")


@case
def recalled_before_a_slow_one(bench: Bench) -> str:
    """A source with much credit is not far ahead of a slow module fused behind it: PAUSE answers within 50 ms."""
    host = bench.start()
    slot, slow = host.load("source", config={"n": 1_000_000_000}), host.load("slow", config={"ms": 5})
    slot.wire(fused={"out": [(slow, "in", "w")]})
    slot.call("start", turns=0)
    slot.pull(1_000_000_000)
    has(slow, 10)
    took = host.pause(slot.number)
    done = len(slow.out())
    in_time(took < 0.05 + MARGIN_S, f"PAUSED took {took * 1000:.0f} ms, {done} messages were sent by then")
    expect([slow.out(), slot.context_value("i")], [list(range(1, done + 1)), done], "sent, context i")
    return f"answered after {took * 1000:.1f} ms"


@case
def stopped(bench: Bench) -> None:
    """After `stop` a source yields no more, and no FINISHED comes."""
    host = bench.start()
    slot = begin(host, config={"n": 1_000_000_000})
    slot.pull(20)
    has(slot, 20)
    require(slot.call("stop").get("ok") is True, "RESULT of stop is not ok")
    slot.credit = 0
    expect(slot.context_value("stopped"), True, "what the hook has set")
    host.ping(1)
    expect([slot.out(), slot.finished], [list(range(1, 21)), None], "sent, FINISHED")


@case
def stopped_while_it_runs(bench: Bench) -> None:
    """`stop` in the middle of a source's work ends it between two turns."""
    host = bench.start()
    slot = begin(host, config={"n": 1_000_000_000})
    slot.pull(1_000_000_000)
    has(slot, 10)
    slot.call("stop")
    done = len(slot.out())
    host.ping(1)
    expect(slot.out(), list(range(1, done + 1)))
    expect(slot.context_value("i"), done, "context i")


@case
def stopped_without_a_hook(bench: Bench) -> None:
    """`stop` ends the source of a module that has no such hook, too."""
    host = bench.start()
    slot = begin(host, "blocking_source", config={"ms": 1})
    slot.pull(3)
    has(slot, 3)
    require(slot.call("stop").get("ok") is True, "RESULT of stop is not ok")
    slot.pull(100)
    other = host.load("identity")
    expect(other.run([1]), [1])
    host.ping(1)
    expect([slot.out(), slot.finished], [[1, 2, 3], None], "sent, FINISHED")


@case
def started_again(bench: Bench) -> None:
    """`start` called once more ends the source of before, and takes the context it comes with."""
    host = bench.start()
    slot = begin(host, config={"n": 1_000_000_000})
    slot.pull(20)
    has(slot, 20)
    again = slot.call("start", turns=20, context={"i": 1000})
    expect(again, {"ok": True, "source": True}, "RESULT of the second start")
    slot.pull(20)
    has(slot, 40)
    host.ping(1)
    expect(slot.out(), [*range(1, 21), *range(1001, 1021)])
    expect(slot.context_value("i"), 1020, "context i")


@case
def started_again_while_it_blocks(bench: Bench) -> None:
    """A source of before that is in its own code at the second `start` yields nothing when it comes back."""
    host = bench.start()
    slot = begin(host, "blocking_source", config={"ms": 20})
    slot.pull(1_000_000_000)
    has(slot, 2)
    host.pause(slot.number)
    before = len(slot.out())
    expect(slot.call("start", turns=before), {"ok": True, "source": True}, "RESULT of the second start")
    slot.pull(5)
    has(slot, before + 5)
    host.ping(1)
    expect(slot.out(), [*range(1, before + 1), *range(1, 6)])


@case
def goes_on_after_kill(bench: Bench) -> str:
    """A host that is killed and a successor with the committed context neither lose nor repeat a message."""
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    sent: list[int] = []
    context: dict[str, object] = {}
    for _ in range(3):
        host = bench.start()
        slot = begin(host, config={"n": 1_000_000_000}, context=context, turns=len(sent))
        slot.pull(1_000_000_000)
        has(slot, chance.randrange(1, 2000))
        host.link.kill()
        sent += slot.out()
        context = {key: parse(value) for key, value in slot.context.items()}
    wrong = next((i for i, value in enumerate(sent, 1) if value != i), None)
    require(wrong is None, f"message {wrong} of {len(sent)} is {sent[(wrong or 1) - 1]} (seed {seed})")
    return f"seed {seed}, {len(sent)} messages"


@case
def async_source(bench: Bench) -> None:
    """An async generator is a source too."""
    host = bench.start()
    slot = begin(host, "async_source", config={"n": 30})
    slot.pull(10)
    has(slot, 10)
    host.ping(1)
    expect([slot.out(), slot.context_value("i")], [list(range(1, 11)), 10])
    slot.pull(100)
    host.wait(lambda: slot.finished, "FINISHED")
    expect(slot.out(), list(range(1, 31)))


@case
def blocking_source(bench: Bench) -> str:
    """A generator that blocks does not keep the host from answering or from other slots' turns."""
    host = bench.start()
    slot = begin(host, "blocking_source", config={"ms": 400})
    other = host.load("identity")
    slot.pull(10)
    took = host.pause(other.number)
    in_time(took < MARGIN_S, f"PAUSED of another slot took {took * 1000:.0f} ms")
    expect(other.run([1]), [1])
    in_time(not slot.out(), "the other slot was served when the source had come back")
    has(slot, 1)
    expect(slot.out(), [1])
    return f"answered after {took * 1000:.1f} ms"


@case
def beside_messages(bench: Bench) -> None:
    """A source with much credit does not starve the messages of another slot."""
    host = bench.start()
    slot = begin(host, config={"n": 1_000_000_000})
    other = host.load("counter")
    slot.pull(1_000_000_000)
    has(slot, 10)
    for n in range(1, 6):
        expect(other.run([0] * 10), list(range(10 * n - 9, 10 * n + 1)))
