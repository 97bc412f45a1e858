// Keeps what comes; told `{"from": n}` it sends what it has from there on, 2,000 at most, in messages of 100.
module.exports = (m, c) => {
  const n = c.get('n', 0)
  if (!('from' in m)) {
    c.set('k' + n, m)
    c.set('n', n + 1)
    return
  }
  const end = Math.min(n, m.from + 2000)
  for (let s = m.from; s < end; s += 100) {
    const some = []
    for (let i = s; i < Math.min(end, s + 100); i++) some.push(c.get('k' + i))
    c.send('dump', some)
  }
  if (end === n) c.send('dump', 'end')
}
