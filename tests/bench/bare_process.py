"""The limits: the same functions in bare processes, joined by FIFOs and pipes, without a runner."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent
MODULES = FOLDER / "modules"
BARE = FOLDER / "bare"
ROOT = FOLDER.parent.parent
_ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(MODULES)])}


def spawn(*command: object, **options: Any) -> subprocess.Popen[bytes]:
    """A process that finds this project first, and the modules of the flows by name."""
    return subprocess.Popen([str(part) for part in command], env=_ENV, **options)


def python(name: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """A program of bare/ under this Python."""
    return spawn(sys.executable, BARE / name, *arguments, **options)


def node(name: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """A program of bare/ under node."""
    return spawn("node", BARE / name, *arguments, **options)


def per_second(process: subprocess.Popen[bytes]) -> float:
    """Messages per second as a meter prints them; ends the process."""
    text, _ = process.communicate()
    return rate(orjson.loads(text))


def rate(result: dict[str, float]) -> float:
    """Messages per second from what a meter sends."""
    return result["messages"] / result["seconds"]


@contextmanager
def fifos(count: int) -> Iterator[list[Path]]:
    """Fresh FIFOs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        paths = [Path(folder, f"{number}") for number in range(count)]
        for path in paths:
            os.mkfifo(path)
        yield paths


def _feed(path: Path, count: int) -> subprocess.Popen[bytes]:
    # A shell opens the FIFO: opening it here would wait for the reader.
    return spawn("/bin/sh", "-c", 'exec "$@" >"$0"', path, sys.executable, BARE / "send_lines.py", count)


def _metered(path: Path, count: int, warm: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, BARE / "take_lines.py", count, warm]
    return spawn("/bin/sh", "-c", 'exec "$@" <"$0"', path, *command, stdout=subprocess.PIPE)


def python_to_python(count: int, warm: int) -> float:
    """Two Python processes over one FIFO, orjson, 64 KiB writes."""
    with fifos(1) as (path,):
        source = _feed(path, count)
        result = per_second(_metered(path, count, warm))
        source.wait()
    return result


def python_node_python(count: int, warm: int) -> float:
    """Python to node to Python over two FIFOs, with the codecs and calls of the hosts."""
    with fifos(2) as (first, second):
        source = _feed(first, count)
        stage = node("filter_lines.js", first, second)
        result = per_second(_metered(second, count, warm))
        source.wait()
        stage.wait()
    return result


def node_chain(length: int, count: int, warm: int) -> float:
    """A node process in which setImmediate calls one function after the other."""
    return per_second(node("chain.js", length, count, warm, stdout=subprocess.PIPE))


def python_chain(length: int, count: int, warm: int) -> float:
    """A Python process that calls one function after the other."""
    return per_second(python("chain.py", length, count, warm, stdout=subprocess.PIPE))


def ping_pong_us(trips: int, warm: int, message: bytes) -> list[float]:
    """Round trips over two FIFOs to a Python process that decodes, calls and encodes; sorted microseconds."""
    with fifos(2) as (there, back):
        echo = python("echo.py", there, back)
        out, into = os.open(there, os.O_WRONLY), os.open(back, os.O_RDONLY)
        times = []
        for _ in range(trips + warm):
            start = time.perf_counter_ns()
            os.write(out, message)
            os.read(into, 4096)
            times.append((time.perf_counter_ns() - start) / 1000)
        os.close(out)
        echo.wait()
        os.close(into)
    return sorted(times[warm:])
