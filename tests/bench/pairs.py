"""Every ordered pair of runtimes: throughput, round trips, and what a message costs each host beside its bare codec."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from actors.messages import client_to_runner as api
from actors.messages.session_to_flow import AttachEnd
from runtimes.frames import join
from tests.bench.codec import codecs
from tests.bench.embedded import Embedded
from tests.bench.figures import Row
from tests.bench.latency import MESSAGE
from tests.languages.available import PAIRS, suite_module

BATCH = 600
STREAM_S = 1.0  # slow hosts get fewer frames
AHEAD = 8  # frames under way: neither host waits, no mailbox is full


def pairs(runs: int, quick: bool) -> Iterator[Row]:
    """Two identity modules, each in a host of its own."""
    frames, trips = (100, 500) if quick else (500, 3000)
    costs: dict[str, list[float]] = {}
    limits: dict[str, list[float]] = {}
    with codecs() as bare:
        for one, other in PAIRS:
            rounds = []
            for _ in range(runs):
                for runtime, cost in zip((one, other), bare.costs_us((one, other)), strict=True):
                    limits.setdefault(runtime, []).append(cost)
                figures = _measured(one, other, frames, trips)
                costs.setdefault(one, []).append(figures["first"])
                costs.setdefault(other, []).append(figures["second"])
                rounds.append(figures)
            yield from _rows(one, other, rounds)
    for runtime, values in costs.items():
        yield Row(
            name=f"host.{runtime}.cost", unit="us/msg", what=f"processor time of a {runtime} host for a message",
            values=values, limit="its bare codec and the same function", limits=limits[runtime],
            target=2.0, lower_is_better=True,
        )  # fmt: skip


def _rows(one: str, other: str, rounds: list[dict[str, float]]) -> Iterator[Row]:
    names = f"pair.{one}_{other}"
    yield Row(
        name=f"{names}.rate", unit="msg/s", what=f"{one} -> {other}, 97-byte JSON, {BATCH} a frame",
        values=[figures["rate"] for figures in rounds],
    )  # fmt: skip
    for name in ("p50", "p99"):
        yield Row(
            name=f"{names}.{name}", unit="us", what=f"one message at a time through {one} and {other}, {name}",
            values=[figures[name] for figures in rounds], lower_is_better=True,
        )  # fmt: skip


def _measured(one: str, other: str, frames: int, trips: int) -> dict[str, float]:
    with Embedded() as runner:
        modules = {
            "a": suite_module(one, "identity", isolated=True),
            "b": suite_module(other, "identity", isolated=True),
        }
        runner.add(modules, ["a -> b"])
        runner.attach(AttachEnd(side="in", flow="bench", module="a", port="in", wire="bench->a"))
        runner.attach(AttachEnd(side="out", flow="bench", module="b", port="out", wire="b->bench"))
        runner.start()
        warm = frames // 10
        frames = max(warm, min(frames, int(warm * STREAM_S / _stream(runner, warm))))
        hosts = [_host(runner, "a"), _host(runner, "b")]
        before = [_cpu_s(host) for host in hosts]
        seconds = _stream(runner, frames)
        after = [_cpu_s(host) for host in hosts]
        messages = frames * BATCH
        times = _trips(runner, trips)
        first, second = ((end - begin) * 1e6 / messages for begin, end in zip(before, after, strict=True))
        return {
            "rate": messages / seconds, "first": first, "second": second,
            "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
        }  # fmt: skip


@cache
def _body() -> bytes:
    return join([MESSAGE] * BATCH)


def _stream(runner: Embedded, frames: int) -> float:
    """Frames through both modules, AHEAD of them under way; the seconds it took."""
    sent = taken = 0

    def insert() -> None:
        nonlocal sent
        if sent < frames:
            sent += 1
            runner.probe.insert(_body(), BATCH)

    def came(body: bytes) -> None:
        nonlocal taken
        before = taken // BATCH
        taken += body.count(b",\n") + 1
        for _ in range(taken // BATCH - before):
            insert()

    runner.probe.taken = came
    begun = time.perf_counter()
    for _ in range(AHEAD):
        insert()
    runner.run_until(lambda: taken == frames * BATCH)
    return time.perf_counter() - begun


def _trips(runner: Embedded, trips: int) -> list[float]:
    """Sorted microseconds of single messages."""
    times: list[float] = []
    body = join([MESSAGE])
    begun = 0

    def insert() -> None:
        nonlocal begun
        begun = time.perf_counter_ns()
        runner.probe.insert(body, 1)

    def came(_body: bytes) -> None:
        times.append((time.perf_counter_ns() - begun) / 1000)
        if len(times) < trips:
            insert()

    runner.probe.taken = came
    insert()
    runner.run_until(lambda: len(times) == trips)
    return sorted(times[trips // 5 :])


def _host(runner: Embedded, module: str) -> int:
    """Its process id."""
    hosts: dict[str, Any] = runner.call(api.FlowState(request_id="state", flow_id="bench"))["hosts"]
    return int(next(host["pid"] for host in hosts.values() if host["modules"] == [module]))


def _cpu_s(pid: int) -> float:
    """Processor time of its threads, to the nanosecond: /proc/PID/stat counts in ticks of 10 ms."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
