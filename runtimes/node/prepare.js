'use strict'
// Prepares an environment by npm: package.json, package-lock.json, node_modules. See docs/decisions/004.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')

const NO_NETWORK = /ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ECONNRESET|ENETUNREACH|network/i
// An .npmrc may leave the addresses out of the lock, which then cannot be installed without the network.
const OPTIONS = [
  '--omit-lockfile-registry-resolved=false', '--package-lock=true', '--no-audit', '--no-fund', '--no-update-notifier',
  '--no-progress', '--install-links', '--omit=dev', '--loglevel=error', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=3000',
]

function npm(...more) {
  const done = spawnSync('npm', ['install', ...OPTIONS, ...more], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  if (done.error) return done.error.code === 'ENOENT' ? 'npm is not installed: apt-get install npm' : String(done.error)
  return done.status === 0 ? null : done.stderr.trim() || `npm ended with status ${done.status ?? done.signal}`
}

function main() {
  const { dependencies } = JSON.parse(fs.readFileSync(0, 'utf8'))
  process.env.npm_config_cache ??= path.join(process.env.RUNNER_CACHE, 'tools', 'node', 'npm')
  fs.writeFileSync('package.json', '{"name": "environment", "private": true}\n')
  console.log('installing')
  let problem = npm('--prefer-offline', '--', ...dependencies)
  if (problem !== null && NO_NETWORK.test(problem)) {
    console.log('the registry cannot be reached: trying with what is cached')
    if (npm('--offline', '--', ...dependencies) === null) problem = null
  }
  if (problem !== null) {
    console.error(problem)
    for (const text of dependencies) {
      const [, name, version] = /^(@?[\w./-]+)\s*[=~><]=\s*([\w.*-]+)$/.exec(text) ?? [] // Python's notation
      if (name) console.error(`a version is written ${name}@${version}, not ${text}`)
    }
    return 1
  }
  const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'))
  const locked = Object.entries(packages).filter(([place]) => place !== '').map(([place, found]) => {
    return `${found.name ?? place.slice(place.lastIndexOf('node_modules/') + 13)}@${found.version}`
  })
  fs.writeFileSync('lock.json', JSON.stringify({ locked: [...new Set(locked)].sort() }))
  return 0
}

process.exitCode = main()
