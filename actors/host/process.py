"""One operating-system process of a host: its FIFOs, pidfd, process group and private folder. Knows no frames."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from actors.definition.limits import HostLimits
from runtimes.launching import kill_group, launched
from runtimes.sweep import HOST_FOLDER, TEMP

PIPE_BYTES = 256 << 10
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")  # the first that is set decides


class HostProcess:
    """A started host. Descriptors: `input_fd` (write), `output_fd`, `log_fd` (stdout and stderr), `pid_fd`.

    Its `folder` is for whoever ends it to remove (runtimes/sweep.py).
    """

    def __init__(
        self, command: Sequence[str], folder: Path, env: dict[str, str], limits: HostLimits, niceness: int = 0
    ) -> None:
        """Start `command INPUT OUTPUT`; raises OSError with nothing left behind but the folder."""
        self.folder = folder
        self.temp = folder / TEMP
        self.temp.mkdir(parents=True, mode=0o700)
        self._fds: list[int] = []
        self.cpu_s = 0.0
        with contextlib.ExitStack() as ends:  # of the host and of its log
            try:
                # O_RDWR: a write never meets a missing reader.
                self.input_fd = self._own(_nameless_fifo(folder / "in"))
                fifo = self._own(_nameless_fifo(folder / "out"))
                pipes = [_reopen(self.input_fd, os.O_RDONLY), _reopen(fifo, os.O_WRONLY)]
                for fd in pipes:
                    ends.callback(os.close, fd)
                self.output_fd = self._own(_reopen(fifo, os.O_RDONLY | os.O_NONBLOCK))
                self._fds.remove(fifo)
                os.close(fifo)
                self.log_fd, log_end = os.pipe()
                self._own(self.log_fd)
                ends.callback(os.close, log_end)
                os.set_blocking(self.log_fd, False)
                variables = utf8({name: os.environ[name] for name in _PASSED_ON if name in os.environ})
                rlimits = ",".join(f"{number}:{value}" for number, value in limits.rlimits().items())
                options = [f"--limits={rlimits}", f"--write={self.temp}", *limits.places()]
                options += [f"--pipe={fd}" for fd in pipes]
                self._process = subprocess.Popen(
                    launched(command, niceness, options), stdin=subprocess.DEVNULL, stdout=log_end, stderr=log_end,
                    cwd=self.temp, env=variables | {"TMPDIR": str(self.temp), HOST_FOLDER: str(folder)} | env,
                    pass_fds=pipes, start_new_session=True,
                )  # fmt: skip
                self.pid = self._process.pid
                self.pid_fd = self._own(os.pidfd_open(self.pid))
            except BaseException:
                self.close()
                raise

    def _own(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def kill(self) -> None:
        """End the host and everything in its process group."""
        kill_group(self.pid)

    def reap(self) -> str:
        """After the pidfd was readable: end the rest of the group, close everything; says how the host ended.

        `cpu_s` is then the processor time it took.
        """
        self.kill()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        status = self._process.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.close()
        if status >= 0:
            return f"exit status {status}"
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"

    def close(self) -> None:
        """Close our ends of its pipes, and its pidfd."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


def utf8(variables: dict[str, str]) -> dict[str, str]:
    """Environment variables with which text is UTF-8: a runner that a unit or cron has started has no such locale."""
    name = next((name for name in _LOCALE if variables.get(name)), "LANG")
    charset = variables.get(name, "").partition(".")[2].partition("@")[0]
    if charset.lower().replace("-", "") == "utf8":
        return variables
    return variables | {"LC_ALL" if name == "LC_ALL" else "LC_CTYPE": "C.UTF-8"}


def _nameless_fifo(path: Path) -> int:
    """A named pipe, open for both, whose name is gone before anybody else could open it."""
    os.mkfifo(path, 0o600)
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        path.unlink()
    with contextlib.suppress(OSError):  # an ordinary user's pipe budget is used up: slower, not wrong
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return fd


def _reopen(fifo: int, flags: int) -> int:
    """Another end of it; opening does not wait, for `fifo` reads and writes."""
    return os.open(f"/proc/self/fd/{fifo}", flags | os.O_CLOEXEC)
