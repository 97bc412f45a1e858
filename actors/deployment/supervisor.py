"""A deployment's life, in the process that stays with it: the actor system, signals, deaths, the end of all processes.

The Dispatcher decides; this sees what the Dispatcher cannot report.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from thespian.actors import ActorExitRequest, ActorSystem, ActorSystemException, WatchMessage
from thespian.system.transport import ReceiveEnvelope

from actors.definition.deployment import Deployment, RunnerSettings
from actors.deployment.dispatcher import DispatcherActor
from actors.deployment.folder import KEY, KEYS, DeploymentFolder
from actors.messages.dispatcher_to_up import DeploymentDown, DeploymentFailed, DeploymentUp
from actors.messages.up_to_dispatcher import Deploy, RunnerOrder, StopDeployment
from actors.preparation.state_folder import sweep
from actors.system import signing

ADMIN, DISPATCHER = "the actor system", "the dispatcher"
START_TRIES = 5
STOP_TIMEOUT_S = 150.0  # longer than the dispatcher's own limits together
END_TIMEOUT_S = 10.0
_PR_SET_CHILD_SUBREAPER = 36
Report = Callable[[dict[str, Any]], None]
log = logging.getLogger("runner.up")


class NoSystemError(Exception):
    """The actor system could not be started. A whole sentence."""


def stay_up(
    deployment: Deployment, state: Path, folder: DeploymentFolder, report: Report, *, accept_loss: bool = False
) -> tuple[str, ...]:
    """From start to end; returns why it failed, if it did. No process is left afterwards.

    `accept_loss`: flows whose journals are damaged go on with what is left.
    """
    errors: tuple[str, ...] = ("an internal error; see the log",)
    signal_fd = _own_signals(folder)
    _adopt_orphans()
    try:
        errors = _life(deployment, state, folder, signal_fd, report, accept_loss)
    except OSError as error:
        errors = (f"{error.filename or folder.path}: {error.strerror}",)
    except NoSystemError as error:
        errors = (str(error),)
    finally:
        if not folder.wait_for_end(END_TIMEOUT_S):
            folder.kill()
        folder.end(errors if "runnerPid" in folder.read() else ())  # without a runner nothing was lost
        sweep(state / "runs")
        _reap()
    return errors


def _life(
    deployment: Deployment, state: Path, folder: DeploymentFolder, signal_fd: int, report: Report,
    accept_loss: bool,
) -> tuple[str, ...]:  # fmt: skip
    facts = {"pid": os.getpid(), "flows": [source.document["id"] for source in deployment.flows]}
    folder.record(facts)
    os.environ["THESPLOG_FILE"] = str(folder.path / "thespian.log")  # by default a fixed name in /tmp
    signing.install(signing.make_key(folder.path / KEY), deployment.bind)
    system, port = _start_system(deployment)
    watch = _Watch(system, deployment, signal_fd, folder, accept_loss)
    try:
        return watch.run(state, facts | {"adminPort": port}, report)
    except (ActorSystemException, psutil.Error, ProcessLookupError):
        return (f"{ADMIN} has died; the deployment is ended",)
    finally:
        watch.end()


def _start_system(deployment: Deployment) -> tuple[ActorSystem, int]:
    """A system of our own, whose Admin Port nobody else has."""
    levels = {"level": "WARNING", "handlers": ["stderr"]}
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    log_definitions = {"version": 1, "handlers": {"stderr": handler}, "root": levels}
    for tries in range(START_TRIES):
        with socket.socket() as probe:
            probe.bind((deployment.bind, 0))
            port: int = probe.getsockname()[1]
        try:
            system = ActorSystem(
                "multiprocTCPBase", capabilities={"Admin Port": port}, logDefs=log_definitions, transientUnique=True
            )
        except ActorSystemException as error:  # somebody else has taken the port meanwhile
            log.warning("the actor system did not start at port %d: %s", port, error)
            if tries == START_TRIES - 1:
                raise NoSystemError(f"the actor system could not be started: {error}") from None
        else:
            return system, port
    raise AssertionError


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


def _order(deployment: str, runner: RunnerSettings, state: Path) -> RunnerOrder:
    own = (runner.state or state).resolve()
    return RunnerOrder(
        name=runner.name, runtimes=runner.runtimes, kept=str(own / "kept" / deployment / runner.name),
        journals=str(own / "journal" / deployment / runner.name),
    )  # fmt: skip


class _Watch:
    """Waits for the dispatcher, for signals, and for deaths that the dispatcher cannot report."""

    def __init__(
        self, system: ActorSystem, deployment: Deployment, signal_fd: int, folder: DeploymentFolder, accept_loss: bool
    ) -> None:
        self.system, self.deployment, self.signal_fd, self.folder = system, deployment, signal_fd, folder
        self.accept_loss = accept_loss
        self.watched = {signal_fd: "signal"}
        self.until: float | None = None  # of stopping
        self.errors: tuple[str, ...] = ()

    def run(self, state: Path, facts: dict[str, Any], report: Report) -> tuple[str, ...]:
        """Until it is over; returns the errors."""
        job = self.deployment
        system = set(self.folder.processes())  # the admin, which is our child, and its log
        admin = self._watch(ADMIN, {pid for pid in system if psutil.Process(pid).ppid() == os.getpid()})
        self.dispatcher = self.system.createActor(DispatcherActor, globalName="dispatcher")
        dispatcher = self._watch(DISPATCHER, set(self.folder.processes()) - system)
        runners = tuple(_order(job.name, runner, state) for runner in job.runners)
        keys = self.folder.path / KEYS
        shutil.rmtree(keys, ignore_errors=True)
        if len(runners) > 1:  # they know each other by certificates, which nobody else needs
            from actors.links.keys import make_authority, make_certificate  # what it needs is for several runners only

            make_authority(keys, job.name)
            for runner in runners:
                make_certificate(keys, runner.name)
        deploy = Deploy(
            up_pid=os.getpid(), runners=runners, state=str(state), accept_loss=self.accept_loss, bind=job.bind,
            keys=str(keys),
            flows=tuple(source.sent for source in job.flows), restart_times=job.restart_times,
            restart_period_s=float(job.restart_period_s),
        )  # fmt: skip
        self.system.tell(self.dispatcher, deploy)
        while True:
            match self._next():
                case DeploymentUp(runner_pids=pids):
                    name, pid = next(iter(pids.items()))
                    facts |= {
                        "runner": name, "runnerPid": pid, "runners": pids, "adminPid": admin,
                        "dispatcherPid": dispatcher,
                    }  # fmt: skip
                    self.folder.record(facts)
                    report({"name": job.name, **facts})
                case DeploymentFailed(errors=errors):
                    return errors
                case DeploymentDown():
                    return self.errors
                case WatchMessage(ready=ready):
                    # Each may be told of several times: what is read or forgotten already, counts no more.
                    dead = [self.watched.pop(fd) for fd in self.watched.keys() & set(ready) - {self.signal_fd}]
                    self.errors += tuple(f"{what} has died; the deployment is ended" for what in dead)
                    signalled = self._was_signalled()
                    if signalled and self.until is not None:
                        self.errors += ("it was told twice to stop, and was ended by force",)
                    if DISPATCHER in dead or (signalled and self.until is not None):
                        return self.errors
                    if dead or signalled:
                        self._stop()
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

    def _stop(self) -> None:
        if self.until is None:
            log.info("%s: stopping", self.deployment.name)
            self.until = time.monotonic() + STOP_TIMEOUT_S
            self.system.tell(self.dispatcher, StopDeployment())

    def end(self) -> None:
        """The actor system, if it is still there."""
        self.system._systemBase.transport.set_watch([])
        if any(error.startswith(ADMIN) for error in self.errors):
            self.system.tell(self.dispatcher, ActorExitRequest())
        else:
            self.system.shutdown()

    def _next(self) -> Any:
        """The next message to this process or about a watched descriptor; None when time is up."""
        base = self.system._systemBase  # `listen` would keep WatchMessages from us
        base.transport.set_watch(list(self.watched))
        left = None if self.until is None else timedelta(seconds=max(0.0, self.until - time.monotonic()))
        result = base._run_transport(left)
        return result.message if isinstance(result, ReceiveEnvelope) else None
