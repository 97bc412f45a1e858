"""A runner with a hostile module in it, a module that has secrets, and things of others that it may go for."""

from __future__ import annotations

import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.console.isolation import Isolation, find_isolation
from actors.doors.door import DoorActor, open_door
from runtimes import launching
from tests.harness import Harness, need, running

MODULES = Path(__file__).parent / "modules"
WITHOUT = Path(__file__).parent / "without.py"
SUFFIX = {"python3": "py", "go": "go"}
SECRET = "correct horse battery staple"


@dataclass
class Prison:
    """`tell` the module to try something; what it goes for is described by the other fields."""

    runtime: str
    lacks: str
    runner: Harness
    out: Any
    has: Isolation
    outside: Path  # a folder with a file, `file`
    allowed: Path  # a folder that is in limits.writable
    state: Path
    victim: int
    abstract: str
    memory: Path

    def tell(self, do: str, **more: Any) -> dict[str, Any]:
        """Its answer: {"done": ...} or {"refused": why}."""
        before = len(self.out.got)
        self.runner.send("f/hostile", {"do": do, **more})
        self.runner.wait(lambda: len(self.out.got) > before)
        answer: dict[str, Any] = self.out.got[-1]
        return answer

    def refuses(self, do: str, **more: Any) -> str:
        """It tries, and cannot; returns what it was told."""
        answer = self.tell(do, **more)
        assert "refused" in answer, f"{do} {more}: {answer}"
        return str(answer["refused"])

    def allows(self, do: str, **more: Any) -> Any:
        """It tries, and can."""
        answer = self.tell(do, **more)
        assert "done" in answer, f"{do} {more}: {answer}"
        return answer["done"]

    @property
    def has_namespace(self) -> bool:
        return "mnt" in self.has.namespaces


@contextmanager
def prison(runtime: str, folder: Path, lacks: str = "nothing") -> Iterator[Prison]:
    """`lacks`: measures that the kernel does not have, as without.py names them."""
    need(runtime)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        if lacks != "nothing":
            launcher = (sys.executable, "-I", "-S", str(WITHOUT), lacks, *launching.LAUNCHER)
            patch.setattr(launching, "LAUNCHER", launcher)
        outside, allowed, state = folder / "outside", folder / "allowed", folder / "state"
        outside.mkdir()
        (outside / "file").write_text("original")
        allowed.mkdir()
        has = find_isolation(folder / "probed")
        abstract, memory = f"test-{uuid.uuid4()}", Path(f"/dev/shm/test-{uuid.uuid4()}")
        memory.write_text("?")
        stack.callback(memory.unlink)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(f"\0{abstract}")
        listener.listen()
        runner = stack.enter_context(running(state))
        assert open_door(runner.system, runner.runner, runner.folder.path, "runner") is None
        stack.callback(_close_door, runner)
        code = (MODULES / f"hostile.{SUFFIX[runtime]}").read_text()
        victim = f"import os\nPASSWORD = {SECRET!r}\ndef run(m, c):\n    return os.getpid()\n"
        modules = {
            "hostile": {"runtime": runtime, "code": code, "limits": {"writable": [str(allowed)]}},
            "victim": {"runtime": "python3", "code": victim, "isolated": True},
        }
        runner.add("f", modules)
        runner.start("f")
        out, pid = runner.collect("f", "hostile"), runner.collect("f", "victim")
        runner.send("f/victim", 1)
        runner.wait(lambda: pid.got)
        yield Prison(runtime, lacks, runner, out, has, outside, allowed, state, pid.got[0], abstract, memory)
        assert psutil.pid_exists(pid.got[0]) and psutil.Process(pid.got[0]).status() != "zombie"


def _close_door(runner: Harness) -> None:
    for ref in list(runner.base.actorRegistry.values()):
        if isinstance(ref.instance, DoorActor):
            runner.base.unwatch(ref.instance.listener.fileno())
            ref.instance.listener.close()
