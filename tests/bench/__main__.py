"""`scripts/bench [--only NAME] [--runs N] [--quick] [--json FILE] [--against REV]`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from tests.bench import (
    against,
    durable,
    environment,
    latency,
    links,
    loop,
    pages,
    pairs,
    size,
    start,
    throughput,
    updates,
)  # fmt: skip
from tests.bench.figures import table_line
from tests.bench.peers.rows import peers
from tests.pages.browser import CHROMIUM

BENCHMARKS = {
    "throughput.cross": throughput.cross,
    "throughput.python_pair": throughput.python_pair,
    "throughput.node_chain": throughput.node_chain,
    "throughput.python_chain": throughput.python_chain,
    "throughput.ndjson": throughput.ndjson,
    "durable.cross": durable.cross,
    "durable.single": durable.single,
    "latency": latency.round_trip,
    "links": links.links,
    "loop": loop.loop,
    "start": start.start,
    "modules": size.sizes,
    "update": updates.updates,
    "pair": pairs.pairs,
    "environment": environment.environment,
    "page": pages.pages,
}
NEED_NODE = ("throughput.cross", "durable.cross", "throughput.node_chain", "loop", "start", "update")


def main() -> int:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Figures of the runner, each beside its limit.")
    parser.add_argument("--only", metavar="NAME", action="append", help=f"of {', '.join(BENCHMARKS)}; may be repeated")
    parser.add_argument("--runs", type=int, default=0, help="runs of each (default 5; quick 3)")
    parser.add_argument("--quick", action="store_true", help="shorter runs, three of each")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    parser.add_argument("--peers", action="store_true", help="other systems beside this one; installs them (2 GB)")
    parser.add_argument("--against", metavar="REV", help="this tree and that commit in turns, 15 pairs (or --runs)")
    options = parser.parse_args()
    if options.against:
        return against.compare(options.against, options.runs or 15, options.only or [])
    names = [name for name in BENCHMARKS if not options.only or any(name.startswith(only) for only in options.only)]
    if not names:
        parser.error(f"there is no benchmark {', '.join(options.only)}; there are {', '.join(BENCHMARKS)}")
    benchmarks = {"peers": peers} if options.peers else {name: BENCHMARKS[name] for name in names}
    logging.basicConfig(level=logging.ERROR)
    runs = options.runs or (3 if options.quick else 5)
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release()}, {runs} runs of each"
    )
    print(table_line())
    results = {}
    begun = time.monotonic()
    for name, benchmark in benchmarks.items():
        if name in NEED_NODE and shutil.which("node") is None:
            print(f"{name:<30} left out: node is missing")
            continue
        if name == "page" and CHROMIUM is None:
            print(f"{name:<30} left out: chromium is missing")
            continue
        for row in benchmark(runs, options.quick):
            results[row.name] = row.as_json()
            print(table_line(row), flush=True)
            for peer, figures in results[row.name].get("peers", {}).items():
                times = "" if figures["ratio"] is None else f"{figures['ratio']:.3g} of "
                print(f"    {times}{peer}: {figures['value']:,.0f}")
    print(f"{time.monotonic() - begun:.0f} s; what the rows mean: docs/benchmarks.md", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
