"""`modules.py FILE COUNT`: compiles and runs the text of a module COUNT times; prints its own memory per module."""

import sys
from pathlib import Path

import psutil

text, count = Path(sys.argv[1]).read_text(), int(sys.argv[2])
before = psutil.Process().memory_full_info().uss
loaded = []
for number in range(count):
    names: dict[str, object] = {}
    exec(compile(text, f"m{number}", "exec"), names)  # noqa: S102
    loaded.append(names)
print((psutil.Process().memory_full_info().uss - before) / count)
