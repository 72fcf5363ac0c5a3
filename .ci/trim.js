// Takes from dist what nobody needs who installs the package: the comments of code, a quarter of it, and the
// declarations that no public one refers to. The comments of declarations stay, since editors show them. Names and lines
// stay, so that a stack trace can be read without a source map; maps would weigh more than the code.
/* c8 ignore start */ // the build runs this, and tap would report it as untested
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import ts from 'typescript'

function filesEndingIn (ending) {
  return readdirSync('dist', { recursive: true }).filter((path) => path.endsWith(ending)).map((path) => join('dist', path))
}

function rewrite (path, change) {
  writeFileSync(path, change(readFileSync(path, 'utf8')))
}

function withoutComments (text, path) {
  return ts.transpileModule(text, {
    fileName: path,
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, removeComments: true }
  }).outputText
}

/** Four spaces as a tab, but within texts. */
function indentedByTabs (text, path) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext)
  const inText = []
  const visit = (node) => {
    if (ts.isTemplateLiteralToken(node)) inText.push([node.getStart(source), node.end])
    ts.forEachChild(node, visit)
  }
  visit(source)
  return text.replace(/^(?: {4})+/gm, (spaces, at) =>
    inText.some(([start, end]) => start < at && at < end) ? spaces : '\t'.repeat(spaces.length / 4))
}

/** All that users can name, in a file for each entry; what two entries share is in a third. */
async function rollTypes () {
  const bundle = await rollup({
    input: { index: 'dist/index.d.ts', 'compat/types': 'dist/compat/types.d.ts', 'store-contract/index': 'dist/store-contract/index.d.ts' },
    external: /^[^./]/,
    plugins: [dts()]
  })
  const { output } = await bundle.generate({ entryFileNames: '[name].d.ts', chunkFileNames: 'shared.d.ts' })
  await bundle.close()
  for (const path of filesEndingIn('.d.ts')) rmSync(path)
  for (const { fileName, code } of output) writeFileSync(join('dist', fileName), indentedByTabs(code, fileName))
}

/** After a build. */
export async function trim () {
  for (const path of filesEndingIn('.js')) rewrite(path, (text) => indentedByTabs(withoutComments(text, path), path))
  await rollTypes()
}
