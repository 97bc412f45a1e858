import time


def start(c):
    g = c.config
    i = c.get("i", 0)
    while i < g["readings"]:
        i += 1
        c.set("i", i)
        if i % 5 == 0:
            time.sleep(g["pause_ms"] / 1000)
        yield {
            "origin": g["id"],
            "number": i,
            "value": i * 7919 % 1000003,
            "path": g["id"],
            "loops": i % 3,
            "versions": g["version"],
        }
