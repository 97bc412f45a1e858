export default async (m, c) => {
  const g = c.config
  await new Promise((r) => setTimeout(r, m.value % 4))
  m.path = m.path + '/' + g.id
  m.versions = m.versions + g.version
  return m
}
