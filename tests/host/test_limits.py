"""Limits and isolation of user code: what misbehaves is stopped alone, with a clear reason, and the flow goes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.definition.limits import HOST_FILES
from actors.definition.model import FlowError
from actors.definition.validation import check_flow
from actors.messages import client_to_runner as api
from runtimes.confinement.landlock import ABI_SCOPE, landlock_abi
from tests.harness import Harness, need

RUNTIMES = ["python3", "node"]
REFUSED = re.compile("ermission denied|ead-only file system|EROFS")  # by landlock, or by the mount namespace before it
EAT = {
    "python3": "    kept = []\n    while True: kept.append(b'x' * (4 << 20))",
    "node": "  const kept = []; for (;;) kept.push(Buffer.alloc(4 << 20, 1))",
}
# Memory that no heap flag and no RLIMIT_DATA counts: only the watch sees it.
EAT_OUTSIDE = {
    "python3": "    import mmap; m = mmap.mmap(-1, 300 << 20); m[0] = 1\n"
    "    for at in range(0, len(m), 4096): m[at] = 1\n    while True: pass",
    "node": "  const a = new Uint8Array(new SharedArrayBuffer(300 << 20)).fill(1); for (;;) a[0]++",
}
PYTHON_CHILD = "import mmap; m = mmap.mmap(-1, 300 << 20); [m.write(bytes(1 << 20)) for _ in range(300)]; input()"
EAT_CHILD = {
    "python3": "    import subprocess, sys\n"
    f"    subprocess.Popen([sys.executable, '-c', {PYTHON_CHILD!r}], stdin=subprocess.PIPE).wait()",
    "node": "  require('child_process').execFileSync(process.execPath,"
    " ['-e', 'globalThis.x = Buffer.alloc(300 << 20, 1); setInterval(() => {}, 1000)'])",
}
SPIN = {"python3": "    while True: pass", "node": "  for (;;);"}
FILL = {
    "python3": "    for n in range(10**6):\n        with open(str(n), 'wb') as f: f.write(b'x' * (1 << 20))",
    "node": "  for (let n = 0; ; n++) require('fs').writeFileSync(`${n}`, Buffer.alloc(1 << 20))",
}
FILL_ONE = {
    "python3": "    with open('one', 'wb') as f:\n        while True: f.write(b'x' * (1 << 20))",
    "node": "  const fs = require('fs'), one = fs.openSync('one', 'w'); for (;;) fs.writeSync(one, Buffer.alloc(9999))",
}
OPEN = {
    "python3": "    kept = [open('/dev/null') for _ in range(10**5)]",
    "node": "  for (;;) require('fs').openSync('/dev/null')",
}
FORK = {
    "python3": "    import os, time\n    while True:\n        if os.fork() == 0: time.sleep(1000)",
    "node": "  for (;;) require('child_process').spawn('sleep', ['1000'])",
}
WRITE = {
    "python3": "    open(message['write'], 'w').write('was here')",
    "node": "  require('fs').writeFileSync(m.write, 'was here')",
}
SIGNAL = {
    "python3": "    import os; os.kill(os.getppid(), 28)",
    "node": "  process.kill(process.ppid, 'SIGWINCH')",
}
LOOK = {
    "python3": "    import os; return open(f'/proc/{os.getppid()}/environ').read()",
    "node": "  return require('fs').readFileSync(`/proc/${process.ppid}/environ`, 'latin1')",
}
WRITE_AND_EAT = {
    "sbcl": """(lambda (message context)
  (cond ((equal message "write")
         (with-open-file (s "/tmp/runner-limits" :direction :output :if-exists :append :if-does-not-exist :create)
           (write-line "x" s)))
        ((equal message "eat")
         (let ((kept '()))
           (loop (push (make-array 100000 :element-type '(unsigned-byte 8) :initial-element 1) kept))))
        (t message)))""",
    "go": """package module

import ("flow"; "os")

var kept [][]byte

func Run(c *flow.Context, m any) (any, error) {
	if m == "write" { return nil, os.WriteFile("/tmp/runner-limits", []byte("x"), 0600) }
	for m == "eat" {
		block := make([]byte, 1<<20)
		for i := range block { block[i] = 1 }
		kept = append(kept, block)
	}
	return m, nil
}
""",
    "rust": """use flow::prelude::*;
pub fn run(message: Value, _context: &mut Context) -> Result<Option<Value>> {
    if message == "write" { std::fs::write("/tmp/runner-limits", "x")?; }
    let mut kept = Vec::new();
    while message == "eat" { kept.push(vec![1u8; 1 << 20]); }
    Ok(Some(message))
}
""",
    "ruby": """def run(message, context)
  File.write("/tmp/runner-limits", "x") if message == "write"
  kept = []
  kept << "x" * (1 << 20) while message == "eat"
  message
end
""",
    "php": """<?php
function run($message, $context) {
    if ($message === "write") file_put_contents("/tmp/runner-limits", "x");
    for ($kept = []; $message === "eat";) $kept[] = str_repeat("x", 1 << 20);
    return $message;
}
""",
}
ENVIRON = {"python3": "    import os; return dict(os.environ)", "node": "  return { ...process.env }"}


def module(runtime: str, bad: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Hands on numbers, misbehaves for anything else."""
    code = {
        "python3": f"def run(message, context):\n    if isinstance(message, int): return message\n{bad['python3']}\n",
        "node": f"module.exports = m => {{\n  if (typeof m === 'number') return m\n{bad['node']}\n}}\n",
    }[runtime]
    return {"runtime": runtime, "code": code, **fields}


def misbehave(
    runner: Harness, runtime: str, bad: dict[str, str], message: Any = "bad", **limits: Any
) -> dict[str, Any]:
    """Send 1, what makes it misbehave, 2; the numbers arrive, a neighbour lives on. Returns the dead letter's error."""
    need(runtime)
    neighbour = {"runtime": "python3", "code": "import os\ndef run(m, c):\n    return [m, os.getpid()]\n"}
    runner.add("f", {"bad": module(runtime, bad, limits=limits), "neighbour": neighbour}, ["bad -> neighbour"])
    runner.start("f")
    out = runner.collect("f", "neighbour")
    runner.send("f/bad", 1, message, 2)
    runner.wait(lambda: len(out.got) == 2, timeout_s=60)
    assert [number for number, _ in out.got] == [1, 2]
    assert len({pid for _, pid in out.got}) == 1, "the neighbour's host was not left alone"
    (letter,) = runner.ok(api.DeadLetters, flow_id="f")
    assert letter["message"] == message
    error: dict[str, Any] = letter["error"]
    return error


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_memory(runner: Harness, runtime: str) -> None:
    """python3: the turn fails with MemoryError. node: external memory, the watch ends the host."""
    error = misbehave(runner, runtime, EAT, memory_mb=192)
    if runtime == "python3":
        assert error["type"] == "MemoryError"
        assert runner.bridge("f", next(key for key in runner.record("f").bridges if "#" in key)).starts == 1
    else:
        assert error["type"] == "HostDied" and "of memory, limits.memory_mb is 192" in error["message"]


def test_a_heap_that_v8_gives_up(runner: Harness) -> None:
    """Its own heap limit ends the host before the watch does, or the watch; either way the reason is clear."""
    bad = {"node": "  const kept = []; for (;;) kept.push([kept.length, {}])"} | {"python3": ""}
    error = misbehave(runner, "node", bad, memory_mb=192)
    assert "MiB of memory, limits.memory_mb is 192" in error["message"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("bad", [EAT_OUTSIDE, EAT_CHILD])
def test_memory_that_is_not_the_heap(runner: Harness, runtime: str, bad: dict[str, str]) -> None:
    """Shared memory, and that of a child process."""
    error = misbehave(runner, runtime, bad, memory_mb=192)
    assert error["type"] == "HostDied" and "of memory, limits.memory_mb is 192" in error["message"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_spinning(runner: Harness, runtime: str) -> None:
    error = misbehave(runner, runtime, SPIN, cpu_s=1)
    assert "it spins" in error["message"] and "limits.cpu_s is 1" in error["message"]


def test_time_that_does_not_count(runner: Harness) -> None:
    """A host that commits may use as much as it likes, and so may one that loads."""
    burn = "import time\ndef burn(s):\n    end = time.process_time() + s\n    while time.process_time() < end: pass\n"
    code = f"{burn}burn(1.2)\ndef run(m, c):\n    burn(0.4)\n    return m\n"
    runner.add("f", {"a": {"runtime": "python3", "code": code, "limits": {"cpu_s": 1}}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", *range(5))
    runner.wait(lambda: out.got == list(range(5)))
    (bridge,) = runner.record("f").bridges
    assert runner.bridge("f", bridge).starts == 1
    assert runner.state("f")["hosts"][bridge]["cpuS"] >= 3


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_full_temporary_folder(runner: Harness, runtime: str) -> None:
    error = misbehave(runner, runtime, FILL, temp_mb=20)
    assert "its temporary folder has" in error["message"] and "limits.temp_mb is 20" in error["message"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_file_that_is_too_large(runner: Harness, runtime: str) -> None:
    """The kernel refuses it at once: the turn fails, the host lives on."""
    error = misbehave(runner, runtime, FILL_ONE, temp_mb=20)
    assert "File too large" in error["message"] or "EFBIG" in error["message"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_open_files(runner: Harness, runtime: str) -> None:
    error = misbehave(runner, runtime, OPEN, open_files=50)
    assert "oo many open files" in error["message"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_fork_bomb(runner: Harness, runtime: str) -> None:
    error = misbehave(runner, runtime, FORK, memory_mb=20_000)
    assert "it had more than 256 processes" in error["message"]


@pytest.fixture
def landlock() -> int:
    """The version of landlock, or a skip."""
    abi = landlock_abi()
    if abi < 1:
        pytest.skip("the kernel has no landlock: user code may write wherever the runner may")
    return abi


@pytest.mark.usefixtures("landlock")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_writing_elsewhere(runner: Harness, runtime: str, tmp_path: Path) -> None:
    error = misbehave(runner, runtime, WRITE, {"write": str(tmp_path / "file")})
    assert REFUSED.search(error["message"])
    assert not (tmp_path / "file").exists()


@pytest.mark.usefixtures("landlock")
@pytest.mark.parametrize("runtime", WRITE_AND_EAT)
def test_the_other_languages(runner: Harness, runtime: str) -> None:
    need(runtime)
    runner.add("f", {"a": {"runtime": runtime, "code": WRITE_AND_EAT[runtime], "limits": {"memory_mb": 192}}})
    runner.start("f")
    out = runner.collect("f", "a")
    runner.send("f/a", 1, "write", "eat", 2)
    runner.wait(lambda: out.got == [1, 2], timeout_s=60)
    write, eat = runner.ok(api.DeadLetters, flow_id="f")
    assert REFUSED.search(write["error"]["message"])
    assert "MiB of memory, limits.memory_mb is 192" in eat["error"]["message"]


@pytest.mark.usefixtures("landlock")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_writable_folder(runner: Harness, runtime: str, tmp_path: Path) -> None:
    need(runtime)
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    runner.add("f", {"a": module(runtime, WRITE, limits={"writable": [str(allowed)]})})
    runner.start("f")
    runner.send("f/a", {"write": str(allowed / "file")}, {"write": str(tmp_path / "file")}, {"write": "/dev/null"})
    runner.wait(lambda: runner.state("f")["modules"]["a"]["completed"] == 2)
    assert (allowed / "file").read_text() == "was here"
    assert not (tmp_path / "file").exists()
    assert [letter["message"] for letter in runner.ok(api.DeadLetters, flow_id="f")] == [
        {"write": str(tmp_path / "file")}
    ]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_signal_to_the_runner(runner: Harness, runtime: str, landlock: int) -> None:
    if landlock < ABI_SCOPE:
        pytest.skip(f"landlock {landlock} has no scope for signals, {ABI_SCOPE} has: user code may kill the runner")
    assert misbehave(runner, runtime, SIGNAL)["message"] in ("[Errno 1] Operation not permitted", "kill EPERM")


@pytest.mark.usefixtures("landlock")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_runners_environment_is_not_seen(runner: Harness, runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither inherited nor read from /proc."""
    assert "ermission denied" in misbehave(runner, runtime, LOOK)["message"]
    monkeypatch.setenv("SECRET_OF_THE_RUNNER", "x")
    runner.add("g", {"a": module(runtime, ENVIRON, env={"OWN": "1"})})
    runner.start("g")
    out = runner.collect("g", "a")
    runner.send("g/a", "tell")
    runner.wait(lambda: out.got)
    passed_on = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "RUNNER_HOST_FOLDER"}
    passed_on.add("RUNNER_HOST_INPUT")  # runtimes/node/guard.mjs: for its children
    assert out.got[0].keys() - passed_on == {"OWN"}


def test_what_a_host_inherits(runner: Harness) -> None:
    """Its pipes and nothing else that is open; no core dumps; no privileges, of root's the least."""
    code = """
import os, resource
def opened(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return "closed meanwhile"
def run(message, context):
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
    limits = [resource.getrlimit(limit) for limit in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)]
    files = [opened(fd) for fd in os.listdir("/proc/self/fd")]
    return [status["NoNewPrivs"].strip(), status["CapEff"].strip(), limits, files]
"""
    runner.add("f", {"a": {"runtime": "python3", "code": code, "limits": {"open_files": 100}}})
    runner.start("f")
    out = runner.collect("f", "a")
    runner.send("f/a", 1)
    runner.wait(lambda: out.got)
    new_privileges, capabilities, limits, files = out.got[0]
    assert new_privileges == "1" and int(capabilities, 16) & ~0x24DF == 0
    assert limits == [[0, 0], [100 + HOST_FILES] * 2]
    folder = str(runner.folder.path)
    assert [
        file for file in files if file.startswith("/") and not file.startswith((folder, "/dev/null", "/proc"))
    ] == []


def test_hosts_without_limits_are_not_watched(runner: Harness) -> None:
    runner.add("f", {"a": module("python3", SPIN), "b": module("python3", SPIN, limits={"writable": ["/tmp"]})})
    runner.start("f")
    assert [runner.bridge("f", key).host.watch for key in runner.record("f").bridges] == [None, None]


def test_a_trial_is_limited_too(runner: Harness) -> None:
    """What eats memory while it is loaded never comes near the live host."""
    good = module("python3", SPIN, limits={"memory_mb": 192})
    runner.add("f", {"a": good})
    runner.start("f")
    eats = EAT_OUTSIDE["python3"].replace("    ", "", 1).replace("\n    ", "\n")
    reply = runner.call(
        api.AddOrUpdateFlow,
        flow={"id": "f", "modules": {"a": good | {"code": eats + "\n" + good["code"]}}, "wires": []},
    )
    assert not reply.ok and "of memory, limits.memory_mb is 192" in reply.error
    out = runner.collect("f", "a")
    runner.send("f/a", 7)
    runner.wait(lambda: out.got == [7])


def test_flow_state_shows_memory_and_processor_time(runner: Harness) -> None:
    runner.add("f", {"a": module("python3", SPIN)})
    runner.start("f")
    host = runner.state("f")["hosts"]["python3"]
    memory = psutil.Process(host["pid"]).memory_info()
    assert 0.5 < host["memoryMb"] / ((memory.rss - memory.shared) / (1 << 20)) < 2
    assert 0 < host["cpuS"] < 20
    assert runner.state("f")["modules"]["a"]["host"] == "python3"


def test_a_writable_path_that_is_not_there(runner: Harness, tmp_path: Path) -> None:
    runner.add("f", {"a": module("python3", SPIN, limits={"writable": [str(tmp_path / "none")]})})
    reply = runner.call(api.StartFlow, flow_id="f")
    assert not reply.ok and (reply.error or "").startswith(f"f/a: there is no folder {tmp_path}/none on this machine")


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a/.", "", "~/x"])
def test_writable_takes_absolute_paths(path: str) -> None:
    document = {"id": "f", "modules": {"a": {"runtime": "python3", "code": "x", "limits": {"writable": [path]}}}}
    with pytest.raises(FlowError) as caught:
        check_flow(document, runtimes={"python3"})
    (problem,) = caught.value.problems
    assert "`modules.a.limits.writable[0]`" in problem and "an absolute path" in problem


def test_doctor_says_what_is_enforced(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "actors.console", "--state", str(tmp_path), "doctor", "--json"]
    checks = {c["what"]: c["found"] for c in json.loads(subprocess.run(words, capture_output=True, check=False).stdout)}
    abi = landlock_abi()
    assert (f"version {abi}" if abi > 0 else "none") in checks["landlock"]
    assert {"rlimits", "cgroup", "user of hosts", "mount namespace", "seccomp", "capabilities"} <= checks.keys()
    assert checks["module: make set-uid files"] == "refused: Operation not permitted"
    assert checks["module: use the API"].startswith("refused")
    written = checks["module: write elsewhere"]
    assert written.startswith("refused") or (abi < 1 and written == "POSSIBLE")
