"""The extension for VS Code, as far as it can be looked at without VS Code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.definition.schema import flow_schema

EXTENSION = Path(__file__).parents[2] / "editors" / "vscode"
STAND_IN = """
const made = []
module.exports = {
  workspace: { getConfiguration: () => ({ get: name => ({ runner: '/opt/runner', state: '/s' })[name] }) },
  window: { activeTextEditor: { document: { uri: { fsPath: '/f.yaml' } } } },
  DebugAdapterExecutable: class { constructor (...words) { this.words = words } },
  debug: {
    registerDebugConfigurationProvider: (type, it) => made.push([type, it]),
    registerDebugAdapterDescriptorFactory: (type, it) => made.push([type, it])
  },
  made
}
"""
LOOK = """
const vscode = require('vscode')
require(process.argv[1]).activate({ subscriptions: [] })
const [[, configurations], [, adapters]] = vscode.made
console.log(JSON.stringify([
  vscode.made.map(([type]) => type), configurations.resolveDebugConfiguration(undefined, {}),
  configurations.resolveDebugConfiguration(undefined, { type: 'flow', request: 'attach' }),
  adapters.createDebugAdapterDescriptor({ workspaceFolder: { uri: { fsPath: '/here' } } }).words
]))
"""


def test_its_schema_is_that_of_flow_files() -> None:
    """`scripts/reference` writes it."""
    assert json.loads((EXTENSION / "flow.schema.json").read_text()) == flow_schema()


def test_its_manifest_names_what_is_there() -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text())
    assert (EXTENSION / manifest["main"]).is_file()
    contributes = manifest["contributes"]
    for kind in ("yamlValidation", "jsonValidation"):
        assert all((EXTENSION / one["url"]).is_file() for one in contributes[kind])
    (debugger,) = contributes["debuggers"]
    assert {*debugger["configurationAttributes"]} == {"launch", "attach"}
    for one in [*debugger["initialConfigurations"], *(its["body"] for its in debugger["configurationSnippets"])]:
        known = {*debugger["configurationAttributes"][one["request"]]["properties"], "type", "request", "name"}
        assert {*one} <= known


def test_it_starts_the_adapter(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    (tmp_path / "vscode.js").write_text(STAND_IN)
    command = ["node", "-e", LOOK, str(EXTENSION / "extension.js")]
    environment = {**os.environ, "NODE_PATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    types, f5, attach, words = json.loads(done.stdout)
    assert types == ["flow", "flow"]
    assert f5 == {"type": "flow", "request": "launch", "name": "Debug this flow", "program": "/f.yaml"}
    assert attach["state"] == "/s"
    assert words == ["/opt/runner", ["dap"], {"cwd": "/here"}]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_it_can_be_packaged(tmp_path: Path) -> None:
    copy = shutil.copytree(EXTENSION, tmp_path / "vscode")
    command = [
        "npx",
        "--yes",
        "@vscode/vsce@4",
        "package",
        "--allow-missing-repository",
        "--no-dependencies",
        "-o",
        "x",
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / "x").is_file()
