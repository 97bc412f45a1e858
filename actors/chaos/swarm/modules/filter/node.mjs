export default (m, c) => {
  const g = c.config
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  return m.value % g.divisor === 0 ? undefined : m
}
