"""`runner chaos --swarm`: a random flow of all languages that are here, in place of one of the user's."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from actors.chaos.swarm.seed import as_json, run_seed
from actors.counted import counted
from runtimes.manifest import listed, load_runtimes, runtime_folders

SHARE = 3  # of the time, what events get: the rest is for starting, settling and looking


def swarm(options: argparse.Namespace, seed: int) -> int:
    """Exit status 0 if the flow has kept what it promises."""
    there = listed(load_runtimes(runtime_folders()).values())
    missing = frozenset(str(one["id"]) for one in there if not one["available"])
    folder = Path(tempfile.mkdtemp(prefix="runner-chaos-"))
    if not options.json:
        print("-- a random flow; languages that are compiled may take a while", file=sys.stderr, flush=True)
    result = run_seed(
        seed, folder / str(seed), seconds=options.for_s / SHARE, messages=options.messages, compiled=True,
        missing=missing,
    )  # fmt: skip
    if not result.problems:
        folder.rmdir()
    if options.json:
        print(json.dumps({"ok": not result.problems, **as_json(result)}))
        return 1 if result.problems else 0
    done = ", ".join(f"{count} {what}" for what, count in sorted(result.events.items())) or "nothing"
    print(
        f"seed {seed}, {result.mode}: {counted(result.modules, 'module')}, {counted(result.accepted, 'message')} sent"
    )
    print(f"done: {done}")
    print(f"compared: {counted(result.collected, 'message')}")
    for problem in result.problems[:8]:
        print(f"  {problem}")
    left = f"`--swarm --seed {seed}` does the same again; {folder} has its logs"
    print(left if result.problems else "what it promises was kept")
    return 1 if result.problems else 0
