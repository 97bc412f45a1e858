"""What 10, 100, 1,000 and 10,000 modules cost: time from the request to running, memory of the runner and of the host.

`python -m tests.bench.size COUNT` does one run in a process of its own, whose memory is only its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from subprocess import PIPE

import orjson
import psutil

from actors.messages import client_to_runner as api
from tests.bench import bare_process as bare
from tests.bench.embedded import Embedded, module
from tests.bench.figures import Row

COUNTS = (10, 100, 1000)
MANY = 10_000
MANY_RUNS = 3
CHAIN = 10


def sizes(runs: int, quick: bool) -> Iterator[Row]:
    """python3 modules in chains of ten, all in one flow and one host."""
    del quick  # it is short anyway
    rounds = [{count: _run(count) | {"bare_s": _bare_s(count)} for count in COUNTS} for _ in range(runs)]
    for count in COUNTS:
        yield Row(
            name=f"modules.{count}.load", unit="s", what=f"addOrUpdateFlow + startFlow of {count} python3 modules",
            values=[came[count]["load_s"] for came in rounds], limit="bare Python that compiles and runs their text",
            limits=[came[count]["bare_s"] for came in rounds], target=1.0 if count == max(COUNTS) else None,
            absolute=True, lower_is_better=True,
        )  # fmt: skip
    few, many = min(COUNTS), max(COUNTS)
    rows = [(_run(many)["load_s"], _run(MANY)["load_s"]) for _ in range(min(runs, MANY_RUNS))]
    yield Row(
        name=f"modules.{MANY}", unit="s", what=f"addOrUpdateFlow + startFlow of {MANY} python3 modules",
        values=[most_s for _, most_s in rows], limit=f"the same of {many} modules",
        limits=[many_s for many_s, _ in rows], target=12.0, lower_is_better=True,
    )  # fmt: skip
    for who, target in (("runner", 20.0), ("host", None)):
        yield Row(
            name=f"modules.{who}_memory", unit="kB", what=f"memory (USS) of the {who} a module, from {few} to {many}",
            values=[(came[many][who] - came[few][who]) / (many - few) / 1000 for came in rounds],
            target=target, absolute=True, lower_is_better=True,
        )  # fmt: skip
        for count in COUNTS:
            yield Row(
                name=f"modules.{count}.{who}_memory", unit="MB", what=f"memory (USS) of the {who} with {count} modules",
                values=[came[count][who] / 1e6 for came in rounds], lower_is_better=True,
            )  # fmt: skip


def _run(count: int) -> dict[str, float]:
    process = bare.spawn(sys.executable, "-m", "tests.bench.size", count, stdout=PIPE)
    text, _ = process.communicate()
    result: dict[str, float] = orjson.loads(text)
    return result


def _bare_s(count: int) -> float:
    begun = time.perf_counter()
    assert bare.python("modules.py", bare.MODULES / "stage.py", count).wait() == 0
    return time.perf_counter() - begun


def measure(count: int) -> dict[str, float]:
    """Load `count` modules in a runner of this process."""
    modules = {f"m{number}": module("python3", "stage") for number in range(count)}
    wires = [f"m{number} -> m{number + 1}" for number in range(count - 1) if (number + 1) % CHAIN]
    with Embedded() as runner:
        begun = time.perf_counter()
        runner.add(modules, wires)
        runner.start()
        load_s = time.perf_counter() - begun
        (host,) = runner.call(api.FlowState(request_id="state", flow_id="bench"))["hosts"].values()
        return {"load_s": load_s, "runner": _uss(None), "host": _uss(host["pid"])}


def _uss(pid: int | None) -> int:
    uss: int = psutil.Process(pid).memory_full_info().uss
    return uss


if __name__ == "__main__":
    print(orjson.dumps(measure(int(sys.argv[1]))).decode())
