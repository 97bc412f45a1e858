"""Decode, identity, encode with orjson; prints the microseconds of processor time a message."""

import sys
import time

import orjson

bytes(30 << 20)  # as the host does: large results are not mapped anew each time


def run(message):
    return message


def encoded(data):
    return b",\n".join([orjson.dumps(run(message)) for message in orjson.loads(data)])


data = sys.stdin.buffer.read()
rounds = int(sys.argv[1])
count = len(orjson.loads(data))
for _ in range(rounds // 4):
    encoded(data)
begun = time.process_time()
for _ in range(rounds):
    encoded(data)
print((time.process_time() - begun) * 1e6 / (rounds * count))
