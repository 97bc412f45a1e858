"""`runner chaos --check`: a flow with its own sources, and what has come of it outside."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.catalogue import servers
from tests.chaos import sensor_plant
from tests.chaos.test_chaos import chaos

COPIED = """
id: copied
durable: true
modules:
  read: {use: lines-in, config: {path: in.txt, follow: true}}
  page: {runtime: browser, code: "export default (m) => {}"}
  write: {use: ndjson-out, config: {path: out.ndjson, existing: replace}}
wires: [read -> write, read -> page]
"""
LINES = [str(n) for n in range(3000)]
COMPARE = f"""
import json, pathlib, sys, time
end = time.monotonic() + 60
while True:
    text = pathlib.Path("out.ndjson").read_text()
    if text.count("\\n") >= {len(LINES)} or time.monotonic() > end:
        break
    time.sleep(0.05)
print(text.count("\\n"), "lines have come")
sys.exit([json.loads(line) for line in text.splitlines()] != [str(n) for n in range({len(LINES)})])
"""


@pytest.mark.timeout(300)
def test_what_comes_out_of_a_flow_with_its_sources_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("".join(line + "\n" for line in LINES))
    (tmp_path / "compare.py").write_text(COMPARE)
    check = f"{sys.executable} compare.py"
    status, facts, said = chaos(tmp_path, COPIED, "--yes", "--only", "kill,freeze", "--check", check)
    assert status == 0, (facts, said)
    assert facts["check"] == f"{len(LINES)} lines have come"
    assert sum(facts["done"].values()) > 0


@pytest.mark.timeout(300)
def test_a_check_that_fails_is_a_broken_promise(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n")
    check = f"{sys.executable} -c \"import os; print('state:', os.environ['RUNNER_STATE']); raise SystemExit(3)\""
    status, facts, said = chaos(tmp_path, COPIED, "--yes", "--only", "freeze", "--check", check)
    assert status == 1, (facts, said)
    (problem,) = facts["problems"]["check"]
    assert problem == f"exit status 3: state: {facts['folder']}/state"


@pytest.mark.full
@pytest.mark.timeout(400)
def test_what_is_in_postgres_equals_what_was_published(tmp_path: Path) -> None:
    """For ten minutes: `.venv/bin/python tests/chaos/sensor_plant.py --for 600`."""
    for name in ("mosquitto", "initdb", "postgres", "psql"):
        servers.program(name, "mosquitto postgresql")
    status, facts, said = sensor_plant.tried(tmp_path, 45, 7)
    assert status == 0, (json.dumps(facts, indent=2), said)
    assert sum(facts["done"].values()) > 10
    assert min(facts["restarts"].values()) >= 1
