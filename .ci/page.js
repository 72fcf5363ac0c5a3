// The files of the operator page as a module of JavaScript. A bundler moves code away from its files, so none is read at run time.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOM = 'routes/page'

/** Write `page-files.js`, which lib/routes/page/page-files.d.ts declares, into the compiled form of lib. */
export function writePageFiles (compiledLib) {
  const assets = join('lib', ROOM, 'assets')
  const lines = readdirSync(assets).sort().map((name) => `  ${JSON.stringify(name)}: ${JSON.stringify(readFileSync(join(assets, name), 'utf8'))}`)
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const head = `export const packageVersion = ${JSON.stringify(version)}\n`
  writeFileSync(join(compiledLib, ROOM, 'page-files.js'), `${head}export const pageFiles = {\n${lines.join(',\n')}\n}\n`)
}
