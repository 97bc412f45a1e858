"""Between the runner and a host or a compiler: takes away what it must not have, then becomes its command.

`python -I -S launch.py RUNNER_PID NICENESS [RLIMITS PATH...] -- COMMAND...`; RLIMITS is `NUMBER:VALUE,...`,
each PATH may be written to, everything else may not, where the kernel has landlock. Without them (a compiler) it may.

A program of its own, not a function between fork and exec: a process of the runner's size takes milliseconds to fork,
in which no message moves, while vfork and exec take a tenth of one. Imports nothing of the runner, and of the library
only what is cheap: it runs before every host, and `ctypes`, `json`, `signal` take longer than all that is done here.
"""

import _ctypes
import os
import resource
import sys

SIGKILL = 9
PR_SET_PDEATHSIG, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 23, 24, 38
# Of root's: chown, dac_override, dac_read_search, fowner, fsetid, setgid, setuid, net_bind_service, net_raw.
KEPT_CAPABILITIES = {0, 1, 2, 3, 4, 6, 7, 10, 13}

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
RULESET_VERSION, PATH_BENEATH = 1, 1
WRITE_FILE, TRUNCATE, REFER = 1 << 1, 1 << 14, 1 << 13
CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))  # remove and make whatever it is
SCOPE_SIGNAL = 2
ABI_REFER, ABI_TRUNCATE, ABI_SCOPE = 2, 3, 6

_libc = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]
_prctl, _syscall = (_ctypes.dlsym(_libc, name) for name in ("prctl", "syscall"))


def prctl(option: int, argument: int) -> int:
    """prctl with one argument."""
    return int(_ctypes.call_function(_prctl, (option, argument, 0, 0, 0)))


def syscall(*arguments: int | bytes | None) -> int:
    """A system call; negative if it fails."""
    return int(_ctypes.call_function(_syscall, arguments))


def landlock_abi() -> int:
    """The version of landlock that the kernel has, below 1 if it has none."""
    return syscall(CREATE_RULESET, None, 0, RULESET_VERSION)


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


def allow_writes(paths: list[str]) -> None:
    """Forbid to write elsewhere, to signal processes that are not the host's, and to look into them."""
    abi = landlock_abi()
    if abi < 1:
        return
    file_rights = WRITE_FILE | (TRUNCATE if abi >= ABI_TRUNCATE else 0)
    rights = file_rights | CHANGE_FOLDERS | (REFER if abi >= ABI_REFER else 0)
    attribute = rights.to_bytes(8, "little")
    if abi >= ABI_SCOPE:
        attribute += bytes(8) + SCOPE_SIGNAL.to_bytes(8, "little")
    ruleset = syscall(CREATE_RULESET, attribute, len(attribute), 0)
    for path in paths:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights if os.path.isdir(path) else file_rights  # noqa: PTH112  pathlib is not imported
        syscall(ADD_RULE, ruleset, PATH_BENEATH, allowed.to_bytes(8, "little") + fd.to_bytes(4, "little"), 0)
        os.close(fd)
    if syscall(RESTRICT_SELF, ruleset, 0) != 0:
        sys.exit("landlock_restrict_self failed")
    os.close(ruleset)


def main() -> None:
    """Die with the runner, gain no privileges, become the command."""
    end = sys.argv.index("--")
    runner, niceness, *confinement = sys.argv[1:end]
    command = sys.argv[end + 1 :]
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != int(runner):
        sys.exit("the runner has died")  # before the first prctl: no signal will come
    os.nice(int(niceness))
    try:
        if confinement:
            set_limits(confinement[0])
            drop_capabilities()
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        if confinement:
            allow_writes(confinement[1:])
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{error.filename or command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
