"""What a message costs a language without any host: decode, the identity function, encode, in one bare process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from tests.bench.latency import MESSAGE

FOLDER = Path(__file__).parent / "bare" / "codec"
ROUNDS = 2000


def cost_us(runtime: str) -> float:
    """Microseconds of processor time a message. Each program of bare/codec prints them.

    It gets a JSON array of 600 messages on standard input and the number of rounds as its argument.
    """
    messages = b"[" + b",".join([MESSAGE] * 600) + b"]"
    command = [*COMMANDS[runtime](), str(ROUNDS)]
    done = subprocess.run(command, input=messages, stdout=subprocess.PIPE, check=True, env=os.environ)
    return float(orjson.loads(done.stdout))


COMMANDS = {
    "python3": lambda: [sys.executable, str(FOLDER / "codec.py")],
    "node": lambda: ["node", str(FOLDER / "codec.js")],
}
