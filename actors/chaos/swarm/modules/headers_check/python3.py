def run(m, c):
    g = c.config
    m["path"] = m["path"] + "/" + g["id"]
    m["versions"] = m["versions"] + g["version"]
    m["headers_kept"] = 1 if c.headers == {"x-i": str(m["number"]), "client": "s"} else 0
    return m
