export async function* start(c) {
  const g = c.config
  let i = c.get('i', 0)
  while (i < g.readings) {
    i += 1
    c.set('i', i)
    if (i % 5 === 0) await new Promise((r) => setTimeout(r, g.pause_ms))
    yield { origin: g.id, number: i, value: (i * 7919) % 1000003, path: g.id, loops: i % 3, versions: g.version }
  }
}
