"""The life of a machine's actors, in the process that stays with them: the actor system, signals, deaths, the end of
all processes.

The actor at the top decides (a dispatcher, an agent); this sees what that cannot report.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from thespian.actors import Actor, ActorExitRequest, ActorSystem, ActorSystemException, WatchMessage
from thespian.system.transport import ReceiveEnvelope

from actors.deployment.folder import DeploymentFolder
from actors.deployment.key_folder import KeysError
from actors.ends.log_lines import thespian_logging
from actors.host.secrets import SecretError
from actors.links.keys import CONTROL
from actors.messages.dispatcher_to_up import DeploymentDown, DeploymentFailed, DeploymentUp
from actors.messages.up_to_dispatcher import StopDeployment
from actors.preparation.state_folder import sweep
from actors.system import convention, signing

ADMIN = "the actor system"
START_TRIES = 5
STOP_TIMEOUT_S = 150.0  # longer than the own limits of what is at the top together
END_TIMEOUT_S = 10.0
_PR_SET_CHILD_SUBREAPER = 36
Report = Callable[[dict[str, Any]], None]
log = logging.getLogger("runner.up")


class NoSystemError(Exception):
    """The actor system could not be started. A whole sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The actor at the top of `whole`: of the class `kind`, called `name`, told `order` first; it answers
    with what a dispatcher tells `runner up`. `at`: the address, and the port or 0, where its system is found; `leader`:
    where the system is that leads several. `facts` go into the record, with the processes.
    """

    whole: str
    name: str
    kind: type[Actor]
    order: Any
    keys: Path
    at: tuple[str, int]
    leader: tuple[str, int] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def stay(top_of: Callable[[], Top], state: Path, folder: DeploymentFolder, report: Report) -> tuple[str, ...]:
    """From start to end; returns why it failed, if it did. No process is left afterwards. `top_of` may raise OSError,
    KeysError, SecretError.
    """
    errors: tuple[str, ...] = ("an internal error; see the log",)
    signal_fd = _own_signals(folder)
    _adopt_orphans()
    try:
        errors = _life(top_of(), folder, signal_fd, report)
    except OSError as error:
        errors = (f"{error.filename or folder.path}: {error.strerror}",)
    except (NoSystemError, KeysError, SecretError) as error:
        errors = (str(error),)
    finally:
        if not folder.wait_for_end(END_TIMEOUT_S):
            folder.kill()
        facts = folder.read()
        folder.end(errors if "adminPid" in facts or facts.get("again") else ())  # before that nothing can be lost
        sweep(state / "runs")
        _reap()
    return errors


def _life(top: Top, folder: DeploymentFolder, signal_fd: int, report: Report) -> tuple[str, ...]:
    facts = {"pid": os.getpid(), **top.facts}
    folder.record(facts)
    os.environ["THESPLOG_FILE"] = str(folder.path / "thespian.log")  # by default a fixed name in /tmp
    signing.install(top.keys / CONTROL, top.at[0])
    system, port = _start_system(top)
    watch = _Watch(system, top, signal_fd, folder)
    try:
        return watch.run(facts | {"adminPort": port}, report)
    except (ActorSystemException, psutil.Error, ProcessLookupError):
        return (f"{ADMIN} has died; {top.whole} is ended",)
    finally:
        watch.end()


def _start_system(top: Top) -> tuple[ActorSystem, int]:
    """A system of our own, whose Admin Port nobody else has."""
    log_definitions = thespian_logging()
    for tries in range(START_TRIES):
        port = _free_port(*top.at)
        capabilities = {"Admin Port": port}
        if top.leader is not None:
            convention.hasten()
            capabilities = convention.capabilities(port, top.leader)
        try:
            system = ActorSystem(
                "multiprocTCPBase", capabilities=capabilities, logDefs=log_definitions, transientUnique=True
            )
        except ActorSystemException as error:  # somebody else has taken the port meanwhile
            log.warning("the actor system did not start at port %d: %s", port, error)
            if tries == START_TRIES - 1:
                raise NoSystemError(f"the actor system could not be started: {error}") from None
        else:
            return system, port
    raise AssertionError


def _free_port(host: str, port: int) -> int:
    """That one, or for 0 any. A system that finds another at its port would be one with it. Raises NoSystemError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise NoSystemError(f"{host} is no address of this machine") from None
            raise NoSystemError(f"{host}:{port}: {error.strerror}") from None
        return int(probe.getsockname()[1])


def _own_signals(folder: DeploymentFolder) -> int:
    """A descriptor that becomes readable at SIGINT, SIGTERM or SIGHUP to this process; forks inherit the handler.

    The third one ends everything at once, whatever this process waits for.
    """
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    pid = os.getpid()
    count = 0

    def note(number: int, _frame: object) -> None:
        nonlocal count
        if os.getpid() != pid:
            return
        count += 1
        if count == 3:
            folder.kill()
            os._exit(128 + number)
        with contextlib.suppress(BlockingIOError):
            os.write(writing, b"!")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, note)
    return reading


def _adopt_orphans() -> None:
    """The system's processes are no children of this one; what has ended must not stay a zombie, whatever init does."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pid = os.getpid()

    def reap(_number: int, _frame: object) -> None:
        if os.getpid() == pid:
            _reap()

    signal.signal(signal.SIGCHLD, reap)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


class _Watch:
    """Waits for the actor at the top, for signals, and for deaths that it cannot report."""

    def __init__(self, system: ActorSystem, top: Top, signal_fd: int, folder: DeploymentFolder) -> None:
        self.system, self.top, self.signal_fd, self.folder = system, top, signal_fd, folder
        self.watched = {signal_fd: "signal"}
        self.until: float | None = None  # of stopping
        self.errors: tuple[str, ...] = ()

    def run(self, facts: dict[str, Any], report: Report) -> tuple[str, ...]:
        """Until it is over; returns the errors."""
        top = self.top
        system = set(self.folder.processes())  # the admin, which is our child, and its log
        facts["adminPid"] = self._watch(ADMIN, {pid for pid in system if psutil.Process(pid).ppid() == os.getpid()})
        self.actor = self.system.createActor(top.kind, globalName=top.name)
        facts[f"{top.name}Pid"] = self._watch(f"the {top.name}", set(self.folder.processes()) - system)
        self.system.tell(self.actor, top.order)
        while True:
            match self._next():
                case DeploymentUp(runner_pids=pids):
                    first = [{"runner": name, "runnerPid": pid} for name, pid in pids.items()]
                    facts |= {**(first[0] if first else {}), "runners": pids}
                    self.folder.record(facts)
                    report({"name": self.folder.name, **facts})
                case DeploymentFailed(errors=errors):
                    return errors
                case DeploymentDown():
                    return self.errors
                case WatchMessage(ready=ready):
                    # Each may be told of several times: what is read or forgotten already, counts no more.
                    dead = [self.watched.pop(fd) for fd in self.watched.keys() & set(ready) - {self.signal_fd}]
                    self.errors += tuple(f"{what} has died; {top.whole} is ended" for what in dead)
                    signalled = self._was_signalled()
                    if signalled and self.until is not None:
                        self.errors += ("it was told twice to stop, and was ended by force",)
                    if f"the {top.name}" in dead or (signalled and self.until is not None):
                        return self.errors
                    if dead or signalled:
                        self._stop(signalled)
                case None if self.until is not None and time.monotonic() >= self.until:
                    return (f"it has not stopped within {STOP_TIMEOUT_S:g} s",)

    def _watch(self, what: str, pids: set[int]) -> int:
        """The process of `pids`, which are one or, if it has died already, none."""
        for pid in pids:
            self.watched[os.pidfd_open(pid)] = what
            return pid
        raise ProcessLookupError

    def _was_signalled(self) -> bool:
        try:
            return bool(os.read(self.signal_fd, 64))
        except BlockingIOError:
            return False

    def _stop(self, told: bool) -> None:
        if self.until is None:
            log.info("%s: stopping", self.folder.name)
            self.until = time.monotonic() + STOP_TIMEOUT_S
            with contextlib.suppress(OSError):
                self.folder.record(self.folder.read() | {"stopping": told})
            self.system.tell(self.actor, StopDeployment())

    def end(self) -> None:
        """The actor system, if it is still there."""
        self.system._systemBase.transport.set_watch([])
        if any(error.startswith(ADMIN) for error in self.errors):
            self.system.tell(self.actor, ActorExitRequest())
        else:
            self.system.shutdown()

    def _next(self) -> Any:
        """The next message to this process or about a watched descriptor; None when time is up."""
        base = self.system._systemBase  # `listen` would keep WatchMessages from us
        base.transport.set_watch(list(self.watched))
        left = None if self.until is None else timedelta(seconds=max(0.0, self.until - time.monotonic()))
        result = base._run_transport(left)
        return result.message if isinstance(result, ReceiveEnvelope) else None
