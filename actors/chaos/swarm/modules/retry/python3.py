seen = set()


def run(m, c):
    g = c.config
    key = m["path"] + str(m["number"]) + "." + str(m["loops"])
    c.set("n", c.get("n", 0) + 1)
    if m["value"] % g["divisor"] == 0 and key not in seen:
        seen.add(key)
        raise ValueError("once")
    m["path"] = m["path"] + "/" + g["id"]
    m["versions"] = m["versions"] + g["version"]
    m["count"] = c.get("n")
    return m
