def run(m, c):
    g = c.config
    m["path"] = m["path"] + "/" + g["id"]
    m["versions"] = m["versions"] + g["version"]
    return None if m["value"] % g["divisor"] == 0 else m
