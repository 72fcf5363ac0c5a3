// tap's settings are in package.json, under "tap": tap reads no settings from a file of this name.
// There, "before" names this program. tap runs it once ahead of all tests, and no test starts when it fails.
// Its environment does not reach the tests; they find redis-server on the PATH for themselves.
/* c8 ignore start */ // tap measures this program even where coverage is off, and would report it as untested
import { execFileSync, spawnSync } from 'node:child_process'

function isInstalled (program: string): boolean {
  return spawnSync(program, ['--version']).status === 0
}

function installRedis (): void {
  // In runlevel 1 Debian's package scripts start no service: each test starts its own server on a free port.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const output = ['ignore', 'ignore', 'inherit'] as const
  execFileSync('apt-get', ['update', '-qq'], { env, stdio: [...output] })
  execFileSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', 'redis-server'], { env, stdio: [...output] })
}

function requireRedis (): void {
  if (isInstalled('redis-server')) return
  if (process.getuid?.() === 0 && isInstalled('apt-get')) {
    try {
      installRedis()
    } catch {
      // apt-get has said what is wrong; the sentence below says what is missing.
    }
  }
  if (isInstalled('redis-server')) return
  console.error('The tests need a redis-server program (6.2 or later) on the PATH: install one, for example with `apt-get install redis-server`.')
  process.exit(1)
}

// Tests of the package and the examples load dist as a user would.
function requireBuild (): void {
  if (spawnSync(process.execPath, ['.ci/build.js', '--if-stale'], { stdio: 'inherit' }).status !== 0) process.exit(1)
}

// Otherwise each test file of a fresh checkout would load the compiler, if only for itself.
function transpileAhead (): void {
  spawnSync(process.execPath, ['.ci/transpile.js'], { stdio: 'inherit' })
}

requireRedis()
requireBuild()
transpileAhead()
