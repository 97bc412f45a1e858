"""One operating-system process of a host: its FIFOs, pidfd, process group and private folder. Knows no frames."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from actors.host_limits import HostLimits
from runtimes.making import launched

PIPE_BYTES = 256 << 10
FOLDER_VARIABLE = "RUNNER_HOST_FOLDER"  # marks every process of the host, so that a later runner can sweep it
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")  # the first that is set decides


class HostProcess:
    """A started host. Descriptors: `input_fd` (write), `output_fd`, `log_fd` (stdout and stderr), `pid_fd`."""

    def __init__(
        self, command: Sequence[str], folder: Path, env: dict[str, str], limits: HostLimits, niceness: int = 0
    ) -> None:  # fmt: skip
        """Start `command INPUT OUTPUT`; raises OSError with nothing left behind."""
        self.folder = folder
        self.temp = folder / "tmp"
        self.temp.mkdir(parents=True, mode=0o700)
        self._fifos = [folder / "in", folder / "out"]
        self._fds: list[int] = []
        self.cpu_s = 0.0
        try:
            for fifo in self._fifos:
                os.mkfifo(fifo, 0o600)
            # O_RDWR: opening does not wait for the host, and a write never meets a missing reader.
            self.input_fd = self._own(os.open(self._fifos[0], os.O_RDWR | os.O_NONBLOCK))
            self.output_fd = self._own(os.open(self._fifos[1], os.O_RDONLY | os.O_NONBLOCK))
            for fd in self._fds:
                with contextlib.suppress(OSError):  # an ordinary user's pipe budget is used up: slower, not wrong
                    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            self.log_fd, log_end = os.pipe()
            self._own(self.log_fd)
            os.set_blocking(self.log_fd, False)
            variables = utf8({name: os.environ[name] for name in _PASSED_ON if name in os.environ})
            try:
                self._process = subprocess.Popen(
                    launched([*command, *map(str, self._fifos)], niceness, self._confinement(limits)),
                    stdin=subprocess.DEVNULL, stdout=log_end, stderr=log_end,
                    cwd=self.temp, env=variables | {"TMPDIR": str(self.temp), FOLDER_VARIABLE: str(folder)} | env,
                    start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(log_end)
            self.pid = self._process.pid
            (folder / "pid").write_text(str(self.pid))
            self.pid_fd = self._own(os.pidfd_open(self.pid))
        except BaseException:
            self.close()
            raise

    def _confinement(self, limits: HostLimits) -> list[str]:
        """What the kernel is to hold it to."""
        rlimits = ",".join(f"{number}:{value}" for number, value in limits.rlimits().items())
        writable = [*map(str, [self.temp, *self._fifos]), *limits.writable_paths()]
        return [rlimits, *writable]

    def _own(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def unlink_fifos(self) -> None:
        """Both ends are open: the names are of no more use."""
        for fifo in self._fifos:
            fifo.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the host and everything in its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

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
        """Close the descriptors, remove the folder."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


def utf8(variables: dict[str, str]) -> dict[str, str]:
    """Environment variables with which text is UTF-8: a runner that a unit or cron has started has no such locale."""
    name = next((name for name in _LOCALE if variables.get(name)), "LANG")
    charset = variables.get(name, "").partition(".")[2].partition("@")[0]
    if charset.lower().replace("-", "") == "utf8":
        return variables
    return variables | {"LC_ALL" if name == "LC_ALL" else "LC_CTYPE": "C.UTF-8"}
