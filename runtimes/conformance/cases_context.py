"""Cases about the context: by value, rolled back, deleted, limited, restored."""

from __future__ import annotations

from typing import Any

from runtimes.conformance.case import Bench, case
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import expect

VALUE_BYTES = 1 << 20


@case
def by_value(bench: Bench) -> None:
    """Changing what was set, or what `get` gave, does not change the context."""
    host = bench.start()
    slot = host.load("context_values")
    value = {"list": [1, {"a": []}], "text": "t"}
    expect(slot.run([value]), [value])
    expect(slot.context_value("kept"), value, "committed context")


@case
def edit(bench: Bench) -> None:
    """`set`, `delete`, `keys` and the default of `get`."""
    host = bench.start()
    slot = host.load("context_edit", context={"old": [1], "gone": 2})
    [seen] = slot.run([{"set": {"new": {"a": 1}, "old": [1, 2]}, "delete": ["gone", "never"]}])
    expect(seen, {"keys": ["new", "old"], "values": [{"a": 1}, [1, 2]], "missing": "default"})
    expect({key: slot.context_value(key) for key in slot.context}, {"new": {"a": 1}, "old": [1, 2]}, "committed")


@case
def values_that_look_empty(bench: Bench) -> None:
    """null, false, 0, "", [] and {} are values of a key, not its absence."""
    host = bench.start()
    slot = host.load("context_edit")
    values: dict[str, Any] = {"a": None, "b": False, "c": 0, "d": "", "e": [], "f": {}}
    [seen] = slot.run([{"set": values}])
    expect(seen["values"], list(values.values()))
    expect({key: slot.context_value(key) for key in slot.context}, values, "committed")


@case
def keys_of_any_text(bench: Bench) -> None:
    """Keys are any text, also those that mean something to a language."""
    host = bench.start()
    slot = host.load("context_edit")
    values = {"": 1, "ü 😀": 2, "__proto__": 3, "constructor": 4, "a.b": 5, "\u0000": 6}
    slot.run([{"set": values}])
    expect({key: slot.context_value(key) for key in slot.context}, values, "committed")


@case
def rolled_back(bench: Bench) -> None:
    """A failing turn sets and deletes nothing, in the host and in what is committed."""
    host = bench.start()
    slot = host.load("context_edit", context={"a": 1})
    [seen] = slot.run([{"set": {"a": 2, "b": 3}, "fail": True}, {"delete": ["a"], "fail": True}, {}])
    expect([seen["keys"], seen["values"]], [["a"], [1]], "seen by the next turn")
    expect({key: slot.context_value(key) for key in slot.context}, {"a": 1}, "committed")


@case
def rolled_back_between_good_turns(bench: Bench) -> None:
    """The changes of the turns before and behind a failing one stand."""
    host = bench.start()
    slot = host.load("context_edit")
    slot.run([{"set": {"a": 1}}, {"set": {"a": 2}, "delete": ["a"], "fail": True}, {"set": {"b": 3}}])
    expect({key: slot.context_value(key) for key in slot.context}, {"a": 1, "b": 3}, "committed")


@case
def set_then_deleted(bench: Bench) -> None:
    """Of several changes of a key, the last one is committed."""
    host = bench.start()
    slot = host.load("context_edit", context={"b": 1})
    slot.run([{"set": {"a": 1}, "delete": ["a", "b"]}, {"set": {"b": 2}}, {"delete": ["b"]}, {"set": {"c": 1}}])
    expect({key: slot.context_value(key) for key in slot.context}, {"c": 1}, "committed")


@case
def restored_by_load(bench: Bench) -> None:
    """LOAD's context is what the module sees, and no CONTEXT repeats it."""
    host = bench.start()
    context = {"a": {"deep": [1, None, "ü"]}, "b": 2**60, "c": False}
    slot = host.load("context_edit", context=context)
    [seen] = slot.run([{}])
    expect(seen["values"], list(context.values()))
    require(not host.commits[0].context, "CONTEXT for keys that nobody changed")


@case
def value_limit(bench: Bench) -> None:
    """A value of nearly 1 MiB can be set, a larger one raises."""
    host = bench.start()
    slot = host.load("context_big")
    sent = slot.run([{"key": "fits", "bytes": VALUE_BYTES - 100}, {"key": "large", "bytes": VALUE_BYTES + 100}])
    expect([sent, len(slot.errors)], [["fits"], 1], "sent, and number of errors")
    expect(sorted(slot.context), ["fits"], "keys")


@case
def module_limit(bench: Bench) -> None:
    """All values of a module together have at most 64 MiB."""
    host = bench.start()
    full = {f"k{n}": "x" * (VALUE_BYTES - 100) for n in range(60)}
    slot = host.load("context_big", context=full)
    sent = slot.run([{"key": f"n{n}", "bytes": VALUE_BYTES - 100} for n in range(6)])
    require(3 <= len(sent) <= 4, f"{len(sent)} values of 1 MiB were added to 60")
    expect(len(sent) + len(slot.errors), 6, "sent and refused")


@case
def unencodable_value(bench: Bench) -> None:
    """NaN and lone surrogates cannot be set: DataError."""
    host = bench.start()
    bench.source("unencodable")
    slot = host.load("unencodable_context")
    slot.run(["nan", "surrogate"])
    expect([error.type for error in slot.errors], ["DataError", "DataError"], "errors")
    expect(sorted(slot.context), [], "keys")
