// Makes of the modules that tsc wrote what is packed: few files, which load several times faster. Comments of code go, those of
// declarations stay, since editors show them. Names and lines stay, so that a stack trace can be read without a source
// map; maps would weigh more than the code.
/* c8 ignore start */ // the build runs this, and tap would report it as untested
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import ts from 'typescript'
import { declareCompat, declareForRequire } from './declarations.js'

/** What an application can import, and the command. */
const ENTRIES = ['index', 'compat/index', 'store-contract/index', 'testing/index', 'cli/index']
const TYPES = ['index', 'store-contract/index', 'testing/index']

/** Files that several entries share, by a module that is in them. The others are named after a module by rollup. */
const SHARED_NAMES = { 'plugin/plugin.js': 'plugin', 'config/schema/policy-schema.js': 'config', 'errors.js': 'errors' }

/** Loaded when it is used; what the command shares with it; and small modules, which would be a file each. */
const CHUNKS = [
  ['simulate', /\/cli\/simulate\//],
  ['cli/command', /\/cli\/(?!index)/],
  ['page', /\/(?:routes\/page|observability\/traffic)\//],
  ['redis', /\/stores\/(?:lease\/|redis\/(?!client-options|retry-delay))/],
  ['shared', /\/(?:algorithms\/|common\/(?:indexed-heap|parse-json|space-saving|type-guards)|stores\/[^/]+$|stores\/redis\/(?:client-options|retry-delay))/]
]

/**
 * The simulation uses many modules of the plugin. As if it used all of them, they are in the file of the plugin, so that an
 * application does not load one more.
 */
const withPlugin = {
  name: 'with-plugin',
  transform: (text, id) => id.endsWith('/cli/simulate/simulate.js') ? { code: `import '../../plugin/plugin.js'\n${text}`, map: null } : null
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

function nameChunk ({ name, moduleIds }) {
  const [, given] = Object.entries(SHARED_NAMES).find(([path]) => moduleIds.some((id) => id.endsWith(`/${path}`))) ?? []
  return `${given ?? name}.js`
}

function toInput (modules, names, ending) {
  return Object.fromEntries(names.map((name) => [name, join(modules, `${name}${ending}`)]))
}

async function bundle (input, plugins, output) {
  const built = await rollup({ input, plugins, external: /^[^./]/, onwarn ({ message }) { throw new Error(message) } })
  const { output: files } = await built.generate(output)
  await built.close()
  return files
}

/** CommonJS has the objects of the ES module. By name, so that tools find the exports without running it. */
function exportsForRequire (values) {
  const lines = values.map((name) => `exports.${name} = esm.${name}`)
  return ["const esm = require('./index.js')", "Object.defineProperty(exports, '__esModule', { value: true })", ...lines, ''].join('\n')
}

function write (fileName, text) {
  const path = join('dist', fileName)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** Bundle the modules in a folder into `dist`. */
export async function bundleModules (modules) {
  const code = await bundle(toInput(modules, ENTRIES, '.js'), [withPlugin], {
    chunkFileNames: nameChunk,
    manualChunks: (id) => CHUNKS.find(([, pattern]) => pattern.test(id))?.[0],
    onlyExplicitManualChunks: true,
    minifyInternalExports: false,
    hoistTransitiveImports: false,
    generatedCode: 'es2015'
  })
  for (const { fileName, code: text } of code) write(fileName, indentedByTabs(withoutComments(text, fileName), fileName))

  // All that users can name, in a file for each entry; what two entries share is in a third.
  const types = await bundle(toInput(modules, TYPES, '.d.ts'), [dts()], { entryFileNames: '[name].d.ts', chunkFileNames: 'shared.d.ts' })
  const valuesOf = (entry) => code.find(({ name }) => name === entry).exports
  for (const { fileName, isEntry, name, code: text } of types) {
    write(fileName, indentedByTabs(text, fileName))
    if (!isEntry) continue
    write(`${name}.cjs`, exportsForRequire(valuesOf(name)))
    write(`${name}.d.cts`, declareForRequire(text, valuesOf(name)))
  }

  const [{ name, code: compat }] = await bundle({ 'compat/index': join(modules, 'compat/types.d.ts') }, [dts()], {})
  const { forImport, forRequire } = declareCompat(indentedByTabs(compat, 'compat.d.ts'), valuesOf(name))
  write(`${name}.d.ts`, forImport)
  write(`${name}.d.cts`, forRequire)
  write(`${name}.cjs`, "module.exports = require('./index.js').default\n")
}
