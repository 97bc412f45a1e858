def run(m, c)
  g = c.config
  c.set("seen", c.get("seen", 0) + 1)
  raise "no" if m["value"] % g["divisor"] == 0
  m["path"] = m["path"] + "/" + g["id"]
  m["versions"] = m["versions"] + g["version"]
  m
end
