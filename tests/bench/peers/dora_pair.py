"""`COUNT WARM`: a dataflow of two Python nodes that are joined with back-pressure, and say what they have taken."""

import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import orjson

COUNT, WARM = sys.argv[1:3]
EVERY, AHEAD = 500, 2000
if len(sys.argv) > 3:
    from dora import Node

    node = Node()
    if sys.argv[3] == "source":
        from source import readings

        for number, reading in enumerate(readings(int(COUNT)), 1):
            node.send_output("out", orjson.dumps(reading))
            if number >= AHEAD and number % EVERY == 0:  # its queues drop the oldest message when they are full
                while node.next()["type"] != "INPUT":
                    pass
    else:
        import meter

        context = SimpleNamespace(config={"count": int(COUNT), "warm": int(WARM)})
        meter.start(context)
        for number, event in enumerate((event for event in node if event["type"] == "INPUT"), 1):
            if number % EVERY == 0:
                node.send_output("taken", b"!")
            if (result := meter.run(orjson.loads(event["value"].to_numpy().tobytes()), context)) is not None:
                Path(sys.argv[4]).write_bytes(orjson.dumps(result))
                break
    sys.exit()

with tempfile.TemporaryDirectory(prefix="bench-") as folder:
    result = Path(folder, "result")
    program = Path(folder, "python")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {COUNT} {WARM} "$@"\n')
    program.chmod(0o755)
    wire = {"source": "source/out", "queue_size": 4000, "queue_policy": "backpressure"}
    nodes = [
        {
            "id": "source", "path": str(program), "args": "source", "outputs": ["out"],
            "inputs": {"taken": "meter/taken"},
        },
        {
            "id": "meter", "path": str(program), "args": f"meter {result}", "inputs": {"in": wire},
            "outputs": ["taken"],
        },
    ]  # fmt: skip
    flow = Path(folder, "flow.yaml")
    flow.write_bytes(orjson.dumps({"nodes": nodes}))
    dora = Path(sys.executable).parent / "dora"
    command = [dora, "run", flow, "--stop-after", "60s"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    if not result.exists():
        sys.exit(f"dora lost messages, or did not end:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    print(result.read_text())
