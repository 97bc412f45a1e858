"""The longest time that the runner's one thread spends in a handler, in processor time; those over 20 ms are named."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.embedded import Embedded, module
from tests.bench.figures import Row

SLOW_MS = 20.0
_PRINTS = "import os\ndef start(c):\n    for n in range({count}):\n        {line}\n    yield 1\n"
LOADS: dict[str, tuple[str, dict[str, Any], str]] = {
    "frames": (
        "python3 -> node -> python3, 100-byte JSON",
        {
            "source": module("python3", "source", config={"count": 100_000}, isolated=True),
            "stage": module("node", "stage"),
            "meter": module("python3", "meter", config={"count": 100_000, "warm": 10}, isolated=True),
        },
        "meter",
    ),
    "large": (
        "messages of 8 MiB",
        {
            "a": {"runtime": "python3", "code": "def start(c):\n    yield from ['x' * (8 << 20)] * 20\n"},
            "b": {
                "runtime": "python3", "isolated": True,
                "code": "n = 0\ndef run(m, c):\n    global n\n    n += 1\n    return n if n == 20 else None\n",
            },
        },
        "b",
    ),
    "prints": (
        "a module that prints 200,000 lines of a byte, one that prints 100 MB without a line feed",
        {
            "a": {"runtime": "python3", "code": _PRINTS.format(count=20, line="os.write(1, b'x\\n' * 10_000)")},
            "b": {
                "runtime": "python3", "isolated": True,
                "code": _PRINTS.format(count=1000, line="os.write(1, b'x' * 100_000)"),
            },
        },
        "b",
    ),
    "logs": (
        "a module that logs 100,000 lines",
        {"a": {"runtime": "python3", "code": _PRINTS.format(count=100_000, line="c.log('debug', 'x')")}},
        "a",
    ),
    "errors": (
        "20,000 messages that fail, to an error port",
        {
            "a": {"runtime": "python3", "code": "def start(c):\n    yield from range(20_000)\n"},
            "b": {"runtime": "python3", "isolated": True, "code": "def run(m, c):\n    raise ValueError(m)\n"},
            "c": {
                "runtime": "python3", "isolated": True,
                "code": "def run(m, c):\n    return 1 if m['message'] == 19_999 else None\n",
            },
        },
        "c",
    ),
}  # fmt: skip


def loop(runs: int, _quick: bool) -> Iterator[Row]:
    """Each load `runs` times, then all of them at once."""
    flows = {name: (what, modules, _wires(name), last) for name, (what, modules, last) in LOADS.items()}
    flows["mixed"] = (
        "all of these at once",
        {f"{name}_{module}": fields for name in LOADS for module, fields in LOADS[name][1].items()},
        [wire for name in LOADS for wire in _wires(name, f"{name}_")],
        "frames_meter",
    )
    for name, (what, modules, wires, last) in flows.items():
        values, slow = [], set[str]()
        for _ in range(runs):
            with _logging(), Embedded() as runner:
                handlers = runner.system.base.watch_handlers(0.001)
                runner.add(modules, wires)
                runner.result(last)
            values.append(1000 * max((handler.spent_s for handler in handlers), default=0.001))
            slow |= {f"{one.actor} on {one.message}" for one in handlers if one.spent_s * 1000 > SLOW_MS}
        yield Row(
            name=f"loop.{name}", unit="ms", what="; over 20 ms: ".join([f"longest handler: {what}", *sorted(slow)]),
            values=values, target=SLOW_MS, absolute=True, lower_is_better=True,
        )  # fmt: skip


def _wires(load: str, prefix: str = "") -> list[str]:
    """One module behind the other, but those that print."""
    modules = list(LOADS[load][1]) if load != "prints" else []
    port = ".error" if load == "errors" else ""
    return [
        f"{prefix}{source}{port if source == 'b' else ''} -> {prefix}{target}" for source, target in pairwise(modules)
    ]


@contextmanager
def _logging() -> Iterator[None]:
    """As `runner run` logs, but nobody reads it."""
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setLevel(root.level)
    level = root.level
    with Path(os.devnull).open("w") as nobody:
        handler = logging.StreamHandler(nobody)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        yield
        root.setLevel(level)
        root.removeHandler(handler)
