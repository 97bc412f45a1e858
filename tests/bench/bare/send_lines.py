"""`send_lines.py COUNT`: the messages of modules/source.py as lines to standard output, 64 KiB a write."""

import os
import sys

import orjson
from source import readings  # type: ignore[import-not-found]  # modules/source.py: modules/ is the PYTHONPATH

room = bytearray(30 << 20)  # glibc keeps freed blocks below this size from now on
del room
lines: list[bytes] = []
size = 0
for message in readings(int(sys.argv[1])):
    line = orjson.dumps(message)
    lines.append(line)
    size += len(line) + 1
    if size >= 64 << 10:
        os.write(1, b"\n".join(lines) + b"\n")
        lines.clear()
        size = 0
if lines:
    os.write(1, b"\n".join(lines) + b"\n")
