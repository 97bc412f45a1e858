"""Network namespaces as machines: each has an address of its own, and a bridge joins them. Needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Machine:
    """What is run with `command` in front of it is there."""

    namespace: str
    address: str
    port: str  # its end at the bridge

    @property
    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace]


class Network:
    """Machines by name. A cut takes the port of one off the bridge: packets vanish, and nobody gets an error."""

    def __init__(self, names: str) -> None:
        self._hub = f"plant{os.getpid()}"
        self.machines = {
            name: Machine(f"{self._hub}{name}", f"10.77.0.{number}", f"port{name}")
            for number, name in enumerate(names, 1)
        }

    def up(self) -> None:
        """Raises CalledProcessError."""
        _ip("netns", "add", self._hub)
        self._at_hub("add", "bridge0", "type", "bridge")
        self._at_hub("set", "bridge0", "up")
        for one in self.machines.values():
            _ip("netns", "add", one.namespace)
            ends = [one.port, "netns", self._hub, "type", "veth", "peer", "name", "eth0", "netns", one.namespace]
            _ip("link", "add", *ends)
            self._at_hub("set", one.port, "master", "bridge0", "up")
            _ip("-n", one.namespace, "address", "add", f"{one.address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _ip("-n", one.namespace, "link", "set", device, "up")

    def _at_hub(self, *words: str) -> None:
        _ip("-n", self._hub, "link", *words)

    def cut(self, name: str) -> None:
        self._at_hub("set", self.machines[name].port, "nomaster")

    def heal(self, name: str) -> None:
        self._at_hub("set", self.machines[name].port, "master", "bridge0")

    def down(self) -> None:
        for namespace in (*(one.namespace for one in self.machines.values()), self._hub):
            with contextlib.suppress(subprocess.CalledProcessError):  # it was never there
                _ip("netns", "delete", namespace)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def network(names: str) -> Iterator[Network]:
    """Skips the test, with a word, where there can be none."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("machines are network namespaces here: that takes root, and iproute2")
    it = Network(names)
    try:
        try:
            it.up()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield it
    finally:
        it.down()
