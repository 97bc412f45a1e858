def run(m, c)
  g = c.config
  m["path"] = m["path"] + "/" + g["id"]
  m["versions"] = m["versions"] + g["version"]
  m["value"] % g["divisor"] == 0 ? nil : m
end
