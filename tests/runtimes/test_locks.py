"""Locks of files: nobody waits for one, and whoever may only read a file cannot keep others from it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtimes import locks

HOSTILE = """
import fcntl, os, struct, sys
for path in sys.argv[1:]:
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    except OSError:
        print("only shared", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_a_reader(*paths: Path) -> Iterator[None]:
    """Another process that can only read these files locks them as much as it can."""
    words = [sys.executable, "-c", HOSTILE, *map(str, paths)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in paths:
            assert process.stdout.readline() == b"only shared\n"
        yield
        process.communicate()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def test_shared_and_seized(file: Path) -> None:
    with file.open("rb") as one, file.open("rb") as two, file.open("r+b") as writing:
        assert locks.share(one.fileno()) and locks.share(two.fileno())
        assert locks.is_locked(file) and not locks.seize(writing.fileno())
    assert not locks.is_locked(file)
    with file.open("r+b") as writing, file.open("rb") as one:
        assert locks.seize(writing.fileno())
        assert locks.is_locked(file) and not locks.share(one.fileno())
    assert not locks.is_locked(file) and not locks.is_locked(file.with_name("none"))


def test_a_lock_is_inherited(file: Path) -> None:
    with file.open("rb") as one:
        assert locks.share(one.fileno())
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[one.fileno()])
    assert locks.is_locked(file)
    process.communicate()
    assert not locks.is_locked(file)


def test_a_reader_cannot_keep_others_from_it(file: Path) -> None:
    """It can only do what a user of it may do: keep it from being seized."""
    with locked_by_a_reader(file), file.open("rb") as one, file.open("r+b") as writing:
        assert locks.share(one.fileno())
        assert not locks.seize(writing.fileno())


def test_what_an_earlier_runner_has_locked(file: Path) -> None:
    with file.open("rb") as one, file.open("r+b") as writing:
        fcntl.flock(one, fcntl.LOCK_SH)
        assert locks.is_locked(file) and not locks.seize(writing.fileno())


def test_folders_that_are_owned(tmp_path: Path) -> None:
    fd = locks.own(tmp_path)
    assert not locks.is_abandoned(tmp_path)
    os.close(fd)
    assert locks.is_abandoned(tmp_path)
    (tmp_path / "lock").unlink()
    assert not locks.is_abandoned(tmp_path)  # somebody is just making it
    os.utime(tmp_path, (0, time.time() - 2 * locks.MAKING_S))
    assert locks.is_abandoned(tmp_path)
    assert not locks.is_abandoned(tmp_path / "none")
