"""The runner has one thread, and nothing in it waits but the epoll: every call that could is named here, with why not.

Read from the source, so that a new one is seen before it wedges somebody's runner. What a console verb does in a
process of its own may wait; so may what only such programs call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = (
    "actors/chaos/", "actors/console/", "actors/dap/", "actors/definition/flow_file.py",
    "actors/definition/flow_yaml.py", "actors/deployment/folder.py", "actors/deployment/key_folder.py",
    "actors/deployment/staying.py", "actors/deployment/supervisor.py", "actors/journal/child.py",
)  # fmt: skip  # not ours
LIBRARY = ("conversation", "environments", "frames", "given", "host_bodies", "locks", "making", "manifest", "sweep",
           "transaction", "confinement/landlock")  # of runtimes/, what the runner imports  # fmt: skip

WAITS = frozenset((
    "sleep", "wait", "communicate", "waitpid", "waitid", "wait3", "wait4", "system", "popen", "input",
    "getaddrinfo", "gethostbyname", "create_connection", "urlopen", "rmtree", "copytree", "lockf",
    "sendall", "makefile", "accept", "connect", "recv", "recvfrom", "sigwait", "pause", "fsync", "fdatasync", "sync",
    "select", "poll", "acquire", "Thread", "ThreadPoolExecutor", "ProcessPoolExecutor",
))  # fmt: skip
THREADS = ("threading", "multiprocessing", "concurrent", "asyncio", "queue")
MOVES = ("read", "readv", "pread", "recv", "write", "writev", "send")
OPENS = frozenset(("open", "read_text", "read_bytes", "write_text", "write_bytes"))
NEVER_WAIT = frozenset(("O_NONBLOCK", "O_DIRECTORY", "O_PATH", "O_EXCL", "_FOLDER"))

_DEAD = "the pidfd was readable, or SIGKILL was sent just before: it is a zombie, or is about to be"
_OURS = "a file that only the runner and its user write: no host sees its folder, or none can write there"
_PROC = "a file of /proc"
_TEXT = "a file of the package"
_ALONE = "in a process of its own, that has nothing else to do: it stands for one container"
_BEFORE = "before the loop of this process, or after it: there is nobody else to wait"
_CONSOLE = "called by console verbs only, in processes of their own"
_NON_BLOCKING = "the socket is non-blocking"
_DECIDED = "the dispatcher's process carries no messages of flows"
_KEPT = "a flow that is kept has to be on the disk before the runner ends"
_NO_TIME = "with a time-out of 0"
_CHILD = "in the process that writes journals, which does nothing else"

# file, function, call -> why it does not wait, or may
ALLOWED = {
    (
        "actors/preparation/state_folder.py",
        "_give_up",
        "waitpid",
    ): "for a shell that only forks, before or after the loop",
    ("actors/preparation/command.py", "Command.reap", "wait"): _DEAD,
    ("actors/system/lobby.py", "Lobby.ready", "poll"): _NO_TIME,
    ("actors/doors/door.py", "DoorActor._accept", "accept"): _NON_BLOCKING,
    ("actors/doors/door.py", "DoorActor._read", "recv"): _NON_BLOCKING,
    ("actors/doors/door.py", "open_door", "write_text"): _OURS,
    ("actors/telemetry/connection.py", "Connection._read", "recv"): _NON_BLOCKING,
    ("actors/gateway/access.py", "token_of", "read_text"): _OURS,
    ("actors/gateway/client.py", "Client.ready", "recv"): _NON_BLOCKING,
    ("actors/gateway/client.py", "Client._receive", "recv"): _NON_BLOCKING,
    ("actors/gateway/tls.py", "TlsSocket.recv", "recv"): _NON_BLOCKING,
    ("actors/gateway/gateway.py", "GatewayActor._accept", "accept"): _NON_BLOCKING,
    ("actors/deployment/hanging.py", "_has_ended", "waitid"): "with WNOHANG",
    ("actors/gateway/gateway.py", "GatewayActor.receiveMsg_Ready", "poll"): _NO_TIME,
    ("actors/gateway/open.py", "open_gateway", "os.open"): _OURS,
    ("actors/gateway/pages.py", "Pages.find", "read_bytes"): "a regular file, asked before, of bounded size",
    ("actors/pages/packages.py", "read_package", "read_bytes"): "a regular file, asked before, of bounded size",
    ("actors/gateway/websocket.py", "WebSocket.__init__", "accept"): "no socket: it accepts a handshake",
    ("actors/definition/agent.py", "agent_schema", "read_text"): _TEXT,
    ("actors/definition/agent.py", "read_agent", "read_text"): "not Path's: it parses a text",
    ("actors/definition/deployment.py", "deployment_schema", "read_text"): _TEXT,
    ("actors/deployment/agent.py", "AgentActor._why_absent", "create_connection"): "a second, while there is no leader",
    ("actors/definition/deployment.py", "read_deployment", "read_text"): "not Path's: it parses a text",
    ("actors/definition/reading.py", "read_flow_file", "read_text"): "not Path's: it parses a text",
    ("actors/definition/catalogue.py", "read_module", "read_text"): "not Path's: it parses a text",
    ("actors/definition/text_files.py", "text_of", "read_bytes"): "a regular file, asked before, of bounded size",
    ("actors/definition/schema.py", "flow_schema", "read_text"): _TEXT,
    ("actors/definition/limits.py", "_tasks", "read_text"): _PROC,
    ("actors/host/process.py", "HostProcess.reap", "wait"): _DEAD,
    ("actors/host/process.py", "_reopen", "os.open"): "the given end is open for both: the other side is there",
    ("actors/host/watch.py", "usage", "read_bytes"): _PROC,
    ("actors/host/watch.py", "usage", "read_text"): _PROC,
    ("actors/ends/notes.py", "OutputNotes.__init__", "os.open"): "a regular file, that is asked before",
    ("actors/flow/journalled.py", "_lock", "os.open"): _OURS,
    ("actors/flow/journalled.py", "_lock", "sleep"): "for the runner before, which was killed; 5 s at most",
    ("actors/journal/store.py", "Store.__init__", "flock"): _CHILD,
    ("actors/journal/store.py", "Store.__init__", "os.open"): _CHILD,
    ("actors/journal/store.py", "Store.lengthen", "fdatasync"): _CHILD,
    ("actors/journal/store.py", "_connect", "connect"): "SQLite's: a file",
    ("actors/journal/store.py", "_marked", "read_bytes"): _OURS,
    ("actors/journal/store.py", "wait_for_writer", "flock"): "for one that dies with its runner, which is dead",
    ("actors/journal/store.py", "wait_for_writer", "os.open"): _OURS,
    ("actors/journal/writer.py", "Writer.durable", "recv"): _NON_BLOCKING,
    ("actors/journal/writer.py", "Writer.reap", "wait"): _DEAD,
    ("actors/flow/kept_file.py", "_private", "os.open"): _OURS,
    ("actors/flow/kept_file.py", "_sync_folder", "fsync"): _KEPT,
    ("actors/flow/kept_file.py", "read_kept", "open"): _OURS,
    (
        "actors/flow/kept_file.py",
        "write_kept",
        "fsync",
    ): _KEPT,
    ("actors/flow/kept_file.py", "write_kept", "open"): _OURS,
    ("actors/deployment/inner_system.py", "InnerSystem.turn_until", "select"): "its own loop, and with a time-out",
    ("actors/deployment/desired.py", "DesiredState._read", "read_text"): _BEFORE,
    ("actors/deployment/desired.py", "DesiredState._write", "fsync"): _DECIDED,
    ("actors/deployment/desired.py", "DesiredState._write", "open"): _OURS,
    ("actors/deployment/wanted.py", "Wanted.order", "read_bytes"): _OURS,
    ("actors/deployment/wanted.py", "write_wanted", "write_bytes"): _OURS,
    ("actors/deployment/desired.py", "_private", "os.open"): _OURS,
    ("actors/doors/door.py", "be_member", "write_text"): _OURS,
    ("actors/ends/outlet.py", "_has_room", "poll"): _NO_TIME,
    ("actors/ends/log_pipe.py", "LogPipe._make_room", "select"): "for the last words, behind the loop; with a time-out",
    ("actors/system/in_process.py", "InProcessBase._poll", "poll"): "it is the loop",
    ("actors/host/trial.py", "TrialActor._waited_s", "read_text"): _PROC,
    ("actors/doors/unix_socket.py", "_confinement", "read_bytes"): _PROC,
    ("actors/doors/unix_socket.py", "connect", "connect"): _CONSOLE,
    ("actors/state/module.py", "ModuleState.go_on", "open"): "no file: the gate of a module",
    ("actors/deployment/container/engine.py", "_run", "subprocess.run"): _ALONE,
    ("actors/deployment/container/engine.py", "_ulimits", "read_text"): _PROC,
    ("actors/deployment/container/inside.py", "_turn", "poll"): "until something happens, or a timer is due: the loop",
    ("actors/deployment/container/stand_in.py", "StandInActor._end", "wait"): _ALONE,
    ("actors/runner/authoring.py", "Authoring.receiveMsg_ListStarters", "read_text"): _TEXT,
    ("actors/ends/scribe.py", "ScribeActor._begin", "write_text"): _OURS,
    ("actors/ends/scribe.py", "ScribeActor.receiveMsg_Ready", "read_text"): _OURS,
    ("actors/gateway/routes.py", "Routes._out", "open"): "no file: a stream for a client",
    ("actors/preparation/state_folder.py", "next_incarnation", "fsync"): _BEFORE,
    ("actors/preparation/state_folder.py", "next_incarnation", "open"): _BEFORE,
    ("actors/preparation/state_folder.py", "next_incarnation", "read_text"): _BEFORE,
    ("actors/links/connection.py", "Connection._read", "recv"): _NON_BLOCKING,
    ("actors/links/listener.py", "ListenerActor._accept", "accept"): _NON_BLOCKING,
    ("actors/links/peer.py", "PeerActor._connect", "getaddrinfo"): "of an address in numbers: nobody is asked",
    ("actors/links/keys.py", "authorities", "read_bytes"): _CONSOLE,
    ("actors/links/keys.py", "authority_of", "read_bytes"): _CONSOLE,
    ("actors/system/sealing.py", "read_keys", "read_text"): _OURS,
    ("runtimes/environments.py", "_folder_digest", "read_bytes"): "regular files of a runtime's folder, once a process",
    ("runtimes/making.py", "Making.__init__", "write_text"): "a new file",
    ("runtimes/making.py", "Making._name", "write_text"): "a new file",
    ("runtimes/making.py", "Making.start", "open"): _OURS,
    ("runtimes/making.py", "Making.start", "write_text"): "a new file",
    ("runtimes/making.py", "make", "communicate"): _CONSOLE,
    ("runtimes/making.py", "make", "subprocess.run"): _CONSOLE,
    ("runtimes/making.py", "make", "wait"): _CONSOLE,
    ("runtimes/making.py", "take_away", "open"): "for both reading and writing, which waits for nobody",
    ("runtimes/manifest.py", "_version_of", "subprocess.run"): (
        "a `--version` once a runtime and process, 10 s at most; a runner of a deployment has done it before its loop"
    ),
    ("runtimes/manifest.py", "find_versions", "import concurrent.futures"): _BEFORE,
    ("runtimes/manifest.py", "find_versions", "ThreadPoolExecutor"): _BEFORE,
    ("runtimes/manifest.py", "read_manifest", "read_text"): _BEFORE,
    ("runtimes/sweep.py", "_read", "os.open"): _PROC,
}

# file, function -> why a loop that reads or writes comes to an end
BOUNDED = {
    (
        "actors/doors/door.py",
        "DoorActor._write",
    ): "what waits for one client, until its buffer is full",
    ("actors/deployment/container/inside.py", "ContainedRunner.send"): "control, which is little, to who reads always",
    ("actors/deployment/container/stand_in.py", "StandInActor._write"): "what waits for one runner, until it is full",
    ("actors/gateway/client.py", "Client.flush"): "what waits for one client, until its buffer is full",
    ("actors/telemetry/connection.py", "Connection._read"): "an answer of bounded size",
    ("actors/telemetry/connection.py", "Connection._write"): "what is posted, until the socket's buffer is full",
    ("actors/gateway/http.py", "HttpStream.next"): "no descriptor: what h11 has of a request",
    ("actors/links/connection.py", "Connection._read"): "a portion, then others have their turn",
    ("actors/links/connection.py", "Connection._write"): "what waits for one peer, until the socket is full",
    ("actors/host/link.py", "Link._end"): "no more than the pipe holds when it begins",
    ("actors/host/link.py", "Link.flush"): "what waits for one host, until the pipe is full",
    ("actors/system/job.py", "Operation._advance"): "no descriptor: the steps of a generator",
    ("actors/ends/log_pipe.py", "LogPipe._go"): "what is to be logged now, until the pipe is full",
    ("actors/ends/sink.py", "SinkActor._write"): "a slice; into a file what waits, which is bounded",
    (
        "actors/ends/sink.py",
        "SinkActor.receiveMsg_WakeupMessage",
    ): "a line, into a pipe that was given room for it",
    ("runtimes/sweep.py", "_read"): _PROC,
}


def nodes(tree: ast.AST, where: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node, with the name of the function it is in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from nodes(node, f"{where}.{node.name}" if where else node.name)
        else:
            yield where, node
            yield from nodes(node, where)


def waits(node: ast.AST) -> str | None:
    """What may wait, else None."""
    if isinstance(node, ast.Call):
        return call_waits(node)
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
    return next((f"import {module}" for module in modules if module.split(".")[0] in THREADS), None)


def call_waits(node: ast.Call) -> str | None:
    """As `waits`."""
    name, whose = called(node)
    words = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    words |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    if name == "flock":
        return None if "LOCK_NB" in words else name
    if whose == "subprocess" and name in ("run", "call", "check_call", "check_output"):
        return f"subprocess.{name}"
    if (whose, name) == ("os", "open"):
        return None if words & NEVER_WAIT else "os.open"
    return name if name in WAITS | OPENS else None


def called(call: ast.Call) -> tuple[str, str]:
    """The name of what is called, and whose it is."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr, ast.unparse(call.func.value)
    return getattr(call.func, "id", ""), ""


def found(source: str) -> set[tuple[str, str]]:
    """What may wait in a module: function, call."""
    named = ((where, waits(node)) for where, node in nodes(ast.parse(source)))
    return {(where, name) for where, name in named if name is not None}


def loops(source: str) -> set[str]:
    """The functions of a module with a `while` that reads or writes."""
    return {
        where
        for where, node in nodes(ast.parse(source))
        if isinstance(node, ast.While)
        for one in ast.walk(node)
        if isinstance(one, ast.Call) and called(one)[0].strip("_") in MOVES
    }


def sources() -> list[Path]:
    """What runs in a runner's process."""
    actors = sorted((ROOT / "actors").rglob("*.py"))
    library = [ROOT / "runtimes" / f"{name}.py" for name in LIBRARY]
    return [path for path in actors + library if not str(path.relative_to(ROOT)).startswith(ELSEWHERE)]


def test_nothing_waits_but_what_is_named() -> None:
    """Whoever adds a call that can wait has to say here why it does not; a name that is gone has to go here, too."""
    seen = {(str(path.relative_to(ROOT)), where, name) for path in sources() for where, name in found(path.read_text())}
    assert sorted(seen - ALLOWED.keys()) == []
    assert sorted(ALLOWED.keys() - seen) == []


def test_what_is_named_for_the_console_is_imported_by_nobody_else() -> None:
    ours = {
        f"{node.module}.{name.name}"
        for path in sources()
        for _, node in nodes(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert not ours & {"actors.doors.unix_socket.connect", "runtimes.making.make"}
    assert not [name for name in ours if name.startswith("actors.deployment.folder")]


def test_every_loop_that_reads_or_writes_comes_to_an_end() -> None:
    """None reads until nothing comes: whoever writes may never stop."""
    seen = {(str(path.relative_to(ROOT)), where) for path in sources() for where in loops(path.read_text())}
    assert sorted(seen ^ BOUNDED.keys()) == []


@pytest.mark.parametrize(
    "line",
    [
        "fcntl.flock(fd, fcntl.LOCK_EX)", "subprocess.run(command)", "process.wait()", "process.communicate()",
        "time.sleep(1)", "sleep(1)", "os.open(path, os.O_RDONLY)", "path.open()", "open(path)", "path.read_text()",
        "shutil.rmtree(folder)", "os.waitpid(pid, 0)", "os.system(command)", "socket.create_connection(place)",
        "epoll.poll(5)", "import threading", "from queue import Queue", "import concurrent.futures as futures",
    ],
)  # fmt: skip
def test_what_can_wait_is_seen(line: str) -> None:
    assert [where for where, _ in found(f"class A:\n    def f(self):\n        {line}\n")] == ["A.f"]


@pytest.mark.parametrize(
    "line",
    [
        "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "os.open(path, os.O_RDONLY | os.O_NONBLOCK)",
        "os.open(folder, os.O_RDONLY | os.O_DIRECTORY)", "os.fdopen(fd, 'rb')",
        "subprocess.Popen(command)", "os.read(fd, 10)",
    ],
)  # fmt: skip
def test_what_cannot_is_not(line: str) -> None:
    assert found(line) == set()


def test_loops_are_seen() -> None:
    assert loops("def f():\n    while data := os.read(fd, 9):\n        pass\n") == {"f"}
    assert loops("class A:\n    def f(self):\n        while self._read(fd):\n            pass\n") == {"A.f"}
    assert loops("def f():\n    data = os.read(fd, 9)\n    while data:\n        data = data[1:]\n") == set()
