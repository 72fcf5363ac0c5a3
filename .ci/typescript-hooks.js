// What each TypeScript file is transpiled to is kept below .tap, one file for each, so that the compiler is loaded only
// where one is new or has changed.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, '.tap/transpiled')
const tsconfig = readFileSync(join(root, 'tsconfig.json'), 'utf8')
const manifest = readFileSync(join(root, 'node_modules/typescript/package.json'), 'utf8')

/** As in TypeScript, an import of "./hook.js" finds the file "hook.ts". */
export async function resolve (specifier, context, nextResolve) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.startsWith('file:')) {
    const source = new URL(specifier.replace(/js$/, 'ts'), context.parentURL)
    if (existsSync(source)) return { url: source.href, format: 'module', shortCircuit: true }
  }
  return await nextResolve(specifier, context)
}

export async function load (url, context, nextLoad) {
  const { protocol, pathname } = new URL(url)
  if (protocol !== 'file:' || !pathname.endsWith('.ts')) return await nextLoad(url, context)
  return { format: 'module', source: await transpiled(fileURLToPath(url)), shortCircuit: true }
}

async function transpiled (fileName) {
  const code = readFileSync(fileName, 'utf8')
  const path = join(folder, encodeURIComponent(relative(root, fileName)))
  const key = createHash('sha256').update(manifest).update(tsconfig).update(code).digest('hex')
  const known = kept(path, key)
  if (known !== null) return known
  const output = await transpile(code, fileName)
  keep(path, key + output)
  return output
}

function kept (path, key) {
  try {
    const text = readFileSync(path, 'utf8')
    return text.startsWith(key) ? text.slice(key.length) : null
  } catch {
    return null // nobody has asked for it yet
  }
}

// Another process may read the file at any time, so it is there whole or not at all.
function keep (path, text) {
  const draft = `${path}.${process.pid}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(draft, text)
  renameSync(draft, path)
}

async function transpile (code, fileName) {
  const { default: ts } = await import('typescript')
  const { config } = ts.parseConfigFileTextToJson('tsconfig.json', tsconfig)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  // Without a package.json in sight, "nodenext" would be taken for CommonJS.
  const compilerOptions = { ...options, noEmit: false, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, inlineSourceMap: true }
  const { outputText, diagnostics: [error] } = ts.transpileModule(code, { fileName, compilerOptions, reportDiagnostics: true })
  if (error === undefined) return outputText
  const { line, character } = error.file.getLineAndCharacterOfPosition(error.start)
  throw new SyntaxError(`${fileName}:${line + 1}:${character + 1}: ${ts.flattenDiagnosticMessageText(error.messageText, '\n')}`)
}
