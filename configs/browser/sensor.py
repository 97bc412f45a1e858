"""A source: how busy this machine is, as long as the flow runs."""

import time

import psutil


def start(context):
    psutil.cpu_percent()  # the first call only starts the measurement
    while True:
        time.sleep(context.config["every_s"])
        yield {
            "time": round(time.time(), 2),
            "cpu": psutil.cpu_percent(),
            "memory": psutil.virtual_memory().percent,
        }
