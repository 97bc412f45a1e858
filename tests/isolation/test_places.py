"""Where a host may write and what it sees, however the places lie in each other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actors.console.isolation import find_isolation
from actors.preparation.state_folder import hidden_places, shown_places
from runtimes.launching import launched

# Prints for each path whether it is there, and whether a file could be made in it (a file: written).
LOOK = """
import json, os, sys
def writes(path):
    try:
        os.close(os.open(path if os.path.isfile(path) else path + "/new", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    except OSError:
        return False
    return True
print(json.dumps([os.getcwd()] + [[os.path.exists(path), writes(path)] for path in sys.argv[1:]]))
"""
CHANGE = """
import os, sys
os.chdir(sys.argv[1])
open("file").close()
os.listdir("data")
print(os.stat("file").st_uid, os.readlink("/proc/self/ns/user"), sep="\\n")
try:
    os.chmod("file", 0o666)
except OSError as error:
    print(error.strerror)
"""
GONE, SEEN, WRITABLE = [False, False], [True, False], [True, True]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    if "mnt" not in find_isolation(tmp_path / "probed").namespaces:
        pytest.skip("there are no mount namespaces here")
    for folder in ("state/runs/1/host/tmp", "state/cache", "state/keys", "home/data", "home/state/tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "state/keys/key").touch()
    (tmp_path / "home/file").touch()
    return tmp_path


def look(root: Path, temp: str, paths: list[str], **options: list[str]) -> list[object]:
    words = [f"--{name}={root / path if path != '/' else path}" for name, paths in options.items() for path in paths]
    command = [sys.executable, "-c", LOOK, *(str(root / path) for path in paths)]
    launch = launched(command, 0, [f"--write={root / temp}", *words])
    done = subprocess.run(launch, cwd=root / temp, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here, *found = json.loads(done.stdout)
    assert here == str((root / temp).resolve())
    return list(found)


def test_a_place_in_a_hidden_folder(root: Path) -> None:
    paths = ["state/runs/1/host/tmp", "state", "state/keys", "state/keys/key", "state/runs/1/host", "home/data"]
    found = look(root, paths[0], paths, hide=["state"])
    assert found == [WRITABLE, SEEN, GONE, GONE, SEEN, SEEN]
    assert [path.name for path in (root / paths[0]).iterdir()] == ["new"]


def test_what_is_shown_of_a_hidden_folder(root: Path) -> None:
    found = look(root, "state/runs/1/host/tmp", ["state/cache", "state/keys"], hide=["state"], show=["state/cache"])
    assert found == [SEEN, GONE]


def test_hidden_in_each_other_and_not_there(root: Path) -> None:
    found = look(root, "state/runs/1/host/tmp", ["state/keys"], hide=["state", "state/keys", "nothing"])
    assert found == [GONE]


def test_a_hidden_folder_in_a_writable_one(root: Path) -> None:
    paths = ["home", "home/data", "home/state", "home/state/tmp"]
    found = look(root, "home/state/tmp", paths, write=["home"], hide=["home/state"])
    assert found == [WRITABLE, WRITABLE, SEEN, WRITABLE]


def test_files_and_links(root: Path) -> None:
    (root / "link").symlink_to(root / "home" / "data")
    (root / "linked state").symlink_to(root / "state")
    paths = ["link", "home/data", "home/file", "state/keys", "linked state/keys"]
    temp = "linked state/runs/1/host/tmp"
    found = look(root, temp, paths, write=["link", "home/file"], hide=["linked state"])
    assert found == [WRITABLE, WRITABLE, WRITABLE, GONE, GONE]


def test_everything_but_the_state(root: Path) -> None:
    found = look(root, "state/runs/1/host/tmp", ["home", "state/keys"], write=["/"], hide=["state"])
    assert found == [WRITABLE, GONE]


def test_a_place_of_its_own(root: Path) -> None:
    found = look(root, "state/runs/1/host/tmp", ["home", "home/data"], own=["home"])
    assert found == [WRITABLE, GONE]
    assert not (root / "home" / "new").exists()


def test_what_the_runner_hides_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caches and interpreters that hosts need, should they be in the state directory."""
    monkeypatch.setenv("RUNNER_STATE", str(tmp_path / "default"))
    hidden = hidden_places(tmp_path / "state" / "runs" / "1", tmp_path / "edge" / "kept" / "plant" / "main")
    assert set(hidden) == {str(tmp_path / "state"), str(tmp_path / "default"), str(tmp_path / "edge" / "kept")}
    (tmp_path / "link").symlink_to(tmp_path / "state")
    assert shown_places(tmp_path / "cache", hidden) == ()
    assert shown_places(tmp_path / "link" / "cache", hidden) == (str(tmp_path / "link" / "cache"),)


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="of root")
def test_a_root_that_may_not_mount(root: Path) -> None:
    """As in a container: it takes a user namespace, and still may use the files of others where it could."""
    for path in (root / "home" / "file", root / "home" / "data"):
        os.chown(path, 12345, 12345)
        path.chmod(0o600 if path.is_file() else 0o700)
    words = launched([sys.executable, "-c", CHANGE, str(root / "home")], 0, [f"--write={root}/state"])
    less = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
    done = subprocess.run([*less, *words], cwd=root / "state", capture_output=True, text=True, check=False)
    assert done.stderr == ""
    owner, namespace, refused = done.stdout.splitlines()
    assert owner == "12345" and refused == "Read-only file system"
    assert namespace != str(Path("/proc/self/ns/user").readlink())
