# mypy: ignore-errors
import io
import sys
import threading


def run(message, context):
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
    sys.stdout.buffer.write("caf\xe9 ".encode("latin-1") + b"\xff" + "\u00e9".encode("utf-16") + b"\n")
    print("a lone surrogate \udc80, a zero \0")
    print("x" * 3_000_000)
    sys.stdout.write("y" * 3_000_000)
    thread = threading.Thread(target=lambda: [print("from a thread", n) for n in range(100)])
    thread.start()
    for n in range(100):
        print("beside it", n)
    before, sys.stdout = sys.stdout, io.StringIO()
    print("nobody sees this")
    sys.stdout = sys.__stdout__
    print("to the process's own output")
    sys.stdout = io.TextIOWrapper(before.buffer, encoding="utf-8", line_buffering=True)
    print("wrapped again")
    sys.stdout = before
    thread.join()
    print("the last")
    return message
