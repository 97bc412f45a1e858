export default (m, c) => {
  const g = c.config
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  m.headers_kept = c.headers['x-i'] === String(m.number) && c.headers.client === 's' && Object.keys(c.headers).length === 2 ? 1 : 0
  return m
}
