"""Seconds from the command to its first output line."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench import bare_process as bare
from tests.bench.figures import Row, interleaved
from tests.bench.latency import MESSAGE
from tests.bench.throughput import RUN

BARE_PYTHON = (
    "import sys, orjson\nfor line in sys.stdin.buffer: print(orjson.dumps(orjson.loads(line)).decode(), flush=True)"
)
BARE_NODE = (
    "require('readline').createInterface(process.stdin)"
    ".on('line', (line) => console.log(JSON.stringify(JSON.parse(line))))"
)


def start(runs: int, quick: bool) -> Iterator[Row]:
    """`runner run` with one module between two pipes."""
    del quick  # it is short anyway
    for runtime, command, target in (
        ("python3", [sys.executable, "-c", BARE_PYTHON], 0.4),
        ("node", ["node", "-e", BARE_NODE], None),
    ):
        values, limits = interleaved(runs, partial(_runner_s, runtime), partial(_first_line_s, command))
        yield Row(
            name=f"start.{runtime}", unit="s", what=f"`runner run` to the first line, one {runtime} module",
            values=values, limit=f"bare {runtime} that echoes a line", limits=limits, target=target, absolute=True,
            lower_is_better=True,
        )  # fmt: skip


def _runner_s(runtime: str) -> float:
    with TemporaryDirectory(prefix="bench-") as folder:
        name = "stage.js" if runtime == "node" else "stage.py"
        shutil.copy(bare.MODULES / name, folder)
        flow = Path(folder, "flow.yaml")
        flow.write_text(f"id: f\nmodules:\n  m: {{runtime: {runtime}, file: {name}}}\n")
        return _first_line_s([*RUN, flow, "-i", "m.in=-", "-o", "m.out=-"])


def _first_line_s(command: list[Any]) -> float:
    begun = time.perf_counter()
    process = bare.spawn(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(MESSAGE + b"\n")
    process.stdin.flush()
    line = process.stdout.readline()
    seconds = time.perf_counter() - begun
    process.stdin.close()
    assert line, f"{command} gave nothing"
    process.wait()
    process.stdout.close()
    return seconds
