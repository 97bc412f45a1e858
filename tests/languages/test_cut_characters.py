"""What a module prints in pieces that end in the middle of a character is logged in whole characters."""

from __future__ import annotations

import logging

import pytest

from tests.harness import Harness, need

TEXT = "Hello, 世界 €😀"
BYTES = [*f"{TEXT}\n".encode()]
PRINTERS = {
    "python3": f"import sys\ndef run(m, c):\n  for n in {BYTES}: sys.stdout.buffer.write(bytes([n]))\n",
    "python3 descriptor": f"import os\ndef run(m, c):\n  for n in {BYTES}: os.write(2, bytes([n]))\n",
    "node": f"module.exports = () => {{ for (const n of {BYTES}) process.stdout.write(Buffer.from([n])) }}",
    "node other encoding": f"module.exports = () => {{ process.stderr.write('{bytes(BYTES).hex()}', 'hex') }}",
    "ruby": f"def run(m, c) = {BYTES}.each {{ |n| $stdout.write(n.chr) }} && nil",
    "php": f"function run($m, $c) {{ foreach ({BYTES} as $n) echo chr($n); }}",
    "php descriptor": f"function run($m, $c) {{ foreach ({BYTES} as $n) fwrite(STDERR, chr($n)); }}",
}


@pytest.mark.parametrize("name", PRINTERS)
def test_characters_are_whole(runner: Harness, caplog: pytest.LogCaptureFixture, name: str) -> None:
    runtime = name.partition(" ")[0]
    need(runtime)
    caplog.set_level(logging.INFO)
    runner.add("f", {"a": {"runtime": runtime, "code": PRINTERS[name]}})
    runner.start("f")
    caplog.clear()
    runner.send("f/a", 1)
    runner.wait_idle("f")
    runner.wait(lambda: "😀" in caplog.text, "the text")
    printed = "".join(record.getMessage().partition(": ")[2] for record in caplog.records)
    assert TEXT in printed, printed
