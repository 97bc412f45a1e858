"""`runner keys`, and a deployment that uses a folder of keys while they are replaced."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.deployment import key_folder
from actors.links import keys
from tests.deployment.test_several_runners import completed, spread, until
from tests.deployments import RUNNER, TIMEOUT_S, plant


def cli(*words: object) -> subprocess.CompletedProcess[str]:
    command = [*RUNNER, "keys", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def shown(*words: object) -> dict[str, Any]:
    done = cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def roles(found: dict[str, Any], kind: str) -> dict[str, str]:
    return {entry["role"]: entry["id"] for entry in found[kind]}


def agree(one: Path, other: Path) -> bool:
    """Whether `a`, with the first folder, and `b`, with the other one, have a connection with each other."""
    left, right = socket.socketpair()
    tls_of = keys.contexts(other, "b").server
    came: list[bytes] = []

    def serve() -> None:
        try:
            with tls_of.wrap_socket(right, server_side=True) as tls:
                came.append(tls.recv(4))
        except OSError:
            right.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with keys.contexts(one, "a").client.wrap_socket(left) as tls:
            tls.send(b"good")
    except OSError:
        left.close()
    thread.join(20)
    return came == [b"good"]


def test_new_add_show_and_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "shop"
    made = shown("new", folder, "a", "b", "a")
    assert [runner["name"] for runner in made["runners"]] == ["a", "b"]
    assert roles(made, "authorities").keys() == roles(made, "control").keys() == {"current"}
    assert {runner["authority"] for runner in made["runners"]} == {made["authorities"][0]["id"]}
    files = {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert files == {
        "ca.crt": 0o600, "ca.key": 0o600, "control.key": 0o600, "runners": 0o700, "runners/a.pem": 0o600,
        "runners/b.pem": 0o600,
    }  # fmt: skip
    before = (folder / "runners" / "a.pem").read_bytes()
    assert [runner["name"] for runner in shown("add", folder, "a", "c")["runners"]] == ["a", "b", "c"]
    assert (folder / "runners" / "a.pem").read_bytes() == before
    bundled = shown("bundle", folder, "b", "--to", tmp_path / "b")
    assert [runner["name"] for runner in bundled["runners"]] == ["b"] and not (tmp_path / "b" / "ca.key").exists()
    assert agree(folder, tmp_path / "b")
    secret = (folder / "control.key").read_text().split()[2]
    assert secret not in cli("show", folder).stdout + cli("show", folder, "--json").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new", "DIR"], "there is something in DIR already; `runner keys rotate DIR` replaces keys"),
        (["show", "DIR/nothing"], "DIR/nothing/ca.crt: No such file or directory"),
        (["add", "DIR/nothing", "a"], "DIR/nothing has no ca.crt; `runner keys new DIR/nothing` makes"),
        (["add", "DIR", "../a"], "'../a' cannot be a runner's name"),
        (["bundle", "DIR", "z", "--to", "DIR/z"], "DIR has no certificate for z; `runner keys add DIR NAME`"),
        (["rotate", "DIR/nothing"], "DIR/nothing/control.key: No such file"),
        (["rotate", "BUNDLE"], "BUNDLE has no ca.key: keys are replaced where it is"),
        (["add", "BUNDLE", "b"], "BUNDLE has no certificate for the runner b; where ca.key is"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    names = {"DIR": str(tmp_path / "shop"), "BUNDLE": str(tmp_path / "bundle")}
    key_folder.make_keys(tmp_path / "shop", "shop", ["a"])
    key_folder.bundle(tmp_path / "shop", tmp_path / "bundle", ["a"])
    for name, place in names.items():
        words, said = [word.replace(name, place) for word in words], said.replace(name, place)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = cli(*words)
    assert done.returncode in (1, 2) and said in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_damaged_keys_are_named(tmp_path: Path) -> None:
    for name in ("ca.crt", "ca.key", "control.key"):
        folder = tmp_path / name
        key_folder.make_keys(folder, "shop", ["a"])
        (folder / name).write_text("damaged")
        for words in (["show", folder], ["rotate", folder], ["add", folder, "b"]):
            done = cli(*words)
            assert done.returncode == 1 and str(folder) in done.stderr and "Traceback" not in done.stderr


def test_one_machine_after_the_other(tmp_path: Path) -> None:
    """At every moment of a replacement any two machines agree, whichever of them has the newer folder."""
    shop, old = tmp_path / "shop", tmp_path / "old"
    key_folder.make_keys(shop, "shop", ["a", "b"])
    first = shown("show", shop)
    for stage in (["--prepare"], [], ["--finish"]):
        shutil.copytree(shop, old)
        shown("rotate", shop, *stage)
        for one in (shop, old):
            for other in (shop, old):
                assert agree(one, other), (stage, one, other)
                used = roles(shown("show", one), "control")["current"]
                assert used in roles(shown("show", other), "control").values()
        shutil.rmtree(old)
    last = shown("show", shop)
    for kind in ("authorities", "control"):
        assert roles(last, kind).keys() == {"current"} and roles(last, kind) != roles(first, kind)


def test_the_second_time_the_oldest_keys_are_forgotten(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    key_folder.make_keys(shop, "shop", ["a", "b"])
    shutil.copytree(shop, tmp_path / "first")
    shown("rotate", shop)
    assert agree(tmp_path / "first", shop) is False  # without --prepare: what is new, is used at once
    shutil.copytree(shop, tmp_path / "second")
    found = shown("rotate", shop)
    assert roles(found, "authorities").keys() == roles(found, "control").keys() == {"current", "previous"}
    assert not agree(shop, tmp_path / "first") and agree(tmp_path / "second", tmp_path / "second")


def test_ended_in_the_middle_it_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each of its writes: a folder that works, and the next one completes it."""

    class Ended(Exception):
        pass

    replace, count = Path.replace, 0
    for end in range(1, 20):
        shop = tmp_path / str(end)
        key_folder.make_keys(shop, "shop", ["a", "b"])
        before = roles(key_folder.shown(shop), "control")["current"]
        count = 0

        def ending(path: Path, target: Path) -> None:
            nonlocal count
            count += 1
            replace(path, target)
            if count == end:  # noqa: B023
                raise Ended

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", ending)
            try:
                key_folder.rotate(shop)
            except Ended:
                pass
            else:
                assert end > 6
                break
        assert agree(shop, shop), end
        key_folder.provide(shop, ["a", "b"])
        if (shop / "next.key").exists() or "previous" not in roles(key_folder.shown(shop), "control"):
            key_folder.rotate(shop)  # else it was just done
        found = key_folder.shown(shop)
        assert roles(found, "authorities").keys() == {"current", "previous"} == roles(found, "control").keys()
        assert before in roles(found, "control").values() and agree(shop, shop)
        assert not (shop / "next.key").exists()
        key_folder.finish(shop)
        assert agree(shop, shop)


# a deployment that has them ------------------------------------------------------------------------------------------


def test_a_deployment_goes_on_while_its_keys_are_replaced(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    key_folder.make_keys(shop, "shop", ["edge"])  # `up` adds the others
    with plant(tmp_path, keys="shop", **spread(tmp_path, 2_000_000)) as up:
        facts = up.wait_until_up()
        assert not (up.folder.path / "keys").exists()
        assert key_folder.runners_of(shop) == ["big", "edge", "third"]

        def goes_on() -> None:
            before = completed(up, "edge", "sum")
            until(lambda: completed(up, "edge", "sum") > before + 5000)

        goes_on()
        died = facts["runners"]["big"]
        for replaced in (key_folder.rotate, key_folder.finish, key_folder.rotate, key_folder.rotate):
            replaced(shop)
            goes_on()
            os.kill(died, signal.SIGKILL)  # what is started now has to be known by those that were up before
            until(_is_up_again(up.log, "the runner big is up again"))
            died = int(up.log.read_text().rsplit("the runner big is up again (", 1)[1].split(")")[0])
            goes_on()
        assert up.cli("down").returncode == 0
    assert key_folder.runners_of(shop) == ["big", "edge", "third"]
    assert "TLS" not in up.log.read_text() and "not sealed" not in up.log.read_text()


def _is_up_again(log: Path, words: str) -> Callable[[], bool]:
    count = log.read_text().count(words)
    return lambda: log.read_text().count(words) > count


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "has no ca.crt; `runner keys new"),
        (lambda folder: (folder / "control.key").unlink(), "has no control.key"),
        (lambda folder: (folder / "control.key").write_text("x"), "control.key:1: not a key"),
        (lambda folder: (folder / "control.key").chmod(0o644), "can be read by everybody"),
        (lambda folder: (folder / "ca.key").unlink(), "has no certificate for the runner b"),
    ],
)
def test_keys_that_cannot_be_used_are_an_error_at_the_start(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:  # fmt: skip
    key_folder.make_keys(tmp_path / "shop", "shop", ["a"])
    damage(tmp_path / "shop")
    file = tmp_path / "d.json"
    file.write_text(json.dumps({"name": "d", "runners": {"a": {}, "b": {}}, "keys": "shop"}))
    command = [*RUNNER, "--state", str(tmp_path / "state"), "up", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        ("10.0.0.1", "`bind`: an address that other machines reach needs `keys`"),
        ("localhost", "`bind` must be an IPv4 address"),
        ("0.0.0.0", "`bind`: others are told to come to this address, 0.0.0.0 is none"),
    ],
)
def test_an_address_for_others_needs_keys(tmp_path: Path, bind: str, said: str) -> None:
    file = tmp_path / "d.json"
    file.write_text(json.dumps({"name": "d", "runners": {"a": {}}, "bind": bind}))
    done = subprocess.run([*RUNNER, "up", str(file)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1 and said in done.stderr, done.stderr
