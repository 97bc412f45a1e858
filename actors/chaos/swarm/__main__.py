"""`python -m actors.chaos.swarm FROM TO`: seeds one after the other, a line of JSON each; status 1 if one is bad."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from actors.chaos.swarm.seed import MODES, as_json, run_seed
from actors.chaos.swarm.subject import SPREAD


def main() -> int:
    """Run them; the folder of a bad one stays."""
    parser = argparse.ArgumentParser(prog="python -m actors.chaos.swarm", description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--seconds", type=float, default=12.0, help="of events, per seed")
    parser.add_argument("--messages", type=int, help="sent to each entry")
    parser.add_argument("--mode", choices=sorted({*MODES, *SPREAD}))
    parser.add_argument("--compiled", action=argparse.BooleanOptionalAction, help="with go, rust and sbcl")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "swarm", help="of bad seeds")
    options = parser.parse_args()
    bad = 0
    for seed in range(options.first, options.last + 1):
        folder = options.folder / str(seed)
        shutil.rmtree(folder, ignore_errors=True)
        result = run_seed(
            seed, folder, seconds=options.seconds, messages=options.messages, mode=options.mode,
            compiled=options.compiled,
        )  # fmt: skip
        bad += bool(result.problems)
        print(json.dumps(as_json(result)), flush=True)
    print(f"{options.last - options.first + 1} seeds, {bad} bad")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
