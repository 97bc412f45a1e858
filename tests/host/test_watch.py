"""What a host may use, what it uses, and the watch of it: the parts that limits are made of."""

from __future__ import annotations

import os
import resource
import select
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from actors.definition.limits import MORE_TASKS, HostLimits, limits_of
from actors.host.process import HostProcess
from actors.host.watch import HostWatch, folder_bytes, usage
from tests.test_run import wait_for


def test_limits_of_a_module() -> None:
    assert limits_of({}, True) == HostLimits(data_segment=True)
    assert not limits_of({"writable": ["/a"]}, False).watched
    assert limits_of({"cpu_s": 1}, False).temp_mb == 1024
    limits = limits_of({"memory_mb": 64, "temp_mb": 3, "writable": ["/dev/shm"]}, False)
    assert "--write=/dev/shm" in limits.places() and "--hide=/dev/shm" in limits_of({"cpu_s": 1}, False).places()
    assert "--own=/dev/shm" in limits_of({}, False).places()


def test_the_limits_of_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (resource.RLIMIT_NPROC in HostLimits().rlimits()) == (os.getuid() != 0)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    tasks = len(list(Path("/proc").glob("[0-9]*/task/*")))
    assert abs(HostLimits().rlimits()[resource.RLIMIT_NPROC] - MORE_TASKS - tasks) < 200


def test_usage_counts_what_is_below_a_process() -> None:
    program = (
        "import subprocess, sys; c = subprocess.Popen(['sh', '-c', 'sleep 1000 & wait']); print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        wait_for(lambda: usage(process.pid).processes == 3)
        children = psutil.Process(process.pid).children(recursive=True)
        for child in children:
            child.kill()
        process.kill()
    assert usage(process.pid) == (0, 0.0, 0)


def test_a_folder_of_sparse_and_nested_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 100_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "link").symlink_to("/usr")
    total, count = folder_bytes(tmp_path)
    assert count == 5 and 100_000 <= total < 1_000_000


def test_the_watch_waits_after_a_slow_sizing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sized: list[Path] = []
    clock = [0.0]

    def slow(folder: Path) -> tuple[int, int]:
        sized.append(folder)
        clock[0] += 1.0
        return 0, 0

    monkeypatch.setattr("actors.host.watch.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("actors.host.watch.folder_bytes", slow)
    watch = HostWatch(os.getpid(), tmp_path, HostLimits(temp_mb=1))
    for now in (0.0, 30.0, 50.9, 51.1):
        clock[0] = now
        assert watch.check(working=False, busy=False, commits=0) is None
    assert len(sized) == 2


def test_the_pipes_have_no_names(tmp_path: Path) -> None:
    """From the moment when the host is started; it finds them all the same."""
    folder = tmp_path / "host"
    program = 'sleep 0.2; read line <"$0"; echo "$line" >"$1"; exec sleep 1000'
    host = HostProcess(["sh", "-c", program], folder, {}, HostLimits())
    try:
        assert [path.name for path in folder.iterdir()] == ["tmp"]
        os.write(host.input_fd, b"whole\n")
        assert select.select([host.output_fd], [], [], 10)[0]
        assert os.read(host.output_fd, 100) == b"whole\n"
        host.kill()
        host.reap()
    finally:
        host.close()


def test_the_runner_may_signal_a_host(tmp_path: Path) -> None:
    """Nothing of what the launcher forbids is forbidden to the runner."""
    host = HostProcess(["sh", "-c", "exec sleep 1000"], tmp_path / "host", {}, HostLimits())
    try:
        process = psutil.Process(host.pid)
        wait_for(lambda: process.name() == "sleep")
        host.kill()
        assert host.reap() == "SIGKILL"
    finally:
        host.close()
