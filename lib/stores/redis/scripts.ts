import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A Lua script as Redis knows it. */
export interface Script {
  readonly lua: string
  /** SHA-1 of the text, by which Redis finds it once it has seen it. */
  readonly sha: string
}

/** What every script begins with: the algorithms, and the buckets they work on. */
const SHARED_FILES = ['token-bucket', 'fixed-window', 'sliding-window', 'carry-over', 'algorithms', 'bucket', 'penalty', 'penalty-state', 'call']

/** A way through a script that needs none of the files below: it goes before them. */
const FAST_PATHS: Record<string, string> = { take: 'take-token-buckets' }

/** Put a script together from its file and the files it builds upon. */
export function loadScript (name: string): Script {
  return composeScript(readLuaFile(name), name in FAST_PATHS ? readLuaFile(FAST_PATHS[name]) : '')
}

/** Put a script together from its text and the files it builds upon. */
export function composeScript (text: string, fastPath = ''): Script {
  const lua = [fastPath, ...SHARED_FILES.map(readLuaFile), text].join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

function readLuaFile (name: string): string {
  return readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8')
}
