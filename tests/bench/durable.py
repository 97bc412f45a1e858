"""What `durable: true` costs: throughput beside the same flow in memory, one message beside a bare fdatasync."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any

from actors.messages.session_to_flow import AttachEnd
from runtimes.frames import join
from tests.bench.embedded import Embedded, module
from tests.bench.figures import Row, interleaved
from tests.bench.latency import MESSAGE
from tests.bench.throughput import ends, line, metered

BLOCK = bytes(4096)


def cross(runs: int, quick: bool) -> Iterator[Row]:
    """python3 -> node -> python3, durable and in memory."""
    count = 100_000 if quick else 400_000
    warm = count // 4
    modules = ends(count, warm, isolated=True) | {"stage": module("node", "stage")}
    wires = line("source", "stage", "meter")
    values, limits = interleaved(
        runs, lambda: metered(modules, wires, "meter", durable=True), lambda: metered(modules, wires, "meter")
    )
    yield Row(
        name="durable.cross", unit="msg/s", what="throughput.cross with `durable: true`", values=values,
        limit="the same flow in memory", limits=limits, target=0.8,
    )  # fmt: skip


def single(runs: int, quick: bool) -> Iterator[Row]:
    """One message at a time: from its insert until what it has become may leave the runner."""
    trips = 100 if quick else 400
    figures: dict[float, tuple[list[float], list[float]]] = {0.5: ([], []), 0.9: ([], [])}
    for _ in range(runs):
        times, bare = single_us(trips)
        for fraction, (values, limits) in figures.items():
            values.append(times[int(fraction * trips)])
            limits.append(bare[int(fraction * trips)])
    for name, (values, limits) in zip(("p50", "p90"), figures.values(), strict=True):
        yield Row(
            name=f"durable.single_{name}", unit="us", what=f"one message through a python3 module, durable, {name}",
            values=values, limit=f"write and fdatasync of 4 KiB, in turns with it, {name}", limits=limits,
            target=3.0 if name == "p50" else None, lower_is_better=True,
        )  # fmt: skip


def single_us(trips: int) -> tuple[list[float], list[float]]:
    """Sorted microseconds of messages, and of bare fdatasyncs between them."""
    times, bare = list[float](), list[float]()
    body = join([MESSAGE])
    with TemporaryDirectory(prefix="bench-") as folder, Embedded(durable=True) as runner:
        fd = os.open(f"{folder}/bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        runner.add({"echo": module("python3", "stage")}, [], durable=True)
        runner.attach(AttachEnd(side="in", flow="bench", module="echo", port="in", wire="bench->echo.in"))
        runner.attach(AttachEnd(side="out", flow="bench", module="echo", port="out", wire="echo.out->-o"))
        runner.start()
        came: list[bytes] = []
        probe = runner.probe
        probe.taken = lambda body: probe.when_durable(lambda: came.append(body))
        for trip in range(trips):
            begun = time.perf_counter()
            probe.insert(body, 1)
            runner.run_until(lambda trip=trip: len(came) > trip)
            times.append((time.perf_counter() - begun) * 1e6)
            bare.append(_timed(lambda: (os.write(fd, BLOCK), os.fdatasync(fd))))
        os.close(fd)
    return sorted(times), sorted(bare)


def _timed(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1e6
