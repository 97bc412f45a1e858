"""Tries what it is told to, and says what came of it: "done", or why not. The same in Go: hostile.go."""

import contextlib
import ctypes
import glob
import os
import resource
import socket
import stat
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CALLS = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
PTRACE, KEYCTL, BPF, PERF = ((101, 117), (250, 219), (321, 280), (298, 241))
IO_URING_SETUP, CLONE3, READV, GETFD = (425, 425), (435, 435), (310, 270), (438, 438)


def call(numbers, *arguments):
    """A system call by its number."""
    if libc.syscall(numbers[CALLS], *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def pipes(_):
    """Open every pipe of every other process."""
    mine = {os.stat(fd).st_ino for fd in glob.glob("/proc/self/fd/*") if os.path.exists(fd)}
    opened = []
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            found = os.stat(link)
            if stat.S_ISFIFO(found.st_mode) and found.st_ino not in mine:
                os.close(os.open(link, os.O_RDONLY | os.O_NONBLOCK))
                opened.append(link)
        except OSError:
            pass
    if not opened:
        raise PermissionError("no pipe of another process can be opened")
    return opened


def steal(m):
    """Read from the pipe of a host that is just starting, if it has a name."""
    until, kept = time.monotonic() + m["seconds"], {}
    while time.monotonic() < until:
        for place, _, names in os.walk(m["path"]):
            for path in [os.path.join(place, name) for name in names]:
                if path not in kept and stat.S_ISFIFO(os.lstat(path).st_mode):
                    kept[path] = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        for fd in kept.values():
            try:
                if data := os.read(fd, 1 << 16):
                    return data.decode("latin1")
            except BlockingIOError:
                pass
    raise FileNotFoundError("nothing to be had")


def unshare(m):
    if libc.unshare(m["flags"]) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(m):
    if libc.mount(b"none", m["path"].encode(), b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def remount(m):
    if libc.mount(None, m["path"].encode(), None, 32 | 4096, None) < 0:  # MS_REMOUNT | MS_BIND: writable
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def unmount(m):
    if libc.umount2(m["path"].encode(), 2) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def make(m):
    os.umask(0)
    os.close(os.open(m["path"], os.O_CREAT | os.O_WRONLY, m["mode"]))
    return os.stat(m["path"]).st_mode


def chmod(m):
    os.chmod(m["path"], m["mode"])


def own_file(m):
    """In the temporary folder."""
    open("own", "w").close()
    os.chmod("own", m["mode"])
    return os.stat("own").st_mode


def connect(m):
    """To a socket, and a call of the API."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(m["path"].replace("@", "\0"))
    with contextlib.suppress(BrokenPipeError):  # refused already: the answer is there
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"listFlows","params":{}}\n')
    answer = client.recv(1 << 16).decode()
    if "result" not in answer:
        raise PermissionError(answer)
    return answer


def orphan(m):
    """The same by a process whose parent has ended, in a session of its own, with no environment."""
    program = (
        "import os, sys, socket, time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "time.sleep(0.1)\n"
        "c = socket.socket(socket.AF_UNIX); c.settimeout(5)\n"
        "try:\n"
        "    c.connect(sys.argv[1])\n"
        '    c.sendall(b\'{"jsonrpc":"2.0","id":1,"method":"listFlows","params":{}}\\n\')\n'
        "    print(c.recv(65536).decode())\n"
        "except OSError as error: print(error)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, m["path"]], env={}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    if "result" not in answer:
        raise PermissionError(answer)
    return answer


def shared_memory(m):
    path = f"/dev/shm/{m['name']}"
    with open(path, "r+b") as file:
        file.write(b"!")


DO = {
    "pipes": pipes,
    "steal": steal,
    "read": lambda m: open(m["path"], "rb").read(100).decode("latin1"),
    "write": lambda m: open(m["path"], "w").write("was here"),
    "list": lambda m: os.listdir(m["path"]) or (_ for _ in ()).throw(FileNotFoundError("nothing is there")),
    "chmod": chmod,
    "chown": lambda m: os.chown(m["path"], os.getuid(), os.getgid()),
    "utime": lambda m: os.utime(m["path"], (1, 1)),
    "xattr": lambda m: os.setxattr(m["path"], "user.hostile", b"1"),
    "rename": lambda m: os.rename(m["path"], m["path"] + "2"),
    "link": lambda m: os.link(m["path"], "linked"),
    "unlink": lambda m: os.unlink(m["path"]),
    "truncate": lambda m: os.truncate(m["path"], 0),
    "make": make,
    "own_file": own_file,
    "limit": lambda m: resource.prlimit(m["pid"], resource.RLIMIT_NOFILE, (8, 8)),
    "see_limit": lambda m: list(resource.prlimit(m["pid"], resource.RLIMIT_NOFILE)),
    "own_limit": lambda m: [resource.setrlimit(resource.RLIMIT_CPU, (900, 900)),
                            resource.prlimit(os.getpid(), resource.RLIMIT_CPU, (800, 800))],
    "nice": lambda m: os.setpriority(m["which"], m["pid"], 19),
    "affinity": lambda m: os.sched_setaffinity(m["pid"], {0}),
    "scheduler": lambda m: os.sched_setscheduler(m["pid"], os.SCHED_BATCH, os.sched_param(0)),
    "signal": lambda m: os.kill(m["pid"], 28),
    "ptrace": lambda m: call(PTRACE, 16, m["pid"], 0, 0),
    "memory": lambda m: open(f"/proc/{m['pid']}/mem", "rb").close(),
    "readv": lambda m: call(READV, m["pid"], 0, 0, 0, 0, 0),
    "getfd": lambda m: call(GETFD, os.pidfd_open(m["pid"]), 0, 0),
    "keyctl": lambda m: call(KEYCTL, 0, -3, 0),
    "bpf": lambda m: call(BPF, 0, 0, 0),
    "perf": lambda m: call(PERF, 0, 0, 0, 0, 0),
    "io_uring": lambda m: call(IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
    "clone3": lambda m: call(CLONE3, 0, 0),
    "unshare": unshare,
    "mount": mount,
    "remount": remount,
    "unmount": unmount,
    "connect": connect,
    "orphan": orphan,
    "shm": shared_memory,
}  # fmt: skip


def run(message, context):
    try:
        answer = DO[message["do"]](message)
    except OSError as error:
        return {"refused": str(error)}
    return {"done": answer if isinstance(answer, (str, int, list)) else None}
