"""What one message sets off by way of fused wires may be too much for one transaction: it is done again unfused."""

from __future__ import annotations

from typing import Any

import pytest

from runtimes.frames import split
from tests.harness import Collector, Harness, need

MIB = 1 << 20


class Lengths(Collector):
    """Keeps what the messages begin with, and how long they are."""

    def take(self, message: Any) -> None:
        messages, _ = split(message.body, message.flags)
        for text in messages[message.skip : message.skip + message.count]:
            self.got.append((text[:4], len(text)))


# The module that sends 0 to its message - 1, and the one that answers with 8 MiB, but 0 with 0; both count.
MODULES = {
    "python3": (
        "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return (n for n in range(m))\n",
        "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return [m, 'x' * 8388608] if m else m\n",
    ),
    "ruby": (
        "def run(m, c)\n  c.set('n', c.get('n', 0) + 1)\n  m.times.each_entry\nend\n",
        "def run(m, c)\n  c.set('n', c.get('n', 0) + 1)\n  m.zero? ? m : [m, 'x' * 8388608]\nend\n",
    ),
    "php": (
        "function run($m, $c) { $c->set('n', $c->get('n', 0) + 1); yield from range(0, $m - 1); }",
        "function run($m, $c) { $c->set('n', $c->get('n', 0) + 1); return $m ? [$m, str_repeat('x', 8388608)] : $m; }",
    ),
    "sbcl": (
        '(lambda (m c) (context-set c "n" (1+ (context-get c "n" 0))) (dotimes (i m) (context-send c "out" i)))',
        '(lambda (m c) (context-set c "n" (1+ (context-get c "n" 0)))\n'
        "  (if (zerop m) m (list m (make-string 8388608 :initial-element #\\x))))",
    ),
    "rust": (
        "use flow::prelude::*;\npub fn run(m: i64, c: &mut Context) -> Result<Option<Value>> {\n"
        '    c.set("n", c.get_or("n", 0)? + 1)?;\n    (0..m).try_for_each(|n| c.send("out", n)).map(|()| None)\n}\n',
        "use flow::prelude::*;\npub fn run(m: i64, c: &mut Context) -> Result<Option<Value>> {\n"
        '    c.set("n", c.get_or("n", 0)? + 1)?;\n'
        '    Ok(Some(if m == 0 { json!(m) } else { json!([m, "x".repeat(8388608)]) }))\n}\n',
    ),
}


@pytest.mark.parametrize("runtime", MODULES)
def test_a_fused_turn_of_80_mib(runner: Harness, runtime: str) -> None:
    """Each call is within `max_turn_bytes`, so nothing is refused; what was done before the host ended is done once."""
    need(runtime)
    modules = {
        name: {"runtime": runtime, "code": code} for name, code in zip(("many", "large"), MODULES[runtime], strict=True)
    }
    runner.add("f", modules, ["many -> large"])
    out = runner.collect("f", "large", Lengths)
    runner.start("f")
    [bridge] = [runner.actor(bridge) for bridge in runner.record("f").bridges.values()]
    runner.send("f/many", 1, 11, 1)
    runner.wait_idle("f")
    large = [(f"[{n},".encode().ljust(4, b'"')[:4], 8 * MIB + len(f'[{n},""]')) for n in range(1, 11)]
    assert out.got == [(b"0", 1), (b"0", 1), *large, (b"0", 1)]
    assert bridge.starts == 2, "the host had no reason to end"
    assert runner.module("f", "many").state.context == {b"n": b"3"}
    assert runner.module("f", "large").state.context == {b"n": b"13"}
    assert not runner.state("f")["deadLetters"]
