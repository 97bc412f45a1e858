"""Counts messages; after `count` of them sends how long all but the first `warm` took."""

import time

seen = begun = warm = count = 0


def start(context):
    global seen, warm, count
    seen, warm, count = 0, context.config["warm"], context.config["count"]


def run(message, context):
    global seen, begun
    seen += 1
    if seen == warm:
        begun = time.perf_counter()
    elif seen == count:
        return {"messages": count - warm, "seconds": time.perf_counter() - begun}
    return None
