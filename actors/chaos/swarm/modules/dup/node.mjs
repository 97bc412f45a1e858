export default function* (m, c) {
  const g = c.config
  const p = m.path
  m.versions = m.versions + g.version
  for (let j = 0; j < 2; j++) yield { ...m, path: p + '/' + g.id + '.' + j }
}
