SEEN = {}
def run(m, c)
  g = c.config
  key = m["path"] + m["number"].to_s + "." + m["loops"].to_s
  c.set("n", c.get("n", 0) + 1)
  if m["value"] % g["divisor"] == 0 && !SEEN[key]
    SEEN[key] = true
    raise "once"
  end
  m["path"] = m["path"] + "/" + g["id"]
  m["versions"] = m["versions"] + g["version"]
  m["count"] = c.get("n")
  m
end
