// The files of the operator page as a module of JavaScript, without comments and long names: pages load what they need, and the
// package stays small. A bundler moves code away from its files, so none is read at run time.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'

const ROOM = 'routes/page'
const MINIFIED = ['.css', '.js']

/** Write `page-files.js`, which lib/routes/page/page-files.d.ts declares, into the compiled form of lib. */
export async function writePageFiles (compiledLib) {
  const assets = join('lib', ROOM, 'assets')
  const names = readdirSync(assets).sort()
  const lines = await Promise.all(names.map(async (name) => `  ${JSON.stringify(name)}: ${JSON.stringify(await readAsset(join(assets, name)))}`))
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const head = `export const packageVersion = ${JSON.stringify(version)}\n`
  writeFileSync(join(compiledLib, ROOM, 'page-files.js'), `${head}export const pageFiles = {\n${lines.join(',\n')}\n}\n`)
}

async function readAsset (path) {
  const text = readFileSync(path, 'utf8')
  const ending = extname(path)
  if (!MINIFIED.includes(ending)) return text
  // Only here: most builds find that nothing is to be done.
  const { transform } = await import('esbuild')
  const { code } = await transform(text, { loader: ending.slice(1), minify: true, charset: 'utf8' })
  return code
}
