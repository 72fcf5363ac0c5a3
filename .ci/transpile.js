// What each TypeScript file is transpiled to is kept below .tap, one file for each, so that the compiler is loaded only
// where one is new or has changed. Run as a program, it sees to all of lib and test at once: the compiler takes longer to
// load than to transpile a hundred of them.
/* c8 ignore start */ // tap.config.ts runs this, and tap would report it as untested
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, '.tap/transpiled')
const tsconfig = readFileSync(join(root, 'tsconfig.json'), 'utf8')
const manifest = readFileSync(join(root, 'node_modules/typescript/package.json'), 'utf8')

export async function transpiled (fileName) {
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

async function transpileAll () {
  for (const part of ['lib', 'test']) {
    for (const path of readdirSync(join(root, part), { recursive: true })) {
      // A file that cannot be transpiled is told about by the test that loads it.
      if (/(?<!\.d)\.ts$/.test(path)) await transpiled(join(root, part, path)).catch(() => {})
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await transpileAll()
