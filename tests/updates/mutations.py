"""Switches off one mechanism after the other, and shows that the tests named here notice.

    .venv/bin/python -m tests.updates.mutations [MECHANISM ...]

Each mechanism runs in a pytest of its own, which loads this file as a plugin and patches the product before the tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.flow.life import Life
from actors.host.fusing import Fusing
from actors.module import succession
from actors.state.module import ModuleState
from actors.system.job import Steps

TIMEOUT_S = 60
ROOT = Path(__file__).parents[2]


def enter_freely() -> None:
    """What comes from outside the cover is handled while the cover runs dry."""
    drain = ModuleState.drain

    def drain_all(self: ModuleState, wires: Any, reason: str = "fuse") -> None:
        drain(self, succession.EVERY_WIRE if reason == "update" else wires, reason)

    ModuleState.drain = drain_all  # type: ignore[method-assign]


def recall_nothing() -> None:
    """What the host has been sent stays there, and nobody hands it over."""
    ModuleState._recall = ModuleState._recalled  # type: ignore[method-assign]
    move_to = ModuleState.move_to

    def move(self: ModuleState, successor: ModuleState) -> None:
        while self.mailbox.window:
            self.mailbox.consume(self.mailbox.window[0].count)
        move_to(self, successor)

    ModuleState.move_to = move  # type: ignore[method-assign]


def migrate_the_rehearsed() -> None:
    """The contexts of the time when the update was tried are migrated, not the final ones."""
    contexts = Life.contexts
    rehearsed: dict[tuple[int, int], Any] = {}

    def first(self: Life, modules: Any) -> Steps:
        key = (id(self._record), self._record.version)
        if key not in rehearsed:
            rehearsed[key] = yield from contexts(self, self._record.modules)
        return {name: rehearsed[key][name] for name in modules}

    Life.contexts = first  # type: ignore[method-assign]


def fuse_at_once() -> None:
    """A wire is fused while messages wait in the mailbox at its end."""

    def fuse(self: Fusing) -> None:
        if not self._bars.held and self.fused != self.fusable_wires:
            self.fused = self.fusable_wires
            self.write_wires()
            self._end_drain()

    Fusing.drain = fuse  # type: ignore[method-assign]


def fence_nobody() -> None:
    """A replaced version still has a say."""
    succession.FENCED = ()


@dataclass(frozen=True)
class Mechanism:
    """How to switch it off, and the tests that have to notice: at least one of them."""

    off: Callable[[], None]
    tests: tuple[str, ...]


MECHANISMS = {
    "holding the wires that enter the cover": Mechanism(
        enter_freely,
        ("tests/updates/test_mechanisms.py::test_what_waits_at_a_replaced_module_goes_to_the_new_version",),
    ),
    "recall before the switch": Mechanism(
        recall_nothing,
        ("tests/updates/test_mechanisms.py::test_what_waits_at_a_replaced_module_goes_to_the_new_version",),
    ),
    "migrating the final contexts": Mechanism(
        migrate_the_rehearsed, ("tests/updates/test_replacing.py::test_what_a_stop_hook_changes_is_migrated",)
    ),
    "the fusing barrier": Mechanism(
        fuse_at_once, ("tests/flow/test_delivery.py::test_a_wire_with_queued_messages_is_not_fused_at_a_restart",)
    ),
    "fencing": Mechanism(fence_nobody, ("tests/updates/test_mechanisms.py::test_a_replaced_version_sends_nothing",)),
}


def notice(name: str) -> list[str]:
    """The tests that fail while a mechanism is off; "" is none."""
    tests = MECHANISMS[name].tests if name else sorted({test for m in MECHANISMS.values() for test in m.tests})
    options = ["-q", "-rfE", "-p", "no:cacheprovider", "-p", __spec__.name, "--timeout", str(TIMEOUT_S)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests], cwd=ROOT, env={**os.environ, "MECHANISM": name},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode not in (0, 1):
        raise RuntimeError(run.stdout + run.stderr)
    failed = (re.match(r"(?:FAILED|ERROR) (tests/\S+)", line) for line in run.stdout.splitlines())
    return sorted({match[1] for match in failed if match})


def main(names: list[str]) -> int:
    """Print the table; 1 if a mechanism is off and nobody notices."""
    print(f"{'mechanism switched off':42} test that fails")
    noticed = {name: notice(name) for name in ["", *(names or MECHANISMS)]}
    for name, failed in noticed.items():
        print(f"{name or 'none':42} {', '.join(failed) or '-'}")
    return int(bool(noticed.pop("")) or not all(noticed.values()))


def pytest_configure() -> None:
    """As a pytest plugin: switch off what MECHANISM names."""
    if os.environ["MECHANISM"]:
        MECHANISMS[os.environ["MECHANISM"]].off()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
