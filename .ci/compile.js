// Compiles lib and test to plain JavaScript in .compiled, with their other files beside it. The tests run from there: a
// compiler loaded in each of their processes took longer than the tests. Types are checked by `npm run types`.
import { readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build } from 'esbuild'

const OUT = '.compiled'

/** From a path of TypeScript or of a folder, such as test/response, to the one that it is compiled to. */
export function compiledPath (path) {
  return join(OUT, relative('.', path)).replace(/\.ts$/, '.js')
}

// Declarations that are written by hand have nothing to run.
function sources () {
  return ['lib', 'test'].flatMap((folder) => readdirSync(folder, { recursive: true }).map((path) => join(folder, path)))
    .filter((path) => /\.(?:ts|js|json|lua|toml)$/.test(path) && !path.endsWith('.d.ts'))
}

/** Compile all, and remove what has lost its source. Errors are printed with their place, then thrown. */
export async function compile () {
  const { metafile } = await build({
    entryPoints: sources(),
    outdir: OUT,
    outbase: '.',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // A stack trace names the lines of the source. Its text is not needed for that, and would be read by each process.
    sourcemap: true,
    sourcesContent: false,
    loader: { '.json': 'copy', '.lua': 'copy', '.toml': 'copy' },
    metafile: true,
    logLevel: 'warning'
  })
  for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isDirectory() && !(path in metafile.outputs)) rmSync(path)
  }
  // What modules of lib and test find beside their folders.
  for (const name of ['dist', 'examples', 'package.json']) symlinkSync(join('..', name), join(OUT, name))
}
