// Compiles lib to .modules, a module for each, and bundles these into dist, which is packed. With --if-stale, only when something
// under lib is newer than the last build, so that a test or an example can ask for dist without paying twice.
/* c8 ignore start */ // tap.config.ts runs this, and tap would report it as untested
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeLuaFiles } from './lua.js'
import { writePageFiles } from './page.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

/** The modules as they are in lib. The scripts of docs and bench import from there what is not public. */
const MODULES = '.modules'

function modifiedMs (path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function isFresh () {
  // Folders count as well: deleting a source file touches nothing but its folder.
  const sources = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'lib',
    ...['build', 'bundle', 'declarations', 'describe-options', 'lua', 'page'].map((name) => `.ci/${name}.js`),
    ...readdirSync('lib', { recursive: true }).map((path) => `lib/${path}`)]
  return modifiedMs('dist/index.js') > Math.max(...sources.map(modifiedMs))
}

async function build () {
  for (const folder of ['dist', MODULES]) rmSync(folder, { recursive: true, force: true })
  try {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
  } catch {
    process.exitCode = 1 // tsc has said why
    return
  }
  writeLuaFiles(MODULES)
  await writePageFiles(MODULES)
  cpSync('lib/compat/types.d.ts', `${MODULES}/compat/types.d.ts`)
  // Only here: the compiler takes longer to load than it takes to see that nothing is to be built.
  const [{ describeOptions }, { bundleModules }] = await Promise.all([import('./describe-options.js'), import('./bundle.js')])
  try {
    await describeOptions(MODULES)
    await bundleModules(MODULES)
  } catch (error) {
    // Half of it must not be taken for fresh.
    rmSync('dist', { recursive: true, force: true })
    throw error
  }
}

if (!(process.argv.includes('--if-stale') && isFresh())) await build()
