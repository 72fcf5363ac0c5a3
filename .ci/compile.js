// Compiles lib, models and test to plain JavaScript in .compiled, and copies their other files. The tests run from there: to load a
// compiler in each test process took longer than the tests. `npm run types` checks the types.
import { readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build } from 'esbuild'
import { writeLuaFiles } from './lua.js'
import { writePageFiles } from './page.js'

export const COMPILED = '.compiled'

/** The compiled file of a source file, or the compiled folder of a folder. */
export function toCompiledPath (path) {
  return join(COMPILED, relative('.', path)).replace(/\.ts$/, '.js')
}

// Declarations contain nothing to run, and assets are run by browsers.
function findSources () {
  return ['lib', 'models', 'test'].flatMap((folder) => readdirSync(folder, { recursive: true }).map((path) => join(folder, path)))
    .filter((path) => /\.(?:ts|js|json|lua|toml)$/.test(path) && !path.endsWith('.d.ts') && !path.includes('/assets/'))
}

/** Compile all files, and remove compiled files without a source. Errors are printed with their position, and thrown. */
export async function compile () {
  const { metafile } = await build({
    entryPoints: findSources(),
    outdir: COMPILED,
    outbase: '.',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Stack traces name the lines of the source. They do not need its text, which every process would have to read.
    sourcemap: true,
    sourcesContent: false,
    loader: { '.json': 'copy', '.lua': 'copy', '.toml': 'copy' },
    metafile: true,
    logLevel: 'warning'
  })
  for (const entry of readdirSync(COMPILED, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isDirectory() && !(path in metafile.outputs)) rmSync(path)
  }
  writeLuaFiles(join(COMPILED, 'lib'))
  await writePageFiles(join(COMPILED, 'lib'))
  // Modules of lib and test load these by paths relative to themselves.
  for (const name of ['dist', 'examples', 'package.json']) symlinkSync(join('..', name), join(COMPILED, name))
}
