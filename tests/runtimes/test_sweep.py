"""What a dead host has left: processes are ended by mark, the folder is removed, whatever is in it; nothing else is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from runtimes.launching import launched
from runtimes.sweep import HOST_FOLDER, end_marked, remove, sweep_command
from tests.test_run import wait_for

DEEP = sys.getrecursionlimit() + 200


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """What is never to be touched."""
    folder = tmp_path / "outside"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("stays")
    (folder / "folder" / "file").write_text("stays")
    before = {path: path.lstat().st_mode for path in folder.rglob("*")}
    yield folder
    assert {path: path.lstat().st_mode for path in folder.rglob("*")} == before


def nest(folder: Path, depth: int) -> None:
    """Folders in folders; a path of all of them would be too long for the kernel."""
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_CREAT, dir_fd=fd))
    os.close(fd)


def test_folders_deeper_than_any_recursion(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "a").mkdir(parents=True)
    nest(folder, DEEP)
    nest(folder / "a", 100)
    assert remove(folder)
    assert not folder.exists()


def test_whatever_is_in_it(tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "f"
    (folder / "full" / "fuller").mkdir(parents=True)
    for number in range(300):
        (folder / "full" / f"file {number}").touch()
        (folder / "full" / "fuller" / str(number)).mkdir()
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket"))
    os.close(os.open(os.fsencode(folder) + b"/\xff\n", os.O_CREAT))
    for place in (folder, folder / "full" / "fuller"):
        (place / "to a file").symlink_to(outside / "file")
        (place / "to a folder").symlink_to(outside)
        (place / "to nothing").symlink_to(tmp_path / "nothing")
        os.link(outside / "file", place / "another name")
    assert remove(folder)
    assert not folder.exists()


def test_folders_that_nobody_may_enter(tmp_path: Path) -> None:
    """An ordinary user's own; root may anyway."""
    folder = tmp_path / "f"
    closed = folder / "a" / "b"
    closed.mkdir(parents=True)
    (closed / "c").mkdir()
    (closed / "c" / "file").touch()
    for path, mode in ((closed / "c", 0o500), (closed, 0), (folder / "a", 0o100), (folder, 0o400)):
        path.chmod(mode)
    assert remove(folder)
    assert not folder.exists()


def test_a_link_in_place_of_the_folder(tmp_path: Path, outside: Path) -> None:
    link = tmp_path / "f"
    link.symlink_to(outside)
    assert remove(link)
    assert not link.is_symlink() and outside.is_dir()
    assert remove(tmp_path / "nothing")


def test_links_that_come_while_it_is_removed(tmp_path: Path, outside: Path) -> None:
    """Somebody swaps folders for links to outside all the time: what is outside stays."""
    folder = tmp_path / "f"
    swaps, done = 0, threading.Event()

    def swap() -> None:
        nonlocal swaps
        while not done.is_set():
            for name in ("a", "b"):
                try:
                    os.rename(folder / name / "folder", folder / name / "kept")
                    os.symlink(outside / "folder", folder / name / "folder")
                    os.unlink(folder / name / "folder")
                    os.rename(folder / name / "kept", folder / name / "folder")
                    swaps += 1
                except OSError:
                    continue

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(60):
            for name in ("a", "b"):
                with suppress(OSError):  # it is swapped just now
                    (folder / name / "folder").mkdir(parents=True, exist_ok=True)
                    fd = os.open(folder / name / "folder", os.O_RDONLY | os.O_NOFOLLOW)
                    for number in range(20):
                        os.mkdir(str(number), dir_fd=fd)
                    os.close(fd)
            until = time.monotonic() + 20
            while not remove(folder):
                assert time.monotonic() < until
    finally:
        done.set()
        thread.join()
    assert swaps


def test_another_file_system_is_not_entered(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "mounted").mkdir(parents=True)
    (folder / "else").mkdir()
    sweep = " ".join(sweep_command([str(folder)]))
    script = f"cd {folder}; mount -t tmpfs t mounted && touch mounted/file && {sweep}; ls {folder} {folder}/mounted"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stdout.split() == [f"{folder}:", "mounted", f"{folder}/mounted:", "file"]
    assert "not all could be removed" in done.stderr
    assert remove(folder)


def test_in_slices(tmp_path: Path) -> None:
    """It ends in time, and goes on where it was."""
    folder = tmp_path / "f"
    (folder / "a" / "b").mkdir(parents=True)
    for number in range(400):
        (folder / "a" / str(number)).touch()
        (folder / "a" / "b" / str(number)).touch()
    slices = 1
    while not remove(folder, time.monotonic() + 0.0005):
        slices += 1
    assert slices > 3 and not folder.exists()


# processes ---------------------------------------------------------------------------------------------------------


@contextmanager
def process(words: list[str], **more: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(words, stdout=subprocess.PIPE, **more) as started:  # type: ignore[call-overload]
        try:
            yield started
        finally:
            started.kill()


def test_processes_are_ended_by_mark(tmp_path: Path) -> None:
    """Whatever their group, session and parent; no other one, even in the same group."""
    dead, other = tmp_path / "dead", tmp_path / "dead2"
    for folder in (dead / "host" / "tmp", other / "host" / "tmp"):
        folder.mkdir(parents=True)
    sleep = ["sleep", "100"]
    of = lambda folder: {**os.environ, HOST_FOLDER: str(folder / "host")}  # noqa: E731
    with (
        process(sleep, env=of(dead), start_new_session=True) as marked,
        process(sleep, env=of(other)) as bystander,
        process(sleep, env=of(tmp_path / "gone")) as unknown,
        process(["sh", "-c", "sleep 100 & echo $!; exit"], env=of(dead), start_new_session=True) as parent,
    ):
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.wait(60)
        end_marked([str(dead), str(tmp_path / "gone")])
        assert marked.wait(60) == -9
        wait_for(lambda: not environ(Path(f"/proc/{orphan}")))
        assert bystander.poll() is None and unknown.poll() is None


def test_a_process_without_the_mark_is_known_by_its_mounts(tmp_path: Path) -> None:
    """It has thrown its environment away."""
    try:
        subprocess.run(["unshare", "-rm", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no namespaces can be made here")
    temp = tmp_path / "dead" / "host with a space" / "tmp"
    temp.mkdir(parents=True)
    words = launched(["env", "-i", "sh", "-c", "echo ready; exec sleep 100"], 0, ["--limits=4:0", f"--write={temp}"])
    with process(words, cwd=temp, start_new_session=True) as hidden, process(["sleep", "100"]) as bystander:
        assert hidden.stdout is not None and hidden.stdout.readline() == b"ready\n"
        end_marked([str(tmp_path / "dead2")])
        assert hidden.poll() is None
        end_marked([str(tmp_path / "dead")])
        assert hidden.wait(60) == -9
        assert bystander.poll() is None


def test_the_same_name_in_a_container_is_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "dead" / "host"
    (folder / "tmp").mkdir(parents=True)
    script = f"mount -t tmpfs t {tmp_path}/dead && mkdir -p {folder}/tmp && echo ready && exec sleep 100"
    words = ["unshare", "-rm", "sh", "-c", script]
    with process(words, env={**os.environ, HOST_FOLDER: str(folder)}, stderr=subprocess.DEVNULL) as contained:
        assert contained.stdout is not None
        if contained.stdout.readline() != b"ready\n":
            pytest.skip("no namespaces can be made here")
        end_marked([str(tmp_path / "dead")])
        assert contained.poll() is None


def test_what_forks_all_the_time(tmp_path: Path) -> None:
    (tmp_path / "dead" / "tmp").mkdir(parents=True)
    program = "import os, time\nwhile True:\n    if os.fork(): time.sleep(0.05); os._exit(0)\n    os.setsid()\n"
    with process([sys.executable, "-c", program], env={HOST_FOLDER: str(tmp_path / "dead")}) as first:
        first.wait(60)
        end_marked([str(tmp_path)])
        marked = [path for path in Path("/proc").glob("[0-9]*") if environ(path) == f"{HOST_FOLDER}={tmp_path}/dead"]
        assert not marked


def environ(path: Path) -> str:
    try:
        return (path / "environ").read_text().rstrip("\0")
    except OSError:
        return ""
