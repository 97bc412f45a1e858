"""`COUNT WARM`: PUSH to PULL over a Unix socket, a message a send."""

import os
import sys
import tempfile
from types import SimpleNamespace

import meter
import orjson
import zmq
from source import readings

context = SimpleNamespace(config={"count": int(sys.argv[1]), "warm": int(sys.argv[2])})


with tempfile.TemporaryDirectory(prefix="bench-") as folder:
    place = f"ipc://{folder}/pair"
    if os.fork() == 0:
        push = zmq.Context().socket(zmq.PUSH)
        push.connect(place)
        for reading in readings(context.config["count"]):
            push.send(orjson.dumps(reading))
        push.close()
        push.context.term()
        os._exit(0)
    pull = zmq.Context().socket(zmq.PULL)
    pull.bind(place)
    meter.start(context)
    while (result := meter.run(orjson.loads(pull.recv()), context)) is None:
        pass
    os.wait()
print(orjson.dumps(result).decode())
