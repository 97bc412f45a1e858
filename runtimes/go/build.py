"""The build command (docs/decisions/004): hands the request to the builder that prepare.py has compiled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from runtimes.go.tools import go_variables


def main() -> int:
    """Run the builder in the working directory, which becomes the result."""
    request = sys.stdin.read()
    builder = Path(json.loads(request)["environment"]) / "builder"
    return subprocess.run([builder], input=request, text=True, env=go_variables(), check=False).returncode


sys.exit(main())
