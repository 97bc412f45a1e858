"""System calls for which Python has no function, without what `ctypes` takes to import."""

import _ctypes
import os
import sys

_USE_ERRNO, _C_CALL = 8, 1
_libc = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Character(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "c"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _C_CALL | _USE_ERRNO
    _restype_ = _Int


_prctl, _syscall, _mount, _unshare = (
    _Function(_ctypes.dlsym(_libc, name)) for name in ("prctl", "syscall", "mount", "unshare")
)


def machine() -> str:
    """`x86_64`, `aarch64`, ... as this process sees it; "" if it is a 32-bit process on a 64-bit kernel."""
    return os.uname().machine if sys.maxsize > 2**32 else ""


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = _ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def prctl(option: int, argument: int = 0) -> int:
    """prctl with one argument; negative if it fails."""
    return int(_prctl(option, argument, 0, 0, 0))


def syscall(what: str, *arguments: int | bytes | None) -> int:
    """A system call; raises OSError with `what` as its file name. Integers are C ints."""
    return _checked(int(_syscall(*arguments)), what)


def mount(source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None = None) -> None:
    """The system call mount(2); raises OSError."""
    _checked(int(_mount(source, target, kind, flags, options)), "mount")


def unshare(flags: int) -> None:
    """The system call unshare(2); raises OSError."""
    _checked(int(_unshare(flags)), "unshare")


class Memory:
    """Bytes at an address that the kernel may be told."""

    def __init__(self, content: bytes) -> None:
        self._array = (_Character * len(content)).from_buffer_copy(content)
        self.address = int(_ctypes.addressof(self._array))
