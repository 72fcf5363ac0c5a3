// Takes from dist what nobody needs who installs the package: the comments of code and scripts, a quarter of them, the
// declarations that no public one refers to, and what else weighs much and says nothing. The comments of declarations
// stay, since editors show them. Names and lines stay, so that a stack trace can be read without a source map; maps would
// weigh more than the code.
/* c8 ignore start */ // the build runs this, and tap would report it as untested
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
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

/** Comments of whole lines, which is all that the scripts have. */
function withoutLuaComments (text) {
  return text.replace(/^ *--.*\n/gm, '')
}

/** What tsc imports anew at each place, once at the top. */
function importedOnce (text, path) {
  const names = new Set()
  const shortened = text.replace(/import\("@sinclair\/typebox"\)\.(\w+)/g, (_, name) => {
    names.add(name)
    return name
  })
  if (names.size === 0) return text
  const declared = [...names].find((name) => new RegExp(`^(export )?(declare )?(type|interface|class|const|function) ${name}\\b`, 'm').test(text))
  if (declared !== undefined) throw new Error(`${path} has a ${declared} of its own`)
  return `import type { ${[...names].join(', ')} } from '@sinclair/typebox';\n${shortened}`
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
  for (const path of filesEndingIn('.js')) rewrite(path, (text) => indentedByTabs(withoutComments(text, path), path))
  const needed = new Set()
  for (const path of ['index.d.ts', 'compat/types.d.ts', 'store-contract/index.d.ts']) reachableFrom(join('dist', path), needed)
  for (const path of filesEndingIn('.d.ts')) {
    if (needed.has(path)) rewrite(path, (text) => indentedByTabs(importedOnce(text, path), path))
    else rmSync(path)
  }
  for (const path of filesEndingIn('.lua')) rewrite(path, withoutLuaComments)
}
