import { createHash } from 'node:crypto'
import { luaFiles } from './lua-files.js'

/** A Lua script, as sent to Redis. */
export interface Script {
  readonly lua: string
  /** SHA-1 of the text. Redis finds a cached script by it. */
  readonly sha: string
}

/** The start of every script, after the leases and the fast path: the algorithms and the state in Redis. */
const SHARED_FILES = [
  'token-bucket', 'fixed-window', 'calendar-window', 'sliding-window', 'carry-over', 'algorithms', 'bucket', 'concurrency',
  'penalty', 'penalty-state', 'call'
]

/** A fast path that needs no shared file. It is placed before them. */
const FAST_PATHS: Record<string, string> = { take: 'take-token-buckets' }

/** Compose a script from its file and the shared files. */
export function loadScript (name: string): Script {
  return composeScript(luaFiles[name], name in FAST_PATHS ? luaFiles[FAST_PATHS[name]] : '')
}

/** A script that needs no shared file: no bucket is in its keys. */
export function loadPlainScript (name: string): Script {
  return toScript(luaFiles[name])
}

/** Compose a script from its text and the shared files. */
export function composeScript (text: string, fastPath = ''): Script {
  return toScript([luaFiles.lease, fastPath, ...SHARED_FILES.map((file) => luaFiles[file]), text].join('\n'))
}

function toScript (lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
