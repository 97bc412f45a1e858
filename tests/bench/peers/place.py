"""Where the peers are installed: a Python environment, node packages, a Go program. Once a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PYTHON = (
    "pyzmq==27.3.0", "nats-py==2.16.0", "ray==2.60.0", "dora-rs==1.1.0", "dora-rs-cli==1.1.0", "pyarrow==26.0.1",
    "bytewax==0.21.1", "orjson",
)  # fmt: skip
NODE = ("node-red@5.0.7", "noflo@1.5.2")
BENTHOS = "v4.60.0"
MAIN = """package main

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func main() { service.RunCLI(context.Background()) }
"""


class Place:
    """Commands of what could be installed; `missing`: why something could not."""

    def __init__(self) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self._folder = Path(cache, "runner-bench-peers")
        self.missing: dict[str, str] = {}
        self.python = self._made("python", self._make_python) / "bin/python"
        self.node_modules = self._made("node", self._make_node) / "node_modules"
        self.benthos = self._made("benthos", self._make_benthos) / "benthos"

    def _made(self, name: str, make: object) -> Path:
        folder = self._folder / name
        if (folder / "made").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"installing the peers' {name}", file=sys.stderr)
        try:
            make(folder)  # type: ignore[operator]
            (folder / "made").touch()
        except (OSError, subprocess.CalledProcessError) as error:
            self.missing[name] = str(error)
        return folder

    def _make_python(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", *PYTHON], check=True)

    def _make_node(self, folder: Path) -> None:
        (folder / "package.json").write_text("{}")
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", *NODE], cwd=folder, check=True)

    def _make_benthos(self, folder: Path) -> None:
        (folder / "main.go").write_text(MAIN)
        commands = (
            ["mod", "init", "bench"], ["get", f"github.com/redpanda-data/benthos/v4/public/service@{BENTHOS}"],
            ["mod", "tidy"], ["build", "-o", "benthos", "."],
        )  # fmt: skip
        for command in commands:
            subprocess.run(["go", *command], cwd=folder, check=True, capture_output=True)
