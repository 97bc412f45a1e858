def run(m, c):
    g = c.config
    m["versions"] = m["versions"] + g["version"]
    p = m["path"]
    for j in range(2):
        m["path"] = p + "/" + g["id"] + "." + str(j)
        yield m
