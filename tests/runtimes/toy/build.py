"""The toy's compiler: checks the syntax of every unit and writes them into a host of their own.

A comment `# compile: touch PATH` adds a line to a file, `# compile: read PATH` waits for a FIFO.
"""

import json
import re
import sys
from pathlib import Path


def main() -> int:
    """Compile what stdin says."""
    request = json.load(sys.stdin)
    errors = []
    for unit in request["units"]:
        print(f"compiling {unit['name']}")
        for what, path in re.findall(r"# compile: (touch|read) (\S+)", unit["code"]):
            if what == "read":
                Path(path).read_text()
            else:
                with Path(path).open("a") as file:
                    file.write(f"{unit['name']}\n")
                print(f"touched {path}")
        try:
            compile(unit["code"], unit["name"], "exec")
        except SyntaxError as error:
            place = {"file": unit["name"], "line": error.lineno, "column": error.offset}
            errors.append({"unit": unit["unit"], "error": {"type": "SyntaxError", "message": error.msg, **place}})
    if errors:
        print(json.dumps({"errors": errors}))
        return 1
    units = {unit["unit"]: [unit["name"], unit["code"], unit["files"]] for unit in request["units"]}
    template = (Path(__file__).parent / "host_template.py").read_text()
    text = template.replace('"UNITS"', repr(units)).replace('"ENVIRONMENT"', repr(request["environment"]))
    Path("host.py").write_text(text)
    return 0


sys.exit(main())
