# Keeps what comes; told `{"from": n}` it sends what it has from there on, 2,000 at most, in messages of 100.
def run(m, c):
    n = c.get("n", 0)
    if "from" not in m:
        c.set(f"k{n}", m)
        c.set("n", n + 1)
        return
    end = min(n, m["from"] + 2000)
    for s in range(m["from"], end, 100):
        c.send("dump", [c.get(f"k{i}") for i in range(s, min(end, s + 100))])
    if end == n:
        c.send("dump", "end")
