"""Seccomp: the system calls that a host is refused: what reaches other processes or the kernel, or makes set-uid files.

The filter is classic BPF, made by hand. It costs next to nothing: since Linux 5.11 the kernel remembers which calls are
allowed whatever their arguments, and asks the filter only for the others.
"""

import os

from runtimes.confinement.kernel import Memory, machine, syscall

SET_MODE_FILTER, NO_SPECULATION_LIMITS = 1, 4
ALLOW, REFUSE, ABSENT = 0x7FFF0000, 0x50000 | 1, 0x50000 | 38  # errno EPERM, ENOSYS
LOAD, EQUAL, AT_LEAST, ANY_OF, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
X32 = 0x40000000
SET_ID_MODES = 0o6000
CREATES = os.O_CREAT | 0o20000000  # O_TMPFILE
NEW_NAMESPACES, NEW_TIME = 0x7E020000, 0x80  # of clone and unshare: mount, cgroup, uts, ipc, user, pid, net
TYPE_FOR_ANOTHER = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
ALL_OF_THE_USER = {"setpriority": 2, "ioprio_set": 3}

# Per architecture its number in seccomp_data, that of seccomp(2), and the column of the tables.
_MACHINES = {"x86_64": (0xC000003E, 317, 0), "aarch64": (0xC00000B7, 277, 1)}
_NONE = -1  # this architecture has no such call

_REFUSED = {
    # other processes, and the keys of the user
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "syslog": (103, 116),
    # mounts, and ways around them
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "open_by_handle_at": (304, 265),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
}  # fmt: skip
# They do the same as others where no filter can see it. Programs do without: old kernels have none of them.
_ABSENT = {
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "clone3": (435, 435), "openat2": (437, 437),
}  # fmt: skip
# What changes a process: which argument says whose. Allowed is one's own: 0, or the host's first process.
_OWN = {
    "prlimit64": (302, 261, 0), "setpriority": (141, 140, 1), "ioprio_set": (251, 30, 1),
    "sched_setparam": (142, 118, 0), "sched_setscheduler": (144, 119, 0), "sched_setattr": (314, 274, 0),
    "sched_setaffinity": (203, 122, 0), "migrate_pages": (256, 238, 0), "move_pages": (279, 239, 0),
}  # fmt: skip
# What gives a file a mode: in which argument; and in which the flags are that say whether it is made.
_MODES = {
    "chmod": (90, _NONE, 1, None), "fchmod": (91, 52, 1, None), "fchmodat": (268, 53, 2, None),
    "fchmodat2": (452, 452, 2, None), "creat": (85, _NONE, 1, None), "mknod": (133, _NONE, 1, None),
    "mknodat": (259, 33, 2, None), "open": (2, _NONE, 2, 1), "openat": (257, 56, 3, 2),
}  # fmt: skip
_CLONE, _UNSHARE, _IOCTL, _SOCKET = (56, 220), (272, 97), (16, 29), (41, 198)

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def restrict(pid: int, offline: bool = False) -> None:
    """From now on refuse these calls to this process and what it starts; raises OSError. It must gain no privileges.

    `pid` is the process that the host begins as; `offline`: it gets no socket at all. Does nothing on machines other
    than x86-64 and arm64.
    """
    known = _MACHINES.get(machine())
    if known is not None:
        architecture, seccomp, column = known
        instructions = _program(architecture, column, pid, offline)
        code = Memory(b"".join(map(_packed, instructions)))
        program = len(instructions).to_bytes(8, "little") + code.address.to_bytes(8, "little")
        syscall("seccomp", seccomp, SET_MODE_FILTER, NO_SPECULATION_LIMITS, program)


def _program(architecture: int, column: int, pid: int, offline: bool = False) -> list[Instruction]:
    program = [
        (LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), _end(ABSENT),
        (LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), _end(ABSENT),
    ]  # fmt: skip

    def rule(number: int, *body: Instruction) -> None:
        if number != _NONE:
            program.extend([(EQUAL, 0, len(body), number), *body])

    for calls, answer in ((_REFUSED, REFUSE), (_ABSENT, ABSENT)):
        for numbers in calls.values():
            rule(numbers[column], _end(answer))
    if offline:
        rule(_SOCKET[column], _end(REFUSE))
    for name, (*places, whose) in _OWN.items():
        own = [_load(whose), (EQUAL, 2, 0, 0), (EQUAL, 1, 0, pid), _end(REFUSE), _end(ALLOW)]
        if name in ALL_OF_THE_USER:
            own = [_load(0), (EQUAL, 0, 1, ALL_OF_THE_USER[name]), _end(REFUSE), *own]
        elif name == "prlimit64":  # without a new limit it only reads
            own = [_load(2), (EQUAL, 0, 3, 0), _load(2, 4), (EQUAL, 0, 1, 0), _end(ALLOW), *own]
        rule(places[column], *own)
    for *places, mode, flags in _MODES.values():
        made = [] if flags is None else [_load(flags), (ANY_OF, 1, 0, CREATES), _end(ALLOW)]
        rule(places[column], *made, *_refused_if(mode, SET_ID_MODES))
    rule(_CLONE[column], *_refused_if(0, NEW_NAMESPACES))
    rule(_UNSHARE[column], *_refused_if(0, NEW_NAMESPACES | NEW_TIME))
    one, other = TYPE_FOR_ANOTHER
    rule(_IOCTL[column], _load(1), (EQUAL, 2, 0, one), (EQUAL, 1, 0, other), _end(ALLOW), _end(REFUSE))
    return [*program, _end(ALLOW)]


def _load(argument: int, offset: int = 0) -> Instruction:
    """The lower half of an argument, or with `offset` 4 the upper."""
    return LOAD, 0, 0, ARGUMENTS + 8 * argument + offset


def _refused_if(argument: int, bits: int) -> list[Instruction]:
    return [_load(argument), (ANY_OF, 0, 1, bits), _end(REFUSE), _end(ALLOW)]


def _end(answer: int) -> Instruction:
    return RETURN, 0, 0, answer


def _packed(instruction: Instruction) -> bytes:
    code, true, false, operand = instruction
    return code.to_bytes(2, "little") + bytes((true, false)) + operand.to_bytes(4, "little")
