"""Peers beside us: the same messages and the same work in each, in turns, and the bare limit of that beside them."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from actors.messages import client_to_runner as api
from tests.bench import bare_process as bare
from tests.bench import throughput
from tests.bench.figures import Measure, Row, interleaved
from tests.bench.peers.place import Place
from tests.harness import running
from tests.updates.feeder import feed

PROGRAMS = Path(__file__).parent
SLOW = {"Ray": 20, "Node-RED": 10, "NoFlo": 4}  # get so many times fewer messages
WAITS = "async (m) => { await new Promise((done) => setTimeout(done, 20)); return m }"
ASYNC = {"runtime": "node", "concurrency": 64, "code": WAITS}
PER_S = 1000
LIMITED = ("timeout", "120")  # a peer that hangs has failed


def peers(runs: int, quick: bool) -> Iterator[Row]:
    """Each that could be installed; of the others it is said why not."""
    place = Place()
    for name, reason in place.missing.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    count = 100_000 if quick else 400_000
    yield from _pair(runs, count, place)
    yield from _chains(runs, count // 4, place)
    yield from _lines(runs, count, place)
    yield from _files(runs, count)
    yield from _update(2000 if quick else 10_000, place)


def _row(runs: int, row: Row, ours: Measure, limit: Measure, others: dict[str, Measure]) -> Row:
    row.values, row.limits, *found = interleaved(runs, ours, limit, *map(_or_nan, others.values()))
    for name, values in zip(others, found, strict=True):
        if any(map(math.isnan, values)):
            print(f"{row.name}: {name} has failed", file=sys.stderr)
        else:
            row.peers[name] = values
    return row


def _or_nan(measure: Measure) -> Measure:
    """A peer that fails, which says why by itself, stops nobody else."""

    def measured() -> float:
        try:
            return measure()
        except orjson.JSONDecodeError:  # it has printed no figure
            return math.nan

    return measured


def _pair(runs: int, count: int, place: Place) -> Iterator[Row]:
    row = Row(
        name="peers.pair", unit="msg/s", what="python3 -> python3, 100-byte JSON, two processes", values=[],
        limit="two bare Python processes over one FIFO",
    )  # fmt: skip
    others: dict[str, Measure] = {}
    if "python" not in place.missing:
        programs = {"ZeroMQ": "zeromq_pair", "dora-rs": "dora_pair", "Ray": "ray_pair"}
        programs |= {"NATS core": "nats_pair"} if shutil.which("nats-server") else {}
        others = {name: _python(place, name, f"{program}.py", count) for name, program in programs.items()}
    modules = throughput.ends(count, count // 4, isolated=True)
    ours = lambda: throughput.metered(modules, throughput.line("source", "meter"), "meter")  # noqa: E731
    yield _row(runs, row, ours, lambda: bare.python_to_python(count, count // 4), others)


def _chains(runs: int, count: int, place: Place) -> Iterator[Row]:
    length, warm = throughput.CHAIN, count // 4
    node: dict[str, Measure] = {}
    if "node" not in place.missing:
        node = {
            "Node-RED": _node(place, "Node-RED", count, "node_red.js", "chain", length),
            "NoFlo": _node(place, "NoFlo", count, "noflo_chain.js", length),
        }
    row = Row(
        name="peers.node_chain", unit="msg/s", what="ten JavaScript functions in one process", values=[],
        limit="the bare setImmediate chain",
    )  # fmt: skip
    limit = lambda: bare.node_chain(length, 4 * count, warm)  # noqa: E731
    yield _row(runs, row, lambda: throughput.chain("node", count, warm), limit, node)
    python = (
        {} if "python" in place.missing else {"Bytewax": _python(place, "Bytewax", "bytewax_chain.py", length, count)}
    )
    row = Row(
        name="peers.python_chain", unit="msg/s", what="ten Python functions in one process", values=[],
        limit="a bare loop over the same functions",
    )  # fmt: skip
    limit = lambda: bare.python_chain(length, 4 * count, warm)  # noqa: E731
    yield _row(runs, row, lambda: throughput.chain("python3", count, warm), limit, python)


def _lines(runs: int, count: int, place: Place) -> Iterator[Row]:
    row = Row(
        name="peers.lines", unit="lines/s", what="lines in, one field changed, lines out, from a file to a pipe",
        values=[], limit="a bare Python filter with orjson in its place",
    )  # fmt: skip
    others: dict[str, list[Any]] = {}
    if shutil.which("jq"):
        others["jq"] = ["jq", "--unbuffered", "-c", ".value += 1"]
    if "benthos" not in place.missing:
        others["Benthos"] = [place.benthos, "-c", PROGRAMS / "benthos.yaml"]
    with TemporaryDirectory(prefix="bench-") as folder:
        ours = throughput.line_filter(Path(folder))
        commands = [ours, [sys.executable, bare.BARE / "filter_lines.py"], *others.values()]
        measures = [_filter(command, count, folder) for command in commands]
        yield _row(runs, row, measures[0], measures[1], dict(zip(others, measures[2:], strict=True)))


def _filter(command: list[Any], count: int, folder: str) -> Measure:
    return lambda: throughput.filtered(command, count, count // 4, folder)


def _files(runs: int, count: int) -> Iterator[Row]:
    """The catalogue's modules; begin and end of the program count. Its context says where it stands in both files."""
    row = Row(
        name="peers.files", unit="lines/s", what="a file, one field changed, a file, with start-up", values=[],
        limit="a bare Python filter with orjson in its place",
    )  # fmt: skip
    turn = {"runtime": "python3", "code": "def run(m, c): return {**m, 'value': m['value'] + 1}"}
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "in").write_bytes(
            b"".join(b'{"id":%d,"value":%d,"name":"a sensor"}\n' % (n, n % 97) for n in range(count))
        )
        modules = {
            "read": {"use": "ndjson-in", "config": {"path": "in"}},
            "turn": turn,
            "write": {"use": "ndjson-out", "config": {"path": "out", "existing": "replace"}},
        }
        flow = {"id": "f", "modules": modules, "wires": ["read -> turn", "turn -> write"]}
        (folder / "flow.json").write_bytes(orjson.dumps(flow))
        ours = [*throughput.RUN, "--state", "state", "flow.json"]
        limit = [sys.executable, bare.BARE / "filter_lines.py"]
        others = {"jq": _copied(["jq", "-c", ".value += 1"], count, folder)} if shutil.which("jq") else {}
        yield _row(runs, row, _copied(ours, count, folder), _copied(limit, count, folder), others)


def _copied(command: list[Any], count: int, folder: Path) -> Measure:
    env = os.environ | {"PYTHONPATH": str(bare.MODULES)}

    def measured() -> float:
        begun = time.perf_counter()
        with (folder / "in").open("rb") as source, (folder / "peer").open("wb") as target:
            subprocess.run(command, cwd=folder, stdin=source, stdout=target, env=env, check=True)
        return count / (time.perf_counter() - begun)

    return measured


def _update(count: int, place: Place) -> Iterator[Row]:
    """A module that takes 20 ms a message gets another code in the middle."""
    with TemporaryDirectory(prefix="bench-") as folder, running(Path(folder, "state")) as runner:
        flow: dict[str, Any] = {"id": "f", "modules": {"work": ASYNC}}
        runner.ok(api.AddOrUpdateFlow, flow=flow)
        came = runner.collect("f", "work")
        feed(runner, "f", "work", last=count, per_s=PER_S)
        runner.start("f")
        runner.wait(lambda: len(came.got) > count // 2, "half of it", 120)
        runner.ok(api.AddOrUpdateFlow, flow={**flow, "modules": {"work": {**ASYNC, "code": f"{WAITS} // 2"}}})
        runner.wait_idle("f", 120)
        lost = count - len(came.got)
    row = Row(
        name="peers.update_loss", unit="messages", what=f"of {count}, lost as a module is changed at {PER_S}/s",
        values=[lost], target=0, absolute=True, lower_is_better=True,
    )  # fmt: skip
    if "node" not in place.missing:
        program = _spawned(place, "node_red.js", "update", count, PER_S)
        found = orjson.loads(program.communicate()[0])
        row.peers = {"Node-RED": [found["sent"] - found["came"]]}
    yield row


# programs ------------------------------------------------------------------------------------------------------------


def _python(place: Place, name: str, program: str, *numbers: int) -> Measure:
    *first, count = numbers
    count //= SLOW.get(name, 1)
    return lambda: bare.per_second(
        bare.spawn(*LIMITED, place.python, PROGRAMS / program, *first, count, count // 4, stdout=subprocess.PIPE)
    )


def _node(place: Place, name: str, count: int, program: str, *first: object) -> Measure:
    count //= SLOW.get(name, 1)
    return lambda: bare.per_second(_spawned(place, program, *first, count, count // 4))


def _spawned(place: Place, program: str, *words: object) -> subprocess.Popen[bytes]:
    path = f"NODE_PATH={place.node_modules}"
    return bare.spawn(*LIMITED, "env", path, "node", PROGRAMS / program, *words, stdout=subprocess.PIPE)
