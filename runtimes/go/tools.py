"""How the commands of this folder run the go command: never on its default folders, never another toolchain."""

from __future__ import annotations

import os
from pathlib import Path


def go_variables() -> dict[str, str]:
    """The environment for the go command; the compiler's cache is one for all builds of this machine."""
    cache = os.environ.get("RUNNER_CACHE")
    if not cache:
        home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        cache = str(Path(home) / "runner")
    tools = Path(cache) / "tools" / "go"
    tools.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "GOCACHE": str(tools / "build"),
        "GOPATH": str(tools / "path"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GO111MODULE": "on",
        "GOFLAGS": "-modcacherw",
        "CGO_ENABLED": "0",
    }
