"""Prepares an environment: a text per dependency. `wait` waits until the test opens the FIFO named behind it.

`prints` leaves a process behind that prints without end, in a session of its own.
"""

import json
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """What the dependencies say."""
    dependencies = json.load(sys.stdin)["dependencies"]
    for dependency in dependencies:
        name, _, value = dependency.partition("=")
        print(f"taking {name}")
        Path(f"{name}.txt").write_text(value)
        if name == "wait":
            Path(value).read_text()
        if name == "prints":
            subprocess.Popen(["yes"], start_new_session=True)
        if name == "missing":
            print(f"there is no package {value}", file=sys.stderr)
            return 1
    Path("lock.json").write_text(json.dumps({"locked": [f"{name}.0" for name in dependencies]}))
    return 0


sys.exit(main())
