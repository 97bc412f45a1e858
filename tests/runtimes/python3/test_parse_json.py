"""`flow.parse_json`: what a message can carry of a text from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SAID = """
import json, sys
from runtimes.python3 import codec
for text in json.load(sys.stdin):
    try:
        print(json.dumps(codec.parse_json(text)))
    except ValueError:
        print('"refused"')
"""


@pytest.mark.parametrize("library", ["orjson", "stdlib"])
def test_what_no_message_can_carry_is_refused(library: str) -> None:
    wide = "18446744073709551615"
    texts = [
        "NaN", "[-Infinity]", "1e999", '"\\ud800"', "{", "", "[" * 100_000, "[" * 111 + "]" * 111,
        "[" * 110 + "]" * 110, f"[{wide}, -9223372036854775808]", '{"$bytes": "x"}', "null",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SAID], input=json.dumps(texts), capture_output=True, text=True, check=False,
        env={**os.environ, "RUNNER_HOST_JSON": library},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    deep = json.loads(texts[8])
    wanted = [*["refused"] * 8, deep, [2.0**64, -(2**63)], {"$bytes": "x"}, None]
    assert [json.loads(line) for line in done.stdout.splitlines()] == wanted
