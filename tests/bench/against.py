"""This tree against an earlier commit, in turns: `scripts/bench --against REV`. Both run in the same interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
ROWS = (
    "throughput.cross", "throughput.python_pair", "throughput.python_chain", "throughput.node_chain",
    "latency.pinned_p50", "latency.unpinned_p50", "start.python3", "start.node",
)  # fmt: skip
LOWER_IS_BETTER = ("latency", "start")
LOWEST = 0.95  # a median ratio below it is a defect


def compare(revision: str, pairs: int, names: list[str]) -> int:
    """Print the ratio of each row, above 1 where this tree is faster; 1 if one is below LOWEST."""
    rows = [row for row in ROWS if not names or any(row.startswith(name) for name in names)]
    print(f"{pairs} pairs: this tree / {revision}; above 1 is faster")
    slower = False
    with _tree_of(revision) as before:
        for row in rows:
            ratios = []
            for number in range(pairs):
                trees = (ROOT, before) if number % 2 else (before, ROOT)
                figures = {tree: _figure(tree, row) for tree in trees}
                ratio = figures[ROOT] / figures[before]
                ratios.append(1 / ratio if row.startswith(LOWER_IS_BETTER) else ratio)
            slower |= median(ratios) < LOWEST
            verdict = "SLOWER" if median(ratios) < LOWEST else "ok"
            print(f"{row:<30} {median(ratios):.3f}  ({min(ratios):.3f} to {max(ratios):.3f})  {verdict}", flush=True)
    return int(slower)


@contextmanager
def _tree_of(revision: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="bench-") as folder:
        tree = Path(folder, "tree")
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", tree, revision], check=True)
        if (tree / "setup.py").exists():
            subprocess.run([sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"], cwd=tree, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)


def _figure(tree: Path, row: str) -> float:
    # With -m the working directory comes first: what is imported is the tree's, not what is installed.
    with TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder, "figures.json")
        only = row.partition(".")[0] if row.startswith(LOWER_IS_BETTER) else row
        command = [sys.executable, "-m", "tests.bench", "--only", only, "--runs", "1", "--quick", "--json", file]
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
        return float(json.loads(file.read_text())[row]["value"])
