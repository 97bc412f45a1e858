"""Between the runner and a host or a compiler: takes away what it must not have, then becomes its command.

`python -I -S launch.py RUNNER_PID NICENESS [OPTION...] -- COMMAND...`; of a host the options are

    --limits=NUMBER:VALUE,...   its rlimits
    --write=PATH                it may write there; nowhere else, where the kernel can hold it to that
    --own=PATH                  it may write there, and where it can be it is a folder that nobody else has
    --hide=PATH --show=PATH     a folder that it cannot see; what it can in such a folder
    --offline=1                 it gets no socket
    --pipe=FD                   an end of its pipes, which becomes the command's next word as /dev/fd/N

Without any (a compiler) only what no program needs is refused. docs/security.md says what holds where.

A program of its own, not a function between fork and exec: a process of the runner's size takes milliseconds to fork,
in which no message moves, while vfork and exec take a tenth of one. Imports nothing of the runner but
confinement/, and of the library only what is cheap: it runs before every host, and `ctypes`, `json`, `signal` take
longer than all that is done here.
"""

import os
import resource
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from runtimes.confinement import landlock, mounts, seccomp
from runtimes.confinement.kernel import prctl

SIGKILL = 9
PR_SET_PDEATHSIG, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 23, 24, 38, 47
AMBIENT_CLEAR = 4
# Of root's: what it takes to use files of others (chown, dac_override, dac_read_search, fowner), net_bind_service.
KEPT_CAPABILITIES = {0, 1, 2, 3, 10}


def set_limits(limits: str) -> None:
    """Set each limit for good, unless it is lower already."""
    for limit in limits.split(","):
        number, value = map(int, limit.split(":"))
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def drop_capabilities() -> None:
    """So that root's host has no power over the system when the exec has happened."""
    for number in range(64):
        if number not in KEPT_CAPABILITIES and prctl(PR_CAPBSET_READ, number) == 1:
            prctl(PR_CAPBSET_DROP, number)
    prctl(PR_CAP_AMBIENT, AMBIENT_CLEAR)


def confine(options: list[str]) -> list[str]:
    """What a host is held to, each measure where there is one; returns more words for its command."""
    kinds = ("limits", "write", "own", "hide", "show", "offline", "pipe")
    given: dict[str, list[str]] = {kind: [] for kind in kinds}
    for option in options:
        name, _, value = option.partition("=")
        given[name.removeprefix("--")].append(value)
    for limits in given["limits"]:
        set_limits(limits)
    try:
        mounts.enter(given["write"], given["own"], given["hide"], given["show"])
    except OSError:
        pass
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    inherited = [int(fd) for fd in given["pipe"]]
    pipes = [os.dup(fd) for fd in inherited]  # the runner's numbers may be beyond the limit of open files
    for fd, former in zip(pipes, inherited, strict=True):
        os.set_inheritable(fd, True)
        os.close(former)
    landlock.restrict([*given["write"], *given["own"]], pipes)
    return [f"/dev/fd/{fd}" for fd in pipes]


def main() -> None:
    """Die with the runner, gain no privileges, become the command."""
    end = sys.argv.index("--")
    runner, niceness, *options = sys.argv[1:end]
    command = sys.argv[end + 1 :]
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != int(runner):
        sys.exit("the runner has died")  # before the first prctl: no signal will come
    os.nice(int(niceness))
    try:
        if options:
            command += confine(options)
            prctl(PR_SET_PDEATHSIG, SIGKILL)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        try:
            seccomp.restrict(os.getpid(), "--offline=1" in options)
        except OSError:
            pass
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{error.filename or command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
