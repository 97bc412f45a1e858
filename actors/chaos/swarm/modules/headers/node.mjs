export default (m, c) => {
  const g = c.config
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  c.send('out', m, { 'x-i': String(m.number), client: 's' })
}
