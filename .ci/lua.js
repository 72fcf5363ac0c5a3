// The Lua scripts as a module of JavaScript. A bundler moves code away from its files, so none is read at run time.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOM = 'stores/redis'

/** Comments of whole lines, which is all that the scripts have. */
function withoutComments (text) {
  return text.replace(/^ *--.*\n/gm, '')
}

/** Write `lua-files.js`, which lib/stores/redis/lua-files.d.ts declares, into the compiled form of lib. */
export function writeLuaFiles (compiledLib) {
  const scripts = join('lib', ROOM, 'scripts')
  const names = readdirSync(scripts).filter((name) => name.endsWith('.lua')).sort()
  const texts = names.map((name) => [name.replace('.lua', ''), withoutComments(readFileSync(join(scripts, name), 'utf8'))])
  const lines = texts.map(([name, text]) => `  ${JSON.stringify(name)}: ${JSON.stringify(text)}`)
  writeFileSync(join(compiledLib, ROOM, 'lua-files.js'), `export const luaFiles = {\n${lines.join(',\n')}\n}\n`)
}
