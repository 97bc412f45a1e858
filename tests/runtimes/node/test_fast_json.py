"""The node host's fast way to write JSON beside its exact one: the same text, or left to it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "fixtures" / "hosts" / "node_fast_json.mjs"
SEED = 20260
VALUES = 4000

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="apt-get install nodejs")


def test_the_fast_way_writes_what_the_exact_way_writes() -> None:
    done = subprocess.run(
        ["node", SCRIPT, str(SEED), str(VALUES)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"seed {SEED}: {done.stderr}"
    seen = json.loads(done.stdout)
    assert seen["plain"] > VALUES / 2 and seen["left"] > 10 and seen["refused"] > 10, seen
