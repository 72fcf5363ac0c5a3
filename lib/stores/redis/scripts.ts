import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A Lua script as Redis knows it. */
export interface Script {
  readonly lua: string
  /** SHA-1 of the text, by which Redis finds it once it has seen it. */
  readonly sha: string
}

/** What every script begins with: the algorithms, and the buckets they work on. */
const ROOMS = ['token-bucket', 'fixed-window', 'sliding-window', 'carry-over', 'algorithms', 'bucket', 'penalty', 'conduct', 'call']

/** A way through a script that needs none of the files below: it goes before them. */
const SHORT_WAYS: Record<string, string> = { take: 'take-token-buckets' }

/** Put a script together from its file and the files it builds upon. */
export function loadScript (name: string): Script {
  return composeScript(fileText(name), name in SHORT_WAYS ? fileText(SHORT_WAYS[name]) : '')
}

/** Put a script together from its text and the files it builds upon. */
export function composeScript (text: string, shortWay = ''): Script {
  const lua = [shortWay, ...ROOMS.map(fileText), text].join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

function fileText (name: string): string {
  return readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8')
}
