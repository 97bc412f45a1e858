"""What sensors would say: temperatures that wander, and now and then are too high."""

import math
from datetime import datetime


def run(tick, context):
    at = datetime.fromisoformat(tick["time"]).timestamp()
    for index, device in enumerate(context.config["devices"]):
        celsius = 30 + 12 * math.sin(at / 40 + index * 2)
        yield {"device": device, "celsius": round(celsius, 1), "at": at}
