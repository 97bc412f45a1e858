"""Between the runner and a host or a compiler: `python -I -S launch.py RUNNER_PID NICENESS COMMAND...` becomes COMMAND.

A program of its own, not a function between fork and exec: a process of the runner's size takes milliseconds to fork,
in which no message moves, while vfork and exec take a tenth of one. Imports nothing of the runner.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> None:
    """Die with the runner, gain no privileges, become the command."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the runner has died")  # before the first prctl: no signal will come
    os.nice(int(sys.argv[2]))
    command = sys.argv[3:]
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


main()
