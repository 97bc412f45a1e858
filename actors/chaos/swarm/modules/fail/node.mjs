export default (m, c) => {
  const g = c.config
  c.set('seen', c.get('seen', 0) + 1)
  if (m.value % g.divisor === 0) throw new Error('no ' + m.number)
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  return m
}
