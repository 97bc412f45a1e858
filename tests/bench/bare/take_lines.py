"""`take_lines.py COUNT WARM`: takes lines from standard input, prints what modules/meter.py says of them."""

import os
import sys
from types import SimpleNamespace

import meter  # type: ignore[import-not-found]
import orjson

room = bytearray(30 << 20)
del room
meter.start(SimpleNamespace(config={"count": int(sys.argv[1]), "warm": int(sys.argv[2])}))
rest = b""
while data := os.read(0, 256 << 10):
    text, newline, tail = data.rpartition(b"\n")
    if not newline:
        rest += data
        continue
    for message in orjson.loads(b"[" + (rest + text).replace(b"\n", b",") + b"]"):
        result = meter.run(message, None)
        if result is not None:
            print(orjson.dumps(result).decode())
    rest = tail
