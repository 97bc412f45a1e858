const seen = new Set()
module.exports = (m, c) => {
  const g = c.config
  const key = m.path + m.number + '.' + m.loops
  c.set('n', c.get('n', 0) + 1)
  if (m.value % g.divisor === 0 && !seen.has(key)) { seen.add(key); throw new Error('once') }
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  m.count = c.get('n')
  return m
}
