"""`modules.py FILE COUNT`: compiles and runs the text of a module COUNT times."""

import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text()
loaded = []
for number in range(int(sys.argv[2])):
    names: dict[str, object] = {}
    exec(compile(text, f"m{number}", "exec"), names)
    loaded.append(names)
