"""Cases about kill -9: a new host, with the committed context and the unconsumed messages, goes on."""

from __future__ import annotations

import random
from typing import Any

from runtimes.conformance.case import Bench, case
from runtimes.conformance.host import Host
from runtimes.conformance.invariants import Broken
from runtimes.conformance.slot import expect
from runtimes.conformance.values import parse

MESSAGES = 4000
FRAME_MESSAGES = 100
KILLS = 4


@case
def kill_9_at_a_random_byte(bench: Bench) -> str:
    """Killed after a random number of bytes, four times: each message is handled exactly once, in order."""
    seed = random.SystemRandom().randrange(10**6)
    try:
        return f"seed {seed}, {run_killed(bench, random.Random(seed))}"
    except Broken as broken:
        raise Broken(f"{broken} (seed {seed})") from None


def wait_for_byte(host: Host, limit: int) -> None:
    """Wait until so many bytes were read, or everything is done."""

    def is_reached() -> bool:
        return host.link.bytes_read >= limit or not any(slot.in_flight for slot in host.slots.values())

    host.wait(is_reached, f"byte {limit}")


def run_killed(bench: Bench, chance: random.Random) -> str:
    """Send everything, through hosts that are killed."""
    sent: list[Any] = []
    context: dict[str, Any] = {}
    done, stops = 0, []
    for life in range(KILLS + 1):
        host = bench.start()
        slot = host.load("counter", context=context)
        for n in range(done, MESSAGES, FRAME_MESSAGES):
            slot.redeliver([0] * min(FRAME_MESSAGES, MESSAGES - n), first=n + 1)
        limit = host.link.bytes_read + chance.randrange(1, 8000)
        if life == KILLS:
            slot.done(30)
        else:
            wait_for_byte(host, limit)
        host.link.kill()
        sent += slot.out()
        done += slot.totals["consumed"]
        context = {key: parse(value) for key, value in slot.context.items()}
        stops.append(done)
    expect(sent, list(range(1, MESSAGES + 1)), "values of all hosts")
    return f"killed after {stops[:-1]} messages"
