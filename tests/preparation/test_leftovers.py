"""What hosts leave behind, processes and folders: nothing of it stays, whether the runner lives or was killed."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from actors.console.isolation import find_isolation
from actors.messages import client_to_runner as api
from runtimes.sweep import sweep_command
from tests.harness import Harness, running
from tests.test_run import command, hosts_of, started, wait_for

# Starts a process that has another session and parent than the host: with the host's environment, or with none.
DAEMON = """
import os, subprocess, sys
PROGRAM = "import os, time\\nif os.fork(): os._exit(0)\\nos.setsid()\\nif os.fork(): os._exit(0)\\n" \\
          "print(os.getpid(), flush=True)\\nos.close(1)\\ntime.sleep(1000)"
def run(message, context):
    env = None if message == "marked" else {}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kinds(state: Path) -> list[str]:
    """Of daemons that can be found again."""
    return ["marked", "unmarked"] if "mnt" in find_isolation(state).namespaces else ["marked"]


def test_the_next_start_ends_what_a_killed_runner_left(tmp_path: Path) -> None:
    """Hosts die with their runner; what they have started in sessions of their own does not, until then."""
    flow = tmp_path / "f.yaml"
    code = "".join(f"      {line}\n" for line in DAEMON.splitlines())
    flow.write_text(f"id: f\nmodules:\n  a:\n    runtime: python3\n    code: |\n{code}")
    some = kinds(tmp_path / "probed")
    with started(
        command(tmp_path, flow, "-i", "a.in=-", "-o", "a.out=-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write("".join(f'"{kind}"\n' for kind in some).encode())
        process.stdin.flush()
        daemons = [int(process.stdout.readline()) for _ in some]
        hosts = hosts_of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for(lambda: not any(alive(host.pid) for host in hosts))
    assert all(map(alive, daemons))
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        subprocess.run(command(tmp_path, flow, "--for", "0"), timeout=60, check=True, stderr=subprocess.DEVNULL)
        wait_for(lambda: not any(map(alive, daemons)))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert list((tmp_path / "state" / "runs").iterdir()) == []


def left(runner: Harness) -> list[str]:
    """Folders of hosts."""
    return [path.name for path in runner.folder.path.iterdir() if path.is_dir()]


def test_a_host_that_ends_leaves_nothing(runner: Harness, tmp_path: Path) -> None:
    """Neither its folder nor what it has started, whatever that is to survive; another host's stays."""
    daemon = {"runtime": "python3", "code": DAEMON}
    runner.add("f", {"a": daemon, "b": daemon | {"isolated": True}})
    runner.start("f")
    daemons: dict[str, list[int]] = {}
    some = kinds(tmp_path / "probed")
    for module in ("a", "b"):
        out = runner.collect("f", module)
        runner.send(f"f/{module}", *some)
        runner.wait(lambda out=out: len(out.got) == len(some))
        daemons[module] = out.got
    assert len(left(runner)) == 2
    os.kill(runner.state("f")["hosts"]["python3"]["pid"], signal.SIGKILL)
    runner.wait(lambda: not any(map(alive, daemons["a"])))
    assert all(map(alive, daemons["b"]))
    runner.wait(lambda: runner.bridge("f", "python3").starts == 2 and len(left(runner)) == 2)
    runner.ok(api.StopFlow, flow_id="f")
    runner.wait(lambda: not any(map(alive, daemons["b"])))
    runner.wait(lambda: not left(runner))


HOARD: dict[str, Any] = {
    "deep": "    fd = os.open('.', os.O_RDONLY)\n    for _ in range(1500):\n        os.mkdir('d', dir_fd=fd)\n"
    "        below = os.open('d', os.O_RDONLY, dir_fd=fd)\n        os.close(fd)\n        fd = below\n",
    "wide": "    for number in range(4000): open(str(number), 'w').close()\n",
    "closed": "    os.makedirs('a/b/c')\n    for path in ('a/b/c', 'a/b', 'a'): os.chmod(path, 0)\n",
    "links": "    os.symlink(message, 'link')\n    os.symlink('/', 'root')\n",
}


@pytest.mark.parametrize("what", HOARD)
def test_whatever_a_module_leaves_in_its_folder(runner: Harness, tmp_path: Path, what: str) -> None:
    """It is removed, nothing blocks, nothing else is touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    code = f"import os\ndef run(message, context):\n{HOARD[what]}    return 1\n"
    runner.add("f", {"a": {"runtime": "python3", "code": code}})
    runner.start("f")
    out = runner.collect("f", "a")
    runner.send("f/a", str(outside))
    runner.wait(lambda: out.got)
    slices = _slices(runner)
    runner.ok(api.StopFlow, flow_id="f")
    runner.wait(lambda: not left(runner), timeout_s=60)
    assert (outside / "file").exists()
    assert max(slices) < 0.1, "removing a folder has kept the runner from everything else"


def _slices(runner: Harness) -> list[float]:
    """How long the sweeper has kept the runner's thread, each time, in seconds of its processor."""
    import time

    from actors.preparation.sweeper import SweeperActor

    taken = [0.0]
    sweeper = next(ref.instance for ref in runner.base.actorRegistry.values() if isinstance(ref.instance, SweeperActor))
    whole = sweeper._go_on

    def measured() -> None:
        before = time.thread_time()
        whole()
        taken.append(time.thread_time() - before)

    sweeper._go_on = measured
    return taken


def test_a_runner_that_ends_does_not_wait_for_a_hoard(tmp_path: Path) -> None:
    """What takes longer than a second is left to a process that outlives it; the run folder has its name no more."""
    with running(tmp_path / "state") as runner:
        hoard = runner.folder.path / "f-1" / "tmp"
        hoard.mkdir(parents=True)
        path = runner.folder.path
        for number in range(3):
            (hoard / str(number)).touch()
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setattr("actors.preparation.state_folder.SWEEP_S", -1.0)
        script = f'readlink /proc/$$/fd/2 >{tmp_path}/outputs; exec "$@"'
        words = lambda folders: ["/bin/sh", "-c", script, "sh", *sweep_command(folders)]  # noqa: E731
        monkeypatch.setattr("actors.preparation.state_folder.sweep_command", words)
    monkeypatch.undo()
    assert not path.exists()
    wait_for(lambda: list((tmp_path / "state" / "runs").iterdir()) == [])
    assert (tmp_path / "outputs").read_text() == "/dev/null\n"  # whoever reads ours does not wait for it


LOCKER = """
import fcntl, os
kept = []
def run(folder, context):
    for place, _, names in os.walk(folder):
        for name in [*names, "."]:
            try:
                fd = os.open(os.path.join(place, name), os.O_RDONLY)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                kept.append(fd)
            except OSError: pass
    return len(kept)
"""


def test_a_module_that_locks_the_cache_freezes_nobody(cache: Path, tmp_path: Path) -> None:
    """It has read-only descriptors of all that is there, and locks each: others install, start and end as before."""
    toy = {"runtime": "toy", "code": "def run(m, c):\n    return m\n", "dependencies": ["p=1"]}
    with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        one.add("f", {"a": toy, "b": {"runtime": "python3", "code": LOCKER}})
        one.start("f")
        out = one.collect("f", "b")
        one.send("f/b", str(cache))
        one.wait(lambda: out.got)
        assert out.got[0] > 3
        for dependency in ("p=1", "p=2"):  # what is there, and what is not
            two.add(dependency[-1].replace("1", "g").replace("2", "h"), {"a": toy | {"dependencies": [dependency]}})
        for flow in ("g", "h"):
            two.start(flow)
            two.ok(api.RemoveFlow, flow_id=flow)
        assert not two.call(api.RemoveDependencies, runtime_id="toy", environment_id=one_environment(two)).ok


def one_environment(runner: Harness) -> str:
    """That of p=1: it is in use."""
    listed = runner.ok(api.ListDependencies, runtime_id="toy")
    return next(entry["environmentId"] for entry in listed if entry["dependencies"] == ["p=1"])
