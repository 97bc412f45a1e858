"""What user code may do in the python3 host: files beside it, children, threads, prints; and what its errors say."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from runtimes.frames import NO_INDEX
from tests.runtimes.text_host import TextHost, text_host


@pytest.fixture
def host() -> Iterator[TextHost]:
    with text_host("python3", "m.py") as started:
        yield started


# files


def test_files_are_imported_by_importlib(host: TextHost) -> None:
    """Each module its own, also of the same name, by name and in packages; data beside `__file__` and as resources."""
    code = """
import importlib
import importlib.resources
import pathlib
import pkgutil
from importlib import import_module
import helper

def run(m, c):
    plugin = importlib.import_module("plugins." + m)
    return [
        import_module("helper").WORD, import_module("helper") is helper, plugin.WORD, plugin.helper is helper,
        importlib.import_module(".plugins." + m, __package__) is plugin, import_module("json").dumps([1]),
        pathlib.Path(__file__).with_name("data.txt").read_text(), pathlib.Path(helper.__file__).name,
        importlib.resources.files(__package__).joinpath("data.txt").read_text(),
        pkgutil.get_data(__name__, "data.txt").decode(),
        sorted(name for _, name, _ in pkgutil.iter_modules(importlib.import_module("plugins").__path__)),
    ]
"""
    for word in ("one", "two"):
        files = {
            "helper.py": f"WORD = {word!r}",
            "plugins/a.py": f"import helper\nWORD = 'a {word}'",
            "data.txt": f"text {word}",
        }
        slot = host.module(code, files=files)
        sent = [word, True, f"a {word}", True, True, "[1]", f"text {word}", "helper.py", f"text {word}", f"text {word}"]
        assert slot.run(["a"]) == [[*sent, ["a"]]]


def test_files_stay_beside_the_module(host: TextHost) -> None:
    for path in ("../up.py", "/etc/up.py", "a/../../up.py"):
        assert "is not beside the module" in host.refused("def run(m, c): pass", files={path: ""})["message"]


# children

SPAWNS = """
import concurrent.futures
import multiprocessing
import os
import flow
import helper

def work(n):
    print("work", n)
    return [helper.double(n), os.getpid() != helper.PARENT, flow.NULL is not None]

def run(m, c):
    helper.PARENT = os.getpid()
    context = multiprocessing.get_context(m)
    with context.Pool(2) as pool:
        results = pool.map(work, range(3))
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        results.append(executor.submit(work, 3).result())
    return results
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.filterwarnings("ignore")
def test_pools(host: TextHost, method: str) -> None:
    """Their processes are no hosts, and know the module and its files."""
    later = "def run(m, c):\n    return m"
    slot = host.module(SPAWNS, files={"helper.py": "PARENT = 0\ndef double(n):\n    return 2 * n"})
    assert slot.run([method]) == [[[2 * n, True, True] for n in range(4)]]
    assert host.module(later).run([1]) == [1]
    slot = host.module(SPAWNS.replace("import helper", "class helper: PARENT = 0; double = staticmethod(abs)"))
    assert slot.run([method]) == [[[n, True, True] for n in range(4)]]  # loaded when multiprocessing was there already


FORK = """
import os

def fork(context):
    child = os.fork()
    context.set("n", context.get("n", 0) + 1)
    context.send("side", "from the parent" if child else "from the child")
    if child:
        os.waitpid(child, 0)
"""
WAYS = {
    "plain": "def run(m, c):\n    fork(c)\n    return m",
    "raises": "def run(m, c):\n    fork(c)\n    if m == 'bad': raise ValueError\n    return m",
    "generator": "def run(m, c):\n    yield 'first'\n    fork(c)\n    yield m",
    "async": "async def run(m, c):\n    fork(c)\n    return m",
    "async generator": "async def run(m, c):\n    yield 'first'\n    fork(c)\n    yield m",
    "exits": "def run(m, c):\n    fork(c)\n    return m\nimport atexit\natexit.register(print, 'at exit')",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["first", "fused", "line", "headers"])
@pytest.mark.filterwarnings("ignore")
def test_a_forked_child_that_comes_back(host: TextHost, way: str, where: str) -> None:
    """Whatever way a turn takes: nothing is doubled, what is printed afterwards arrives once."""
    echo = host.module("def run(m, c):\n    return m")
    slot = host.module(FORK + WAYS[way])
    behind = host.module("def run(m, c):\n    print('behind')\n    return m")
    slot.wire(["side"], fused={"out": [(behind, "in", "w")]})
    root = slot
    if where in ("fused", "line"):
        echo.wire([] if where == "line" else ["out"], fused={"out": [(slot, "in", "v")]}, only_fused=where == "line")
        root = echo
    root.data(["a", "b"], headers=[{"x-h": "1"}, None] if where == "headers" else None)
    root.done()
    twice = way.endswith("generator")
    sent = ["first", "a", "first", "b"] if twice else ["a", "b"]
    assert behind.out() == sent
    assert slot.context_value("n") == 2
    assert host.said().count("behind") == len(sent)
    assert host.stop() == 0
    assert not [text for text in host.said() if text == "at exit"]


@pytest.mark.parametrize("code", ["if os.fork(): os.wait()", "if os.fork(): os.wait(); raise ValueError"])
def test_a_child_forked_while_loading(host: TextHost, code: str) -> None:
    code = f"import os\n{code}\ndef run(m, c):\n    return m"
    if "raise" in code:
        host.refused(code)
        code = "def run(m, c):\n    return m"
    assert host.module(code).run([1]) == [1]


@pytest.mark.parametrize("prefix", ["", "async "])
@pytest.mark.filterwarnings("ignore")
def test_a_source_that_forks(host: TextHost, prefix: str) -> None:
    code = f"""{FORK}
{prefix}def start(c):
    for n in range(3):
        child = os.fork()
        if child: os.waitpid(child, 0)
        yield n
"""
    slot = host.module(code)
    slot.call("start", turns=0)
    slot.pull(10)
    host.wait(lambda: slot.finished is not None, "the end of the source")
    assert slot.out() == [0, 1, 2]


# threads


def test_threads_begun_in_start_may_send_at_once(host: TextHost) -> None:
    code = """
import threading
def start(c):
    def work(word):
        for n in range(20): c.send("out", f"{word} {n}")
    for word in "ab": threading.Thread(target=work, args=(word,)).start()
def run(m, c): pass
"""
    slot = host.module(code)
    slot.call("start", turns=0)
    for _ in range(40):
        slot.pull(1)
    host.wait(lambda: len(slot.out()) == 40, "what the threads send")
    for word in "ab":
        assert [text for text in slot.out() if text.startswith(word)] == [f"{word} {n}" for n in range(20)]


# prints


def test_prints_that_no_json_can_hold(host: TextHost) -> None:
    slot = host.module("def run(m, c):\n    print('a\\udc80b')\n    c.log('info\\ud800', 'c\\udfff')\n    return m")
    assert slot.run([1]) == [1]
    host.wait(lambda: len(host.logs) == 2, "two lines")
    assert host.said() == ["a?b", "c?"]


def test_bytes_of_one_character_in_two_writes(host: TextHost) -> None:
    code = "import sys\ndef run(m, c):\n    for b in m.encode(): sys.stdout.buffer.write(bytes([b]))\n    return m"
    assert host.module(code).run(["\u20ac\n"]) == ["\u20ac\n"]
    host.wait(lambda: host.said() == ["\u20ac"], "a line")


# errors


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import pandoras", "dependencies:"),
        ("import pandoras.box", "files:"),
        ("from . import sibling", "'sibling' from 'm' (m.py); name the file in the module's `files:`"),
        ("open('data.json')", "beside `__file__`"),
        ("import pathlib; pathlib.Path('a/b').read_text()", "beside `__file__`"),
        ("raise PermissionError(13, 'Permission denied', '/opt/there')", "limits.writable"),
        ("raise OSError(30, 'Read-only file system', '/opt/there')", "limits.writable"),
    ],
)
def test_hints(host: TextHost, code: str, says: str) -> None:
    message = host.failure(f"def run(m, c):\n    {code}")["message"]
    assert says in message


def test_no_hint_where_it_would_be_wrong(host: TextHost) -> None:
    for code in ("open('/no/such/file')", "raise OSError('x')", "raise FileNotFoundError(2, 'x', 3)"):
        assert ";" not in host.failure(f"def run(m, c):\n    {code}")["message"]


def test_an_error_has_the_users_place_and_stack(host: TextHost) -> None:
    code = """
import helper
def run(m, c):
    try:
        helper.work(m)
    except KeyError as error:
        error2 = ValueError("no good")
        error2.add_note("look at the order")
        raise error2 from error
"""
    error = host.failure(code, files={"helper.py": "def work(m):\n    return {}['a']"})
    assert (error["type"], error["message"], error["file"], error["line"]) == ("ValueError", "no good", "m.py", 9)
    assert error["stack"] == (
        'Traceback (most recent call last):\n  File "m.py", line 9, in run\n    raise error2 from error\n'
        "ValueError: no good\nlook at the order\ncaused by KeyError: 'a' (helper.py:2)"
    )


def test_a_value_that_is_refused_has_the_handlers_place(host: TextHost) -> None:
    error = host.failure("import datetime\n\ndef run(m, c):\n    return datetime.date(2020, 1, 1)")
    assert (error["file"], error["line"]) == ("m.py", 3)
    assert error["message"] == "a date cannot be sent: send it.isoformat()"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            "{'a': {'b': datetime.datetime(2020, 1, 1)}}",
            "a datetime in a.b cannot be sent: send it.isoformat()",
        ),
        ("[1, {'a b': [float('nan')]}]", "NaN in [1]['a b'][0] cannot be sent"),
        ("[-float('inf')]", "an infinity in [0] cannot be sent"),
        ("{'x': {1: 2}}", "an object with a key of type int in x cannot be sent: keys are text"),
        ("{'x': [{1, 2}]}", "a set in x[0] cannot be sent: send sorted(it)"),
        ("{'x': {'y': 2**63}}", "an integer beyond int64 in x.y cannot be sent"),
        ("{'x': ['a\\ud800']}", "a text with a lone surrogate in x[0] cannot be sent"),
        ("{'\\ud800': 1}", "a text with a lone surrogate cannot be sent"),
        ("object()", "an object cannot be sent"),
        ("[Point(1)]", "a Point in [0] cannot be sent: send dataclasses.asdict(it)"),
        ("Point", "a type cannot be sent"),
        ("{Text('k'): 1, 'k': 2}", "an object with two keys that are the same text cannot be sent"),
        ("cycle", f"what is nested deeper than 120 in {'[0]' * 33}[... cannot be sent"),
    ],
)
@pytest.mark.parametrize("is_fused", [False, True])
def test_what_is_refused_is_named(host: TextHost, value: str, says: str, is_fused: bool) -> None:
    code = f"""
import dataclasses, datetime
Point = dataclasses.make_dataclass("Point", ["x"])
cycle = []
cycle.append(cycle)
class Text(str):
    __hash__ = lambda s: 7
    __eq__ = lambda s, o: s is o
def run(m, c):
    return {value}
"""
    slot, behind = host.module(code), host.module("def run(m, c):\n    return m")
    if is_fused:
        slot.wire(fused={"out": [(behind, "in", "w")]})
    slot.data([1])
    slot.done()
    [error] = slot.errors
    assert (error.info["error"]["type"], error.info["error"]["message"]) == ("DataError", says)


@pytest.mark.parametrize("with_null", [False, True])
def test_a_subclass_is_what_it_is_made_of(host: TextHost, with_null: bool) -> None:
    """Whatever its methods say, and whatever stands beside it in the value."""
    code = """
class Row(list):
    __iter__ = lambda s: iter("other")
    __len__ = lambda s: 1
class Record(dict):
    items = keys = values = __iter__ = lambda s: 1 / 0
class Text(str):
    __str__ = lambda s: "other"
class Number(int):
    __int__ = __index__ = lambda s: 7
class Real(float):
    __float__ = lambda s: 7.5
class Pair(tuple):
    __iter__ = lambda s: iter("other")
def run(m, c):
    return [Row([1, [2]]), Record(a=1), Text("t"), Number(3), Real(1.5), Pair((1, 2)), m]
"""
    last = None if with_null else 1
    assert host.module(code).run([[last]]) == [[[1, [2]], {"a": 1}, "t", 3, 1.5, [1, 2], [last]]]


@pytest.mark.parametrize("way", ["return", "yield from", "async"])
@pytest.mark.parametrize("where", ["plain", "line", "headers"])
def test_a_stack_has_nothing_of_the_hosts(host: TextHost, way: str, where: str) -> None:
    """Not what the host had tried before, nor what was raised before in other modules of the turn."""
    end = {"return": "return act()", "yield from": "yield from act()", "async": "return await work()"}[way]
    code = f"""
def act():
    yield 1
    raise ValueError("no")
{"async def work(): raise ValueError('no')" if way == "async" else ""}
{"async " if way == "async" else ""}def run(m, c):
    {end}
"""
    failing = host.module("def run(m, c):\n    if c.message_id: raise KeyError('before')")
    slot, echo = host.module(code), host.module("def run(m, c):\n    return m")
    slot.wire([])
    echo.wire([], fused={"out": [(failing, "in", "v"), (slot, "in", "w")]})
    root = slot if where == "plain" else echo
    root.data([1, 2], headers=[{"x-h": "1"}, None] if where == "headers" else None)
    root.done()
    error, _ = slot.errors
    assert "caused by" not in error.info["error"]["stack"]
    assert error.info["error"]["stack"].count("File") == error.info["error"]["stack"].count('File "m.py"')


HOSTILE = {
    "its text fails": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "its text is none": "class E(Exception):\n    def __str__(self): return 1\nraise E",
    "a surrogate": "raise ValueError('\\ud800')",
    "no file": "raise SyntaxError('x', ([], 1, 1, 't'))",
    "odd syntax": "raise SyntaxError('x', ('m.py', 'one', 'two', 3))",
    "notes": "e = ValueError('x'); e.__notes__ = 7; raise e",
    "a group": "raise ExceptionGroup('several', [ValueError('one'), TypeError('two')])",
    "a circle": "e = ValueError('x'); e.__cause__ = e; raise e",
    "attributes fail": "class E(OSError):\n    filename = property(lambda s: 1 / 0)\nraise E(13, 'x')",
    "an exit": "raise SystemExit(3)",
    "an interrupt": "raise KeyboardInterrupt",
    "a generator exit": "raise GeneratorExit",
    "a stop": "raise StopIteration(1)",
    "no exception": "raise 1",
    "long": "raise ValueError('x' * 10_000_000)",
    "deep": "def f(): f()\nf()",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_errors(host: TextHost, name: str) -> None:
    """Any of them fails its turn alone."""
    lines = "\n".join("    " + line for line in HOSTILE[name].split("\n"))
    slot = host.module(f"def run(m, c):\n    if m == 'ok': return m\n{lines}")
    behind = host.module(f"def run(m, c):\n    if m == 'ok': return m\n{lines}")
    slot.wire(["out"])
    assert slot.run(["ok", "bad", "ok"]) == ["ok", "ok"]
    echo = host.module("def run(m, c):\n    return m")
    echo.wire(fused={"out": [(behind, "in", "w")]})
    echo.data(["ok", "bad", "ok"])
    echo.done()
    assert behind.out() == ["ok", "ok"]
    [error] = behind.errors
    assert (error.index, json.loads(error.message)) == (NO_INDEX, "bad")
    assert len(json.dumps(error.info)) < 100_000


def test_a_group_says_what_is_in_it(host: TextHost) -> None:
    error = host.failure("def run(m, c):\n    raise ExceptionGroup('several', [ValueError('one'), TypeError('two')])")
    assert error["stack"].endswith("\nin the group ValueError: one\nin the group TypeError: two")
