// What ts-node asks for the JavaScript of a TypeScript file. Each test file runs in a process of its own, and most import
// all of lib: transpiled anew in each, it took two thirds of a run. So the outcome is kept below .tap, one file for each.
const { createHash } = require('node:crypto')
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs')
const { join, relative } = require('node:path')
const ts = require('typescript')

const root = join(__dirname, '..')
const folder = join(root, '.tap/transpiled')

function kept (path, key) {
  try {
    const output = JSON.parse(readFileSync(path, 'utf8'))
    return output.key === key ? output : null
  } catch {
    return null // nobody has asked for it yet
  }
}

// Another process may read the file at any time, so it is there whole or not at all.
function keep (path, output) {
  const draft = `${path}.${process.pid}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(draft, JSON.stringify(output))
  renameSync(draft, path)
}

exports.create = ({ service }) => {
  // Without a package.json in sight, "nodenext" would be taken for CommonJS.
  const compilerOptions = { ...service.config.options, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
  const settings = `${ts.version} ${JSON.stringify(compilerOptions)}`
  return {
    transpile (code, { fileName }) {
      const path = join(folder, `${encodeURIComponent(relative(root, fileName))}.json`)
      const key = createHash('sha256').update(settings).update(code).digest('hex')
      const known = kept(path, key)
      if (known !== null) return known
      const { outputText, sourceMapText, diagnostics } = ts.transpileModule(code, { fileName, compilerOptions, reportDiagnostics: true })
      if (diagnostics.length === 0) keep(path, { key, outputText, sourceMapText })
      return { outputText, sourceMapText, diagnostics }
    }
  }
}
