"""`COUNT WARM`: two processes and nats-server (in PATH), a message a publish."""

import asyncio
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import meter
import nats
import orjson
from source import readings

context = SimpleNamespace(config={"count": int(sys.argv[1]), "warm": int(sys.argv[2])})


async def publish(place: str) -> None:
    client = await nats.connect(place)
    for number, reading in enumerate(readings(context.config["count"])):
        await client.publish("w", orjson.dumps(reading))
        if number % 1000 == 0:
            await client.flush()
    await client.flush()
    await client.close()


async def count(place: str, ready: int) -> dict:
    client, done = await nats.connect(place), asyncio.get_running_loop().create_future()
    meter.start(context)

    async def take(message: object) -> None:
        if (result := meter.run(orjson.loads(message.data), context)) is not None:
            done.set_result(result)

    await client.subscribe("w", cb=take, pending_msgs_limit=0, pending_bytes_limit=0)
    await client.flush()
    os.write(ready, b"!")
    result = await done
    await client.close()
    return result


with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
command = ["nats-server", "-a", "127.0.0.1", "-p", str(port)]
with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
    while "Server is ready" not in server.stderr.readline():
        assert server.poll() is None
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.read(reading, 1)
        asyncio.run(publish(f"nats://127.0.0.1:{port}"))
        os._exit(0)
    print(orjson.dumps(asyncio.run(count(f"nats://127.0.0.1:{port}", writing))).decode())
    os.wait()
    server.terminate()
