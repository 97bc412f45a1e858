"""Microseconds from a message's insert into a mailbox to the arrival of what its applied COMMIT sends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from actors.messages.session_to_flow import AttachEnd
from runtimes.frames import join
from tests.bench import bare_process as bare
from tests.bench.embedded import Embedded, module
from tests.bench.figures import Row

MESSAGE = b'{"id":12345,"sensor":"hall-3/temperature","value":21.375,"unit":"C","ok":true,"tags":["a","b"]}'


def round_trip(runs: int, quick: bool) -> Iterator[Row]:
    """One message at a time to a python3 module and back."""
    trips, warm = (1000, 200) if quick else (5000, 1000)
    figures: dict[tuple[str, bool, float], list[float]] = {}
    for _ in range(runs):
        for place in ("pinned", "unpinned"):
            with _pinned(place == "pinned"):
                for is_bare, measure in ((False, round_trips_us), (True, bare.ping_pong_us)):
                    times = measure(trips, warm, MESSAGE)
                    for fraction in (0.5, 0.99):
                        figure = times[int(fraction * len(times))]
                        figures.setdefault((place, is_bare, fraction), []).append(figure)
    for place in ("pinned", "unpinned"):
        where = "both on one core" if place == "pinned" else "where the kernel puts them"
        for name, fraction in (("p50", 0.5), ("p99", 0.99)):
            yield Row(
                name=f"latency.{place}_{name}", unit="us", what=f"round trip to a python3 module, {where}, {name}",
                values=figures[place, False, fraction], limit=f"bare FIFO ping-pong with orjson, {where}, {name}",
                limits=figures[place, True, fraction], target=5.0 if (place, name) == ("pinned", "p50") else None,
                lower_is_better=True,
            )  # fmt: skip


@contextmanager
def _pinned(wanted: bool) -> Iterator[None]:
    """This process and what it starts on one core."""
    cores = os.sched_getaffinity(0)
    if wanted:
        os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def round_trips_us(trips: int, warm: int, message: bytes) -> list[float]:
    """Round trips through a runner in this process; sorted microseconds."""
    times: list[float] = []
    body = join([message])
    with Embedded() as runner:
        runner.add({"echo": module("python3", "stage")}, [])
        runner.attach(AttachEnd(side="in", flow="bench", module="echo", port="in", wire="bench->echo"))
        runner.attach(AttachEnd(side="out", flow="bench", module="echo", port="out", wire="echo->bench"))
        runner.start()
        probe = runner.probe
        begun = 0

        def insert() -> None:
            nonlocal begun
            begun = time.perf_counter_ns()
            probe.insert(body, 1)

        def taken(_body: bytes) -> None:
            times.append((time.perf_counter_ns() - begun) / 1000)
            if len(times) < trips + warm:
                insert()

        probe.taken = taken
        insert()
        runner.run_until(lambda: len(times) == trips + warm)
    return sorted(times[warm:])
