"""The python3 host: loading, hooks, prints, its end."""

from __future__ import annotations

import json
import os

import pytest

from runtimes.frames import (
    ALL_SLOTS,
    Frame,
    Kind,
)
from tests.runtimes.python3.host import ECHO, WAIT_S, Host


def test_hello_and_transcript(both: Host) -> None:
    assert both.hello["runtime"] == "python3"
    assert both.hello["pid"] == both.process.pid
    assert both.load(0, "def run(m, c):\n    return m * 2") == {"ok": True, "hooks": []}
    both.wire(0)
    both.send(Kind.DATA, 0, b"[1,\n2,\n3]", skip=1, count=2, first=7)
    assert both.next() == Frame(Kind.DATA, 0, b"[4,\n6]", count=2)
    assert json.loads(both.next(Kind.COMMIT).body)[0][:7] == [0, 2, 2, 0, 0, 2, 0]
    both.send(Kind.PAUSE, 0, first=2)
    assert both.next() == Frame(Kind.PAUSED, 0, first=2)
    both.send(Kind.PING, first=9)
    assert both.next() == Frame(Kind.PONG, first=9)
    both.send(Kind.STOP)
    assert both.process.wait(WAIT_S) == 0


def test_load_errors_name_file_and_line(both: Host) -> None:
    answer = both.load(0, "def run(m, c):\n    return (", name="a.py")
    assert answer["ok"] is False
    assert (answer["error"]["type"], answer["error"]["file"], answer["error"]["line"]) == ("SyntaxError", "a.py", 2)
    error = both.load(0, "x = 1\n\nnope()\n", name="b.py")["error"]
    assert (error["type"], error["file"], error["line"]) == ("NameError", "b.py", 3)
    error = both.load(0, "import helper", files={"helper.py": "\n\n1 / 0"})["error"]
    assert (error["type"], error["file"], error["line"]) == ("ZeroDivisionError", "helper.py", 3)
    error = both.load(0, "import helper", files={"helper.py": "if"})["error"]
    assert (error["type"], error["file"], error["line"]) == ("SyntaxError", "helper.py", 1)
    assert both.load(0, "x = 1")["error"]["type"] == "TypeError"
    assert both.load(0, "raise SystemExit")["error"]["type"] == "SystemExit"
    assert both.load(0, "def start(c): pass") == {"ok": True, "hooks": ["start"]}


def test_siblings_belong_to_one_load(host: Host) -> None:
    code = "import helper, pkg.deep\nfrom pkg import name\ndef run(m, c):\n    import helper as h\n    return [h.NAME, pkg.deep.X, name]"  # noqa: E501
    for slot, name in enumerate(("a", "b", "c")):
        files = {
            "helper.py": f"import codec\nNAME = '{name}' + codec.C",
            "codec.py": f"C = '{slot}'",
            "pkg/__init__.py": "from .deep import X as name",
            "pkg/deep.py": f"X = {slot}",
        }
        host.start(slot, code, files=files, module="same")
    for slot, name in enumerate(("a", "b", "c")):
        assert host.run(slot, 1) == [[f"{name}{slot}", slot, slot]]
    assert host.load(3, "import helper")["error"]["type"] == "ModuleNotFoundError"
    for name in ("link", "codec", "engine", "host"):
        assert host.load(3, f"import {name}")["error"]["type"] == "ModuleNotFoundError"


def test_an_error_in_a_sibling_names_it(host: Host) -> None:
    code = "import helper, json\ndef run(m, c):\n    return helper.parse(m)"
    host.start(0, code, files={"helper.py": "import json\ndef parse(m):\n    return json.loads(m)"})
    host.data(0, "{")
    error = host.until(1).errors[0][1]["error"]
    assert (error["type"], error["file"], error["line"]) == ("JSONDecodeError", "helper.py", 3)


def test_dataclasses_and_pickle_work_in_modules(host: Host) -> None:
    code = """
from __future__ import annotations
import dataclasses, pickle
@dataclasses.dataclass
class P:
    x: int = 1
def run(m, c):
    return pickle.loads(pickle.dumps(P(m))).x
"""
    host.start(0, code)
    assert host.run(0, 4) == [4]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_hooks(both: Host, prefix: str) -> None:
    code = f"""
{prefix}def run(m, c): return m
{prefix}def start(c):
    c.set('began', c.config)
    c.send('out', 'hello')
{prefix}def stop(c): raise ValueError('stuck')
{prefix}def migrate(c, from_version): c.set('from', from_version)
"""
    answer = both.load(0, code, config={"a": 1})
    assert answer["hooks"] == ["start", "stop", "migrate"]
    both.wire(0)
    both.call(0, "start", turns=0)
    done = both.transaction()
    assert (done.outputs, done.context) == ({0: ["hello"]}, {(0, "began"): {"a": 1}})
    assert done.row(0) == [0, 0, 0, 0, 1, 0]
    assert both.result() == {"ok": True, "source": False}
    both.call(0, "migrate", from_version=3)
    assert both.transaction().context == {(0, "from"): 3}
    assert both.result()["ok"]
    both.call(0, "stop")
    answer = both.result()
    assert answer["ok"] is False
    assert answer["error"]["type"] == "ValueError"
    both.start(1, ECHO)
    both.call(1, "stop")
    assert both.result() == {"ok": True}


def test_prints_become_logs(both: Host) -> None:
    code = """
import sys, threading
print('top')
def run(m, c):
    print('a', m); print('no end', end=''); print(' of line')
    print('err', file=sys.stderr); sys.stdout.write('x\\ny\\n'); sys.stdout.buffer.write(b'raw\\n'); print('p', end='', flush=True)
    c.log('debug', 'text \\ud800')
    t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()
"""  # noqa: E501
    both.start(4, code)
    both.data(4, 1)
    both.until(1)
    both.has_logged(10)
    info = [(4, "info", text) for text in ("top", "a 1", "no end of line")]
    assert both.logs[:3] == info
    assert both.logs[3:9] == [
        (4, "error", "err"), (4, "info", "x"), (4, "info", "y"), (4, "info", "raw"), (4, "info", "p"), (4, "debug", "text ?"),  # noqa: E501
    ]  # fmt: skip
    assert both.logs[9] == (ALL_SLOTS, "info", "thread")


def test_async_prints_know_their_slot(host: Host) -> None:
    code = "import asyncio\nasync def run(m, c):\n    await asyncio.sleep(m / 1000)\n    print(m)"
    host.start(0, code)
    host.start(1, code)
    host.data(0, 40)
    host.data(1, 5)
    host.until(2)
    assert sorted(host.logs) == [(0, "info", "40"), (1, "info", "5")]


def test_what_an_async_turn_prints_does_not_wait_for_its_end(host: Host) -> None:
    host.start(0, "import asyncio\nasync def run(m, c):\n    print('a')\n    print('b')\n    await asyncio.sleep(1000)")
    host.data(0, 1)
    host.has_logged(2)
    assert host.logs == [(0, "info", "a"), (0, "info", "b")]


def test_system_exit_is_an_error_of_the_turn(both: Host) -> None:
    both.start(0, "import sys\ndef run(m, c):\n    if m: sys.exit(3)\n    raise KeyboardInterrupt")
    both.data(0, 1, 0)
    assert both.until(2).types() == ["SystemExit", "KeyboardInterrupt"]
    both.start(1, "async def run(m, c):\n    raise SystemExit(3)")
    both.data(1, 1)
    assert both.until(1).types() == ["SystemExit"]


def test_unload_and_load_again(host: Host) -> None:
    for version in range(3):
        host.start(
            0,
            f"import helper\ndef run(m, c):\n    return [m, helper.V, {version}]",
            files={"helper.py": f"V = {version}"},
        )
        assert host.run(0, 1) == [[1, version, version]]
        host.requests += 1
        host.send(Kind.UNLOAD, 0, first=host.requests)
        assert host.result() == {"ok": True}


def test_end_of_input_ends_the_host(host: Host) -> None:
    os.close(host.input)
    host.input = os.open(os.devnull, os.O_RDONLY)
    assert host.process.wait(WAIT_S) == 0


def test_unknown_kind_ends_the_host(host: Host) -> None:
    host.write(b"\0\0\0\0\x63" + bytes(19))
    assert host.process.wait(WAIT_S) == 3


def test_an_error_of_the_host_itself_is_told(host: Host) -> None:
    host.send(Kind.DATA, 77, b"[1]", count=1)
    assert host.process.wait(WAIT_S) == 1
    assert host.process.stderr
    assert b"KeyError" in host.process.stderr.read()


def test_interrupts_are_ignored(host: Host) -> None:
    host.process.send_signal(2)
    host.start(0, ECHO)
    assert host.run(0, 1) == [1]
