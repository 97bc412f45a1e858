"""The filter of system calls, interpreted here as the kernel does, for both architectures."""

from __future__ import annotations

import os

import pytest

from runtimes.confinement import seccomp
from runtimes.confinement.seccomp import ALLOW, REFUSE

PID = 4711
NEGATIVE = 0xFFFFFFFF
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def answer(architecture: int, number: int, *arguments: int, offline: bool = False) -> int:
    """What the filter for a machine of this architecture says."""
    column = {X86_64: 0, AARCH64: 1}.get(architecture, 0)
    program = seccomp._program({0: X86_64, 1: AARCH64}[column], column, PID, offline)
    data = number.to_bytes(4, "little") + architecture.to_bytes(4, "little") + bytes(8)
    data += b"".join(argument.to_bytes(8, "little") for argument in (*arguments, *[0] * 6)[:6])
    at, accumulator = 0, 0
    while True:
        code, true, false, operand = program[at]
        at += 1
        if code == seccomp.LOAD:
            accumulator = int.from_bytes(data[operand : operand + 4], "little")
        elif code == seccomp.RETURN:
            return operand
        else:
            holds = {
                seccomp.EQUAL: accumulator == operand,
                seccomp.AT_LEAST: accumulator >= operand,
                seccomp.ANY_OF: bool(accumulator & operand),
            }[code]
            at += true if holds else false


def numbers(name: str, x86_64: int | None, aarch64: int | None) -> list[object]:
    found = [(X86_64, x86_64, f"{name}-x86_64"), (AARCH64, aarch64, f"{name}-aarch64")]
    return [pytest.param(machine, number, id=id) for machine, number, id in found if number is not None]


@pytest.mark.parametrize(
    ("machine", "number"),
    [*numbers("read", 0, 63), *numbers("write", 1, 64), *numbers("execve", 59, 221), *numbers("futex", 202, 98),
     *numbers("personality", 135, 92), *numbers("socket", 41, 198), *numbers("kill", 62, 129),
     *numbers("pidfd_open", 434, 434), *numbers("landlock", 444, 444), *numbers("seccomp", 317, 277),
     *numbers("renameat2", 316, 276), *numbers("sched_getaffinity", 204, 123)],
)  # fmt: skip
def test_what_every_program_needs(machine: int, number: int) -> None:
    for arguments in ((), (NEGATIVE,) * 6, (0o7777,) * 6):
        assert answer(machine, number, *arguments) == ALLOW


@pytest.mark.parametrize(("machine", "number"), numbers("socket", 41, 198))
def test_what_is_offline_gets_no_socket(machine: int, number: int) -> None:
    assert answer(machine, number, 1, 1, offline=True) == REFUSE
    assert answer(machine, number + 1, offline=True) == ALLOW


@pytest.mark.parametrize(
    ("machine", "number"),
    [*numbers("ptrace", 101, 117), *numbers("process_vm_writev", 311, 271), *numbers("kexec_load", 246, 104),
     *numbers("mount", 165, 40), *numbers("move_mount", 429, 429), *numbers("open_by_handle_at", 304, 265),
     *numbers("pidfd_getfd", 438, 438), *numbers("keyctl", 250, 219), *numbers("setns", 308, 268)],
)  # fmt: skip
def test_what_none_does(machine: int, number: int) -> None:
    assert answer(machine, number) == REFUSE


@pytest.mark.parametrize(("machine", "number"), numbers("prlimit64", 302, 261))
def test_limits_of_others_can_only_be_read(machine: int, number: int) -> None:
    for pid, refused in ((0, False), (PID, False), (PID + 1, True), (1, True), (NEGATIVE, True)):
        assert (answer(machine, number, pid, 7, 1 << 40) == REFUSE) == refused  # a pointer of which the lower half is 0
        assert (answer(machine, number, pid, 7, 0x1234) == REFUSE) == refused
        assert answer(machine, number, pid, 7, 0) == ALLOW


@pytest.mark.parametrize(
    ("machine", "number", "everybody"), [(X86_64, 141, 2), (AARCH64, 140, 2), (X86_64, 251, 3), (AARCH64, 30, 3)]
)
def test_priorities_of_others(machine: int, number: int, everybody: int) -> None:
    assert answer(machine, number, everybody, 0) == REFUSE
    assert answer(machine, number, everybody - 1, PID) == ALLOW
    assert answer(machine, number, everybody - 1, 1) == REFUSE


@pytest.mark.parametrize(
    ("machine", "number", "place"),
    [(X86_64, 90, 1), (X86_64, 91, 1), (X86_64, 268, 2), (X86_64, 452, 2), (X86_64, 85, 1), (X86_64, 133, 1),
     (X86_64, 259, 2), (AARCH64, 52, 1), (AARCH64, 53, 2), (AARCH64, 452, 2), (AARCH64, 33, 2)],
)  # fmt: skip
def test_modes(machine: int, number: int, place: int) -> None:
    for mode in range(0o10000):
        arguments = [0] * 6
        arguments[place] = mode
        assert (answer(machine, number, *arguments) == REFUSE) == bool(mode & 0o6000)


@pytest.mark.parametrize(("machine", "number", "flags"), [(X86_64, 2, 1), (X86_64, 257, 2), (AARCH64, 56, 2)])
def test_modes_of_what_is_opened(machine: int, number: int, flags: int) -> None:
    """Without O_CREAT and O_TMPFILE the mode is whatever was in the register."""
    for flag in (os.O_RDWR, os.O_CREAT, os.O_TMPFILE | os.O_RDWR, os.O_DIRECTORY):
        matters = flag in (os.O_CREAT, os.O_TMPFILE | os.O_RDWR)
        arguments = [0] * 6
        arguments[flags], arguments[flags + 1] = flag, 0o4755
        assert (answer(machine, number, *arguments) == REFUSE) == matters
        arguments[flags + 1] = 0o755
        assert answer(machine, number, *arguments) == ALLOW


@pytest.mark.parametrize(("machine", "number"), [*numbers("clone", 56, 220), *numbers("unshare", 272, 97)])
def test_namespaces(machine: int, number: int) -> None:
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, number, 17 | bit) == REFUSE
    assert answer(machine, number, 0x3D0F00) == ALLOW  # a thread of glibc's


def test_another_architecture() -> None:
    """32-bit calls, x32 calls: their numbers mean something else."""
    assert answer(0x40000003, 1) == seccomp.ABSENT
    assert answer(X86_64, 0x40000000 | 101) == seccomp.ABSENT


def test_what_is_as_if_it_were_not_there() -> None:
    for number in (425, 426, 427, 435, 437):
        assert answer(X86_64, number) == answer(AARCH64, number) == seccomp.ABSENT
