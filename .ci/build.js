// Compiles lib to dist. With --if-stale, only when something under lib is newer than the last build,
// so that whoever needs dist (a test, an example) can ask for it without paying twice.
// What tsc writes is then made into what users need: see the two modules that are imported for it.
/* c8 ignore start */ // tap.config.ts runs this, and tap would report it as untested
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeLuaFiles } from './lua.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

function modifiedMs (path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function isFresh () {
  // Folders count as well: deleting a source file touches nothing but its folder.
  const sources = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', '.ci/build.js', '.ci/describe-options.js', '.ci/lua.js', '.ci/trim.js', 'lib',
    ...readdirSync('lib', { recursive: true }).map((path) => `lib/${path}`)]
  return modifiedMs('dist/index.js') > Math.max(...sources.map(modifiedMs))
}

async function build () {
  rmSync('dist', { recursive: true, force: true })
  try {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
  } catch {
    process.exitCode = 1 // tsc has said why
    return
  }
  writeLuaFiles('dist')
  cpSync('lib/compat/types.d.ts', 'dist/compat/types.d.ts')
  // Only here: the compiler takes longer to load than it takes to see that nothing is to be built.
  const [{ describeOptions }, { trim }] = await Promise.all([import('./describe-options.js'), import('./trim.js')])
  try {
    await describeOptions()
    await trim()
  } catch (error) {
    // Half of it must not be taken for fresh.
    rmSync('dist', { recursive: true, force: true })
    throw error
  }
}

if (!(process.argv.includes('--if-stale') && isFresh())) await build()
