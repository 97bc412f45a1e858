"""Random flows whose modules write down what they take: hypothesis strategies, and the modules' texts in two languages.

A message is {"from": feeder and port, "k": its number there, "v": a value, "hops": how many modules it may still pass}.
What a module sends depends on everything that it took, in order; model.py says the same in plain Python.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

NAMES = "abcde"
MAX_HOPS = 6
PYTHON = """
VERSION = {version}


def plain(m):
    if "error" not in m:
        return m
    inner = plain(m["message"])
    return {{**inner, "from": m["module"] + ".error:" + inner["from"], "v": inner["v"] + 1}}


def run(m, c):
    m = plain(m)
    fails = c.config["fails"] if m["v"] % 4 == 1 else ""
    if fails == "early":
        raise ValueError(m["v"])
    state = (c.get("state", 0) * 31 + m["v"]) % 65521
    c.set("state", state)
    n = c.get("n", 0)
    c.set("n", n + 1)
    c.set("took" + str(n), [m["from"], m["k"], m["v"], m["hops"], VERSION])
    for port, times in (("a", 2 if state % 7 == 0 else 1), ("b", 1 if state % 3 else 0)):
        for _ in range(times if m["hops"] else 0):
            k = c.get("k" + port, 0)
            c.set("k" + port, k + 1)
            v = (state + 7 * k) % 1000
            c.send(port, {{"from": c.module_id + "." + port, "k": k, "v": v, "hops": m["hops"] - 1}})
    if fails == "late":
        raise ValueError(m["v"])
"""
NODE = """
const VERSION = {version}
const plain = (m) => {{
  if (!('error' in m)) return m
  const inner = plain(m.message)
  return {{ ...inner, from: m.module + '.error:' + inner.from, v: inner.v + 1 }}
}}
module.exports = (m, c) => {{
  m = plain(m)
  const fails = m.v % 4 === 1 ? c.config.fails : ''
  if (fails === 'early') throw new Error(m.v)
  const state = (c.get('state', 0) * 31 + m.v) % 65521
  c.set('state', state)
  const n = c.get('n', 0)
  c.set('n', n + 1)
  c.set('took' + n, [m.from, m.k, m.v, m.hops, VERSION])
  for (const [port, times] of [['a', state % 7 === 0 ? 2 : 1], ['b', state % 3 ? 1 : 0]]) {{
    for (let i = 0; i < (m.hops ? times : 0); i++) {{
      const k = c.get('k' + port, 0)
      c.set('k' + port, k + 1)
      c.send(port, {{ from: c.moduleId + '.' + port, k, v: (state + 7 * k) % 1000, hops: m.hops - 1 }})
    }}
  }}
  if (fails === 'late') throw new Error(m.v)
}}
"""
PYTHON_SOURCE = """
VERSION = {version}


def start(c):
    for k in range(c.get("k", 0), c.config["length"]):
        c.set("k", k + 1)
        yield {{"from": c.module_id + ".out", "k": k, "v": (k * 37) % 1000, "hops": c.config["hops"]}}
"""
NODE_SOURCE = """
const VERSION = {version}
exports.start = function * (c) {{
  for (let k = c.get('k', 0); k < c.config.length; k++) {{
    c.set('k', k + 1)
    yield {{ from: c.moduleId + '.out', k, v: (k * 37) % 1000, hops: c.config.hops }}
  }}
}}
"""
TEXTS = {
    ("python3", False): PYTHON, ("node", False): NODE, ("python3", True): PYTHON_SOURCE, ("node", True): NODE_SOURCE
}  # fmt: skip


@dataclass(frozen=True)
class Talker:
    """A module. `length`: it is a source of so many messages. `fails`: whether and where it raises at some values."""

    runtime: str
    isolated: bool = False
    fails: str = ""
    retry: bool = False
    length: int = 0
    version: int = 1

    @property
    def hops(self) -> int:
        """Of the messages of a source: in a cycle every hop makes more of them."""
        return MAX_HOPS - 1 if self.length < 100 else 2

    def module(self) -> dict[str, Any]:
        """As in a flow file."""
        retry = {"retry": {"times": 1, "backoff_s": 0.002}} if self.retry else {}
        return {
            "runtime": self.runtime, "isolated": self.isolated, **retry,
            "code": TEXTS[self.runtime, self.length > 0].format(version=self.version),
            "config": {"fails": self.fails, "length": self.length, "hops": self.hops},
        }  # fmt: skip

    def updated(self, language: bool) -> Talker:
        """The same behaviour, as another version."""
        other = {"python3": "node", "node": "python3"}
        return replace(self, version=self.version + 1, runtime=other[self.runtime] if language else self.runtime)


@dataclass(frozen=True)
class Talk:
    """A flow."""

    modules: dict[str, Talker]
    wires: tuple[tuple[str, str, str], ...]  # module, port, target

    def flow(self, id: str, **fields: Any) -> dict[str, Any]:
        """As a flow file."""
        modules = {name: talker.module() for name, talker in self.modules.items()}
        return {"id": id, "modules": modules, "wires": [f"{m}.{port} -> {to}" for m, port, to in self.wires], **fields}

    @property
    def is_tree(self) -> bool:
        """Neither fan-in nor cycles: every module has one feeder at most."""
        targets = [to for *_, to in self.wires]
        return len(targets) == len(set(targets))

    @property
    def inputs(self) -> list[str]:
        """The modules that a test may send to: in a tree only those without a feeder, and never a source."""
        fed = {to for *_, to in self.wires} if self.is_tree else set()
        return [name for name, talker in self.modules.items() if not talker.length and name not in fed]

    @property
    def handlers(self) -> list[str]:
        """The modules that get messages: not those that are sources only."""
        fed = {to for *_, to in self.wires}
        return sorted(name for name, talker in self.modules.items() if not talker.length or name in fed)


def talkers(sources: bool) -> st.SearchStrategy[Talker]:
    """Any module."""
    return st.builds(
        Talker, runtime=st.sampled_from(["python3", "node"]), isolated=st.sampled_from([False, False, False, True]),
        fails=st.sampled_from(["", "", "", "early", "late"]), retry=st.sampled_from([False, False, True]),
        length=st.one_of(st.integers(5, 60), st.just(400)) if sources else st.just(0),
    )  # fmt: skip


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """A tree of 2 to 5 modules, every second time with more wires: fan-in, cycles, error ports. `a` may be a source."""
    count = draw(st.integers(2, len(NAMES)))
    source = draw(st.sampled_from([False, False, True]))
    modules = {name: draw(talkers(source and name == "a")) for name in NAMES[:count]}
    ports = st.sampled_from(["a", "a", "b"])
    wires = [(draw(st.sampled_from(NAMES[:at])), draw(ports), NAMES[at]) for at in range(1, count)]
    if draw(st.booleans()):
        names, ends = st.sampled_from(NAMES[:count]), st.sampled_from(NAMES[source:count])
        more = st.tuples(names, st.sampled_from(["a", "b", "error"]), ends)
        wires += draw(st.lists(more, min_size=1, max_size=3))
    fixed = ((m, "out" if modules[m].length else port, to) for m, port, to in wires)
    return Talk(modules, tuple(dict.fromkeys(fixed)))
