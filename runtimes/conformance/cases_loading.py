"""Cases about LOAD and UNLOAD: good modules, bad ones, siblings, ports, slots."""

from __future__ import annotations

from typing import Any

from runtimes.conformance.case import Bench, Skipped, case
from runtimes.conformance.host import Host
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import expect
from runtimes.frames import Kind


def check_place(bench: Bench, module: str, error: dict[str, Any]) -> str:
    """The place of an error is the user's; a host that does not know it may leave it out."""
    if "line" not in error:
        return "no line given"
    expect(error["line"], bench.line_here(module), f"line of the error {error}")
    if "file" in error:
        expect(error["file"], bench.source(module)[0], "file of the error")
    return f"line {error['line']}"


@case
def load(bench: Bench) -> None:
    """A module without hooks is loaded and handles messages."""
    host = bench.start()
    slot = host.load("double")
    expect(slot.hooks, [], "hooks")
    expect(slot.run([1, 2, 21]), [2, 4, 42])


@case
def hooks_are_named(bench: Bench) -> None:
    """RESULT names the hooks, and loading calls none of them."""
    host = bench.start()
    slot = host.load("hooks")
    expect(sorted(slot.hooks), ["migrate", "start", "stop"], "hooks")
    expect(slot.run([1]), [[]], "events before any CALL")


@case
def source_needs_no_handler(bench: Bench) -> None:
    """A module with `start` and no handler is loaded."""
    require("start" in bench.start().load("source", config={"n": 1}).hooks, "the hook start is not named")


@case
def no_handler(bench: Bench) -> None:
    """A module without handler and without `start` is a load error; the host goes on."""
    host = bench.start()
    host.refuse_load("no_handler")
    expect(host.load("double").run([2]), [4])


@case
def syntax_error(bench: Bench) -> str:
    """Source that cannot be read is a load error that names the user's line; the host goes on."""
    host = bench.start()
    place = check_place(bench, "syntax_error", host.refuse_load("syntax_error"))
    expect(host.load("double").run([2]), [4])
    return place


@case
def load_error(bench: Bench) -> str:
    """A module whose top level raises is a load error that names the user's line; its slot can be loaded again."""
    host = bench.start()
    error = host.refuse_load("load_error")
    require("cannot load" in error["message"], f"the message is {error['message']!r}")
    expect(host.load("double", slot=0).run([2]), [4])
    return check_place(bench, "load_error", error)


@case
def unknown_unit(bench: Bench) -> None:
    """A unit that the build does not have is a load error, whatever the text; the host goes on."""
    if not bench.is_compiled:
        raise Skipped("modules are loaded as text")
    host = bench.start()
    host.refuse_load("double", unit="u_0000000000000000")
    expect(host.load("double").run([2]), [4])


@case
def siblings(bench: Bench) -> None:
    """Two modules import siblings of one name, each its own."""
    host = bench.start()
    first = load_with_helper(bench, host, "helper-one")
    second = load_with_helper(bench, host, "helper-two")
    expect([first.run([1]), second.run([2])], [[[1, "helper-one"]], [[2, "helper-two"]]])


@case
def data_files(bench: Bench) -> None:
    """Files that are no source are beside the module, byte by byte, in folders too, while it loads and afterwards."""
    host = bench.start()
    texts = ["[1,\n2]\n", "<?php é \x00\r\n"]
    for word in ("one", "two"):
        slot = host.load("beside", files={"table.json": texts[0] + word, "deep/down/words.txt": texts[1] + word})
        expect(slot.run([0]), [[texts[0] + word, texts[1] + word]], "what is read beside the module")


@case
def missing_sibling(bench: Bench) -> None:
    """A module whose sibling is not there is a load error."""
    bench.start().refuse_load("sibling")


def load_with_helper(bench: Bench, host: Host, name: str) -> Any:
    """Load `sibling` with a helper of its own."""
    helper, text = bench.source("helper")
    return host.load("sibling", files={helper: text.replace("helper-one", name)})


@case
def config(bench: Bench) -> None:
    """`context.config` is LOAD's config."""
    host = bench.start()
    for value in ({"a": [1, {"b": None}], "c": "ü"}, [1], "text", 0, False):
        expect(host.load("config_echo", config=value).run([1]), [value])


@case
def config_that_the_module_refuses(bench: Bench) -> None:
    """What the module finds wrong is a load error that names the first field, and all in its message; no file, no line.
    Its slot can be loaded again.
    """
    host = bench.start()
    error = host.refuse_load("checks_config", config={"to": {"mild": 2, "hot": 1, "cold": 3}})
    expect(error.get("config"), "to.hot", "the field")
    expect(error["type"], "ConfigError", "type")
    require("config.to.hot` is odd" in error["message"], f"the message is {error['message']!r}")
    require("config.to.cold` is odd" in error["message"], f"the message is {error['message']!r}")
    expect(sorted(error.keys() & {"file", "line", "column", "stack"}), [], "a place in the module")
    expect(host.load("checks_config", slot=0, config={"to": {"hot": 2}}).run([1]), [{"hot": 2}])


@case
def declared_ports(bench: Bench) -> None:
    """With declared ports, a send to another one raises PortError."""
    host = bench.start()
    slot = host.load("fan", ports={"in": ["in"], "out": ["out", "a"]})
    slot.wire(["out", "a"])
    slot.run([1])
    expect([error.type for error in slot.errors], ["PortError"], "errors")
    expect([slot.out("a"), slot.out("out")], [[], []], "sent by the failed turn")


@case
def undeclared_ports(bench: Bench) -> None:
    """Without declared ports, a send to a port without a wire is counted and no error."""
    host = bench.start()
    slot = host.load("fan")
    slot.wire(["a"])
    slot.run([1, 2])
    slot.counts(consumed=2, handled=2, failed=0, sent=4, unwired=4)


@case
def slots_are_apart(bench: Bench) -> None:
    """Modules of one host share neither context nor config."""
    host = bench.start()
    one, two, far = host.load("counter"), host.load("counter", context={"n": 10}), host.load("counter", slot=999)
    expect([one.run([0, 0]), two.run([0]), far.run([0])], [[1, 2], [11], [1]])
    expect([slot.context_value("n") for slot in (one, two, far)], [2, 11, 1], "contexts")


@case
def unload_and_reuse(bench: Bench) -> None:
    """A slot number may be used again after UNLOAD, with nothing left of what was there."""
    host = bench.start()
    old = host.load("counter", slot=2)
    expect(old.run([0, 0]), [1, 2])
    host.unload(old)
    expect(host.load("counter", slot=2).run([0]), [1])
    host.unload(host.slots[2])
    expect(host.load("double", slot=2).run([4]), [8])


@case
def unload_of_what_is_not_there(bench: Bench) -> None:
    """UNLOAD of a slot whose LOAD has failed, or that is free, is no error and touches nobody else."""
    host = bench.start()
    other = host.load("slow", config={"ms": 5})
    host.refuse_load("no_handler")
    for n in range(4):
        other.data([n] * 10)
    for number in (1, 77):
        result = host.result(host.ask(Kind.UNLOAD, number))
        require(result.get("ok") is True, f"UNLOAD gave {result}")
    expect(len(other.done().out()), 40, "messages")
