"""Landlock: where a host may write, whom it may signal, whom it may look into. Needs Linux 5.13."""

import os

from runtimes.confinement.kernel import syscall

TYPE_CHECKING = False  # the real one would cost more than all that is done here
if TYPE_CHECKING:
    from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
RULESET_VERSION, PATH_BENEATH = 1, 1
WRITE_FILE, TRUNCATE, REFER = 1 << 1, 1 << 14, 1 << 13
CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))  # remove and make whatever it is
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2
ABI_REFER, ABI_TRUNCATE, ABI_SCOPE = 2, 3, 6


def landlock_abi() -> int:
    """The version of landlock that the kernel has, 0 if it has none."""
    try:
        return syscall("landlock", CREATE_RULESET, None, 0, RULESET_VERSION)
    except OSError:
        return 0


def restrict(paths: "Iterable[str]", fds: "Iterable[int]") -> None:
    """Forbid to write elsewhere than below `paths` and to the files behind `fds`, and to look into other processes.

    From version 6 on also to signal them, and to connect to their abstract sockets.
    """
    version = landlock_abi()
    if version < 1:
        return
    file_rights = WRITE_FILE | (TRUNCATE if version >= ABI_TRUNCATE else 0)
    rights = file_rights | CHANGE_FOLDERS | (REFER if version >= ABI_REFER else 0)
    attribute = rights.to_bytes(8, "little")
    if version >= ABI_SCOPE:
        attribute += bytes(8) + (SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS).to_bytes(8, "little")
    ruleset = syscall("landlock_create_ruleset", CREATE_RULESET, attribute, len(attribute), 0)

    def allow(fd: int, allowed: int) -> None:
        rule = allowed.to_bytes(8, "little") + fd.to_bytes(4, "little")
        syscall("landlock_add_rule", ADD_RULE, ruleset, PATH_BENEATH, rule, 0)

    for path in paths:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allow(fd, rights if os.path.isdir(path) else file_rights)  # pathlib is not imported
        os.close(fd)
    for fd in fds:
        allow(fd, file_rights)
    syscall("landlock_restrict_self", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
