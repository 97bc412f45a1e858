"""Messages per second: across runtimes, across processes, in a fused chain, and through the doors of `runner run`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from tests.bench import bare_process as bare
from tests.bench.embedded import Embedded, module
from tests.bench.figures import Row, interleaved

CHAIN = 10
RUN = [Path(sys.executable).parent / "runner", "run", "--log-level", "warning"]


def metered(modules: dict[str, Any], wires: list[str], meter: str, *, durable: bool = False) -> float:
    """Messages a second, as the meter says."""
    with Embedded(durable) as runner:
        runner.add(modules, wires, durable=durable)
        return bare.rate(orjson.loads(runner.result(meter))[0])


def line(*names: str) -> list[str]:
    """Wires from each to the next."""
    return [f"{a} -> {b}" for a, b in pairwise(names)]


def ends(count: int, warm: int, runtime: str = "python3", **fields: Any) -> dict[str, Any]:
    """A source and a meter."""
    return {
        "source": module(runtime, "source", config={"count": count}),
        "meter": module(runtime, "meter", config={"count": count, "warm": warm}, **fields),
    }


def cross(runs: int, quick: bool) -> Iterator[Row]:
    """python3 -> node -> python3, three processes."""
    count = 100_000 if quick else 400_000
    warm = count // 4
    modules = ends(count, warm, isolated=True) | {"stage": module("node", "stage")}
    values, limits, pairs = interleaved(
        runs, lambda: metered(modules, line("source", "stage", "meter"), "meter"),
        lambda: bare.python_node_python(count, warm), lambda: bare.python_to_python(count, warm),
    )  # fmt: skip
    yield Row(
        name="throughput.cross", unit="msg/s", what="python3 -> node -> python3, 100-byte JSON, three processes",
        values=values, limit="the same three bare processes joined by FIFOs", limits=limits, target=0.6,
        peers={"two bare Python processes over one FIFO": pairs},
    )  # fmt: skip


def python_pair(runs: int, quick: bool) -> Iterator[Row]:
    """python3 -> python3, two processes."""
    count = 100_000 if quick else 400_000
    warm = count // 4
    modules = ends(count, warm, isolated=True)
    values, limits = interleaved(
        runs, lambda: metered(modules, line("source", "meter"), "meter"), lambda: bare.python_to_python(count, warm)
    )
    yield Row(
        name="throughput.python_pair", unit="msg/s", what="python3 -> python3, 100-byte JSON, two processes",
        values=values, limit="two bare Python processes over one FIFO", limits=limits,
    )  # fmt: skip


def chain(runtime: str, count: int, warm: int) -> float:
    stages = {f"stage{number}": module(runtime, "stage") for number in range(1, CHAIN)}
    modules = ends(count, warm, runtime) | stages
    return metered(modules, line("source", *stages, "meter"), "meter")


def node_chain(runs: int, quick: bool) -> Iterator[Row]:
    """Ten fused node modules behind a source."""
    count = 50_000 if quick else 200_000
    warm = count // 4
    values, limits = interleaved(
        runs, lambda: chain("node", count, warm), lambda: bare.node_chain(CHAIN, 4 * count, warm)
    )
    yield Row(
        name="throughput.node_chain", unit="msg/s", what="chain of ten node modules in one host", values=values,
        limit="the bare setImmediate chain", limits=limits, target=0.17,  # 127,000/s where the bare chain makes 747,000
    )  # fmt: skip


def python_chain(runs: int, quick: bool) -> Iterator[Row]:
    """Ten fused python3 modules behind a source."""
    count = 20_000 if quick else 50_000
    warm = count // 4
    values, limits = interleaved(
        runs, lambda: chain("python3", count, warm), lambda: bare.python_chain(CHAIN, 4 * count, warm)
    )
    yield Row(
        name="throughput.python_chain", unit="msg/s", what="chain of ten python3 modules in one host", values=values,
        limit="a bare loop over the same functions", limits=limits, target=0.15,
    )  # fmt: skip


def ndjson(runs: int, quick: bool) -> Iterator[Row]:
    """`runner run` as a filter between two pipes."""
    count = 50_000 if quick else 300_000
    warm = count // 4
    with TemporaryDirectory(prefix="bench-") as folder:
        runner = line_filter(Path(folder))
        values, limits = interleaved(
            runs, lambda: filtered(runner, count, warm, folder),
            lambda: filtered([sys.executable, bare.BARE / "filter_lines.py"], count, warm, folder),
        )  # fmt: skip
    yield Row(
        name="throughput.ndjson", unit="lines/s", what="lines through `runner run` and one python3 module",
        values=values, limit="a bare Python filter with orjson in its place", limits=limits,
    )  # fmt: skip


def line_filter(folder: Path) -> list[Any]:
    """The command of a flow of one module; its files are in the folder."""
    flow = folder / "flow.yaml"
    flow.write_text("id: f\nmodules:\n  m: {runtime: python3, file: stage.py}\n")
    shutil.copy(bare.MODULES / "stage.py", folder)
    return [*RUN, flow, "-i", "m.in=-", "-o", "m.out=-"]


def filtered(command: list[Any], count: int, warm: int, folder: str) -> float:
    """Lines per second through a command between two pipes, all but the first `warm`."""
    source = bare.python("send_lines.py", count, stdout=subprocess.PIPE)
    stage = bare.spawn(*command, stdin=source.stdout, stdout=subprocess.PIPE, cwd=folder)
    assert source.stdout is not None and stage.stdout is not None
    source.stdout.close()
    lines = begun = ended = 0.0
    while data := os.read(stage.stdout.fileno(), 256 << 10):
        lines += data.count(b"\n")
        if not begun and lines >= warm:
            begun, warm = time.perf_counter(), int(lines)
        if lines >= count:
            ended = time.perf_counter()
    source.wait()
    stage.stdout.close()
    assert stage.wait() == 0 and lines == count, f"{command}: {lines:.0f} of {count} lines"
    return (count - warm) / (ended - begun)
