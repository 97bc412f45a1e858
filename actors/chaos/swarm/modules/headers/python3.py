def run(m, c):
    g = c.config
    m["path"] = m["path"] + "/" + g["id"]
    m["versions"] = m["versions"] + g["version"]
    c.send("out", m, {"x-i": str(m["number"]), "client": "s"})
