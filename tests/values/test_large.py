"""What one message sets off by way of fused wires may be too much for one transaction: it is done again unfused."""

from __future__ import annotations

from typing import Any

from runtimes.frames import split
from tests.harness import Collector, Harness

MIB = 1 << 20


class Lengths(Collector):
    """Keeps what the messages begin with, and how long they are."""

    def take(self, message: Any) -> None:
        messages, _ = split(message.body, message.flags)
        for text in messages[message.skip : message.skip + message.count]:
            self.got.append((text[:4], len(text)))


def test_a_fused_turn_of_80_mib(runner: Harness) -> None:
    """Each call is within `max_turn_bytes`, so nothing is refused; what was done before the host ended is done once."""
    code = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    {}\n"
    bodies = {
        "many": "return (n for n in range(m))",
        "large": f"return [m, 'x' * {8 * MIB}] if m else m",
    }
    modules = {name: {"runtime": "python3", "code": code.format(body)} for name, body in bodies.items()}
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
