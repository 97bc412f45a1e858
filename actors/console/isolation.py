"""What keeps modules from each other and from the runner on this machine: found by a host that tries."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from actors.definition.limits import HostLimits
from actors.doors import unix_socket
from actors.host.process import HostProcess
from actors.preparation.state_folder import RunFolder, hidden_places, shown_places
from runtimes.confinement import probe
from runtimes.confinement.landlock import ABI_SCOPE, landlock_abi
from runtimes.environments import cache_folder

TIMEOUT_MS = 20_000
CAPABILITIES = {0: "chown", 1: "dac_override", 2: "dac_read_search", 3: "fowner", 10: "net_bind_service"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What a host has been able to do. `tried`: None if it worked, or why it did not."""

    tried: dict[str, str | None]
    filters: int  # of its system calls, beyond ours
    capabilities: int
    namespaces: frozenset[str]  # the kinds that it does not share with us


def find_isolation(state: Path) -> Isolation:
    """Start a host that tries; raises OSError."""
    with ExitStack() as stack:
        outside = Path(stack.enter_context(tempfile.TemporaryDirectory()), "file")
        outside.touch()
        run_folder = RunFolder(state)
        stack.callback(run_folder.close)
        name = f"runner-probe-{secrets.token_hex(8)}"
        memory = Path("/dev/shm", name)
        with suppress(OSError):  # there may be none
            memory.touch()
            stack.callback(memory.unlink)
        door = stack.enter_context(unix_socket.listen(run_folder.path / name))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{name}")
        abstract.listen()
        facts = {
            "runner": os.getpid(), "file": str(outside), "memory": str(memory), "socket": str(run_folder.path / name),
            "abstract": name,
        }  # fmt: skip
        hidden = hidden_places(run_folder.path, None)
        limits = HostLimits(hidden=hidden, shown=shown_places(cache_folder(), hidden))
        host = HostProcess([sys.executable, probe.__file__, json.dumps(facts)], run_folder.path / "probe", {}, limits)
        said = _listen(host, door, abstract)
        host.kill()
        host.reap()
    try:
        seen = json.loads(said)
    except ValueError:
        raise OSError(0, f"the probe has failed: {said.decode(errors='replace').strip()[-300:]}") from None
    ours = probe.confinement()
    return Isolation(
        tried=seen["tried"],
        filters=seen["filters"] - ours["filters"],
        capabilities=int(seen["capabilities"], 16),
        namespaces=frozenset(kind for kind, one in seen["namespaces"].items() if one != ours["namespaces"][kind]),
    )


def _listen(host: HostProcess, door: socket.socket, abstract: socket.socket) -> bytes:
    """Answer it as a runner would; returns what it has printed."""
    said = b""
    poll = select.poll()
    for fd in (host.log_fd, door.fileno(), abstract.fileno()):
        poll.register(fd, select.POLLIN)
    while ready := dict(poll.poll(TIMEOUT_MS)):
        for listener in (door, abstract):
            if listener.fileno() in ready:
                client, _ = listener.accept()
                with client:
                    client.send(b"n" if listener is door and unix_socket.is_of_a_host(client) else b"y")
        if host.log_fd in ready:
            part = os.read(host.log_fd, 1 << 16)
            if not part:
                break
            said += part
    return said


def isolation_rows(found: Isolation) -> Iterator[tuple[str, str]]:
    """A measure a row, then an attempt a row: what it is, and a sentence."""
    kinds = "of root" if os.getuid() == 0 and "user" not in found.namespaces else "of a user namespace"
    yield (
        "mount namespace",
        (
            f"one for each host, {kinds}: all but its own places is read-only, some are hidden"
            if "mnt" in found.namespaces
            else "none: it takes CAP_SYS_ADMIN or user namespaces, and Linux 5.12"
        ),
    )
    abi = landlock_abi()
    scope = "no signals, no abstract sockets" if abi >= ABI_SCOPE else "signals are not refused: version 6 would"
    yield "landlock", f"version {abi}: no writes elsewhere, no look into others; {scope}" if abi > 0 else "none"
    yield "seccomp", "calls that reach others, the kernel, or make set-uid files" if found.filters > 0 else "none"
    named = [CAPABILITIES.get(bit, str(bit)) for bit in range(64) if found.capabilities >> bit & 1]
    yield "capabilities", ", ".join(named) or "none"
    for what, why in found.tried.items():
        yield f"module: {what}", f"refused: {why}" if why is not None else "POSSIBLE"
