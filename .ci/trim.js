// Takes from dist what nobody needs who installs the package: the comments of the code, a quarter of it, and the
// declarations that no public one refers to. The comments of declarations stay, since editors show them.
// Names stay as they are, so that a stack trace can be read without a source map; maps would weigh more than the code.
/* c8 ignore start */ // the build runs this, and tap would report it as untested
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

function filesEndingIn (ending) {
  return readdirSync('dist', { recursive: true }).filter((path) => path.endsWith(ending)).map((path) => join('dist', path))
}

function stripComments (path) {
  const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
    fileName: path,
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, removeComments: true }
  })
  writeFileSync(path, outputText)
}

/** The declarations that a public one refers to, itself included. */
function reachableFrom (path, reached = new Set()) {
  if (reached.has(path)) return reached
  reached.add(path)
  // preProcessFile also finds `import('./x.js')` in a type.
  for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
    if (fileName.startsWith('.')) reachableFrom(join(dirname(path), fileName.replace(/\.js$/, '.d.ts')), reached)
  }
  return reached
}

/** After a build. */
export function trim () {
  for (const path of filesEndingIn('.js')) stripComments(path)
  const needed = new Set()
  for (const path of ['index.d.ts', 'compat/types.d.ts', 'store-contract/index.d.ts']) reachableFrom(join('dist', path), needed)
  for (const path of filesEndingIn('.d.ts')) {
    if (!needed.has(path)) rmSync(path)
  }
}
