"""VS Code's test client for debug adapters, run by node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.console.client import RunnerClient
from tests.gateway.served import serving

PACKAGE = "@vscode/debugadapter-testsupport@1.68.0"
HERE = Path(__file__).parent
RUNNER = Path(sys.executable).with_name("runner")
FLOW = """\
id: debugged
modules:
  double:
    runtime: python3
    code: |
      def run(message, context):
          return {"n": message["n"] * 2}

  add:
    runtime: python3
    code: |
      def run(message, context):
          context.set("sum", context.get("sum", 0) + message["n"])
          return context.get("sum")
wires:
  - double -> add
"""


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where node finds the client; installed once, in the test environment."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}: apt-get install nodejs npm")
    place = Path(sys.prefix) / "debugadapter-testsupport"
    if not place.is_dir():
        made = tmp_path_factory.mktemp("npm")
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(made), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=380, check=False)
        if done.returncode:
            pytest.skip(f"{PACKAGE} cannot be installed: {done.stderr.strip() or done.stdout.strip()}")
        new = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copytree(made / "node_modules", new)
        try:
            new.rename(place)
        except OSError:  # another process of this test run was faster
            shutil.rmtree(new)
    return place


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "debugged.yaml"
    path.write_text(FLOW)
    return path


def check(case: str, modules: Path, flow: Path, *port: str, state: Path | None = None) -> None:
    environment = {**os.environ, "NODE_PATH": str(modules), "RUNNER_STATE": str(state or flow.parent / "state")}
    command = ["node", str(HERE / "client.js"), case, str(RUNNER), str(flow), *port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380, env=environment, check=False)
    assert done.stdout.endswith("ok\n"), done.stdout + done.stderr


@pytest.mark.parametrize("case", ["abilities", "edit", "step", "conditions", "errors", "refused"])
def test_a_flow_is_launched(case: str, modules: Path, flow: Path) -> None:
    check(case, modules, flow)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    """The port of an adapter that waits there."""
    command = [str(RUNNER), "--state", str(tmp_path / "state"), "dap", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"at 127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert found is not None
        yield found[1]
        process.terminate()
        assert process.wait(60) == 130


def test_over_a_port(modules: Path, flow: Path, listening: str) -> None:
    for _ in range(2):
        check("breakpoint", modules, flow, listening)


def test_whoever_leaves_lets_the_flow_go_on(modules: Path, flow: Path, tmp_path: Path) -> None:
    with serving(tmp_path, FLOW) as served, RunnerClient(state=served.state) as client:
        for n in range(3):
            assert client.send_message("debugged/double", message={"n": n})
        # a message at the breakpoint: whenever it is set, one comes
        sending = subprocess.Popen(
            [sys.executable, "-c", SENDER, str(served.state)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        with sending:
            check("attach", modules, flow, state=served.state)
            assert sending.stdin is not None
            sending.stdin.close()
        debug = client.flow_state("debugged", rates=False)["debug"]
        assert debug["pausedBy"] is None
        assert debug["breakpoints"] == {}


SENDER = """
import select, sys
from actors.console.client import RunnerClient
client = RunnerClient(state=sys.argv[1])
while not select.select([sys.stdin], [], [], 0.05)[0]:
    client.send_message("debugged/double", message={"n": 1})
"""
