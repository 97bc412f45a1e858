"""`runner chaos` on flows: what holds is said to hold; what a runner that is broken on purpose does is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FLOW = """
id: counted
modules:
  double:
    runtime: python3
    code: |
      def run(message, context):
          yield message
          yield message
  count:
    runtime: python3
    code: |
      def run(message, context):
          context.set("n", context.get("n", 0) + 1)
          return {"word": message, "n": context.get("n")}
wires:
  - double -> count
tests:
  - {name: words, send: {double.in: ["a", "b", "c"]}, expect: {count.out: {$count: 6}}}
"""
BROKEN = "import sys; import actors.console.own_deployment as p; p.RUNNER[:] = [sys.executable, {script!r}, {how!r}]; "
MAIN = "from actors.console.cli import main; sys.exit(main())"


def chaos(folder: Path, text: str, *options: str, broken: str | None = None) -> tuple[int, Any, str]:
    """Exit status, the facts, standard error."""
    (folder / "flow.yaml").write_text(text)
    command = [sys.executable, "-m", "actors.console"]
    if broken is not None:
        script = str(ROOT / "tests" / "chaos" / "broken.py")
        command = [sys.executable, "-c", BROKEN.format(script=script, how=broken) + MAIN]
    command += ["chaos", "flow.yaml", "--seed", "7", "--for", "1", "--json", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_a_flow_keeps_what_it_promises(tmp_path: Path) -> None:
    status, facts, said = chaos(tmp_path, FLOW, "--only", "kill,update", "--messages", "300")
    assert status == 0, (facts, said)
    assert facts["sent"] == 300
    assert facts["messages"] == "from its tests"
    assert facts["compared"] == 300 * 4
    assert facts["done"].keys() & {"kills", "updates"}
    assert facts["loose"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flow.yaml"]  # nothing of it is left


def test_an_update_that_forgets_is_found(tmp_path: Path) -> None:
    status, facts, said = chaos(tmp_path, FLOW, "--only", "update", "--messages", "300", broken="forgetful")
    assert status == 1, (facts, said)
    assert "context errors" in facts["problems"]
    assert (Path(facts["folder"]) / "events").read_text().count("update")


@pytest.mark.full
def test_a_message_that_is_lost_with_its_host_is_found(tmp_path: Path) -> None:
    status, facts, said = chaos(tmp_path, FLOW, "--only", "kill", broken="losing")
    assert status == 1, (facts, said)
    assert "lost" in facts["problems"]


@pytest.mark.full
@pytest.mark.parametrize("durable", [False, True])
def test_every_fault(durable: bool, tmp_path: Path) -> None:
    text = FLOW + ("durable: true\n" if durable else "")
    status, facts, said = chaos(tmp_path, text, "--for", "90")
    assert status == 0, (facts, said)
    wanted = {"kills", "garbage", "torn frames", "poison", "updates", "killed runners"}
    assert facts["done"].keys() >= (wanted | {"killed journals", "full disks"} if durable else wanted)


@pytest.mark.full
def test_many_messages_in_a_row_that_kill_their_host(tmp_path: Path) -> None:
    """Of a flow where nothing else is in that host: what runs at the other runner is only a source."""
    text = "id: f\nmodules:\n  m: {runtime: python3, code: 'def start(context): yield 1'}\n"
    status, facts, said = chaos(tmp_path, text, "--for", "6", "--only", "poison", "--yes", "--check", "true")
    assert status == 0, (facts, said)
    assert facts["done"]["poison"] > 5


REFUSED = [
    ("import urllib.request\ndef run(m, c): return m", "", "network"),
    ("def run(m, c): return m", ", limits: {writable: [/tmp]}", "/tmp"),
]


@pytest.mark.parametrize(("code", "more", "said"), REFUSED)
def test_what_reaches_outside_is_named_and_refused(code: str, more: str, said: str, tmp_path: Path) -> None:
    text = f"id: f\nmodules:\n  m: {{runtime: python3, code: {json.dumps(code)}{more}}}\n"
    status, facts, error = chaos(tmp_path, text)
    assert status == 1
    assert not facts["ok"]
    assert "m " in error
    assert said in error
    assert "--yes" in error


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--only", "fire"], "fire"), (["-i", "double.in"], "MODULE.PORT=FILE"), (["-i", "nobody.in=x"], "nobody")],
)
def test_wrong_usage_is_said_at_once(options: list[str], said: str, tmp_path: Path) -> None:
    status, _, error = chaos(tmp_path, FLOW, *options)
    assert status == 2
    assert said in error


def test_lines_of_a_file_that_are_not_json_are_named(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('1\n{"a"\n')
    status, _, error = chaos(tmp_path, FLOW, "-i", "double.in=lines")
    assert status == 1
    assert "lines:2" in error


@pytest.mark.full
def test_a_swarm(tmp_path: Path) -> None:
    """Which flow it is, and what is done to it, the tests of tests/swarm look at."""
    command = [sys.executable, "-m", "actors.console", "chaos", "--swarm", "--seed", "2", "--for", "3", "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*command, "--messages", "100"], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["ok"], facts["problems"]) == (0, True, []), done.stderr
    assert facts["collected"]
    assert not list(tmp_path.iterdir())
