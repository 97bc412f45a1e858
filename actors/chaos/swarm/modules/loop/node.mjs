export default (m, c) => {
  const g = c.config
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  if (m.loops > 0) { m.loops -= 1; c.send('again', m); return undefined }
  return m
}
