// Redis 6.2 is the oldest server that is promised; what a newer one brought fails there, on a machine that no test runs on.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const SCRIPTS = new URL('../../../lib/stores/redis/scripts/', import.meta.url)

/** Commands that a script may call, each with the options that it has in Redis 6.2 (redis.io/commands, "history"). */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  DEL: [],
  EXISTS: [],
  EXPIRE: [], // NX, XX, GT and LT came with 7.0
  GET: [],
  PEXPIRE: [], // as EXPIRE
  PTTL: [],
  SET: ['EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL', 'NX', 'XX', 'GET'],
  TIME: []
}

/** Options that 6.2 has, but not in one call. */
const NOT_TOGETHER: Readonly<Record<string, readonly string[]>> = { SET: ['NX', 'GET'] }

/** What of the `redis` object a script may use; `replicate_commands` is asked for before it is called. */
const MEMBERS = ['call', 'pcall', 'replicate_commands']

interface Call {
  /** `null`: not written out, so that nobody can say what is called. */
  readonly command: string | null
  readonly options: readonly string[]
}

/** The text without comments. No string of the scripts holds two hyphens. */
function codeOf (lua: string): string {
  return lua.replace(/--.*$/gm, '')
}

/** From the parenthesis at this place to the one that closes it. */
function argumentsAt (code: string, at: number): string {
  let depth = 0
  for (let end = at; end < code.length; end++) {
    if (code[end] === '(') depth++
    if (code[end] === ')' && --depth === 0) return code.slice(at + 1, end)
  }
  throw new SyntaxError('a parenthesis that nothing closes')
}

/** Every call of a command. A file that keeps `redis.pcall` in a local means that one by the bare name, others Lua's own. */
function callsIn (code: string): Call[] {
  const hasLocal = /\bredis\.p?call\b(?!\s*\()/.test(code)
  return Array.from(code.matchAll(hasLocal ? /\bp?call\s*\(/g : /\bredis\.p?call\s*\(/g), ({ 0: text, index }) => {
    const args = argumentsAt(code, index + text.length - 1)
    const command = /^\s*'(\w+)'/.exec(args)?.[1] ?? null
    return { command, options: Array.from(args.matchAll(/,\s*'([A-Za-z]+)'\s*(?=,|$)/g), ([, option]) => option.toUpperCase()) }
  })
}

/** What Redis 6.2 would not know of a script. */
function strangeTo62 (lua: string): string[] {
  const strange: string[] = lua.startsWith('#!') ? ['a line that names the engine'] : []
  const code = codeOf(lua)
  for (const [, member] of code.matchAll(/\bredis\.(\w+)/g)) if (!MEMBERS.includes(member)) strange.push(`redis.${member}`)
  for (const { command, options } of callsIn(code)) {
    const known = command === null ? undefined : COMMANDS[command]
    if (known === undefined) {
      strange.push(command ?? 'a command that is not written out')
      continue
    }
    for (const option of options) if (!known.includes(option)) strange.push(`${command} ${option}`)
    const pair = NOT_TOGETHER[command ?? '']
    if (pair?.every((option) => options.includes(option)) === true) strange.push(`${command} ${pair.join(' ')}`)
  }
  return strange
}

const files = readdirSync(SCRIPTS).filter((name) => name.endsWith('.lua'))

t.test('no script needs more than Redis 6.2 has', async (t) => {
  const called = new Set<string | null>()
  for (const name of files) {
    const lua = readFileSync(new URL(name, SCRIPTS), 'utf8')
    t.strictSame(strangeTo62(lua), [], name)
    for (const { command } of callsIn(codeOf(lua))) called.add(command)
  }
  t.strictSame([...called].sort(), ['DEL', 'GET', 'PTTL', 'SET', 'TIME'], 'every call is seen')
})

const newer: ReadonlyArray<readonly [lua: string, strange: readonly string[]]> = [
  ["redis.call('SET', key, value, 'NX', 'GET')", ['SET NX GET']],
  ["redis.pcall('EXPIRE', key, tonumber(ARGV[1]), 'nx')", ['EXPIRE NX']],
  ["local pcall = redis.pcall pcall('PEXPIRETIME', KEYS[1])", ['PEXPIRETIME']],
  ["redis.call(command, key) -- redis.call('GET', key)", ['a command that is not written out']],
  ["redis.acl_check_cmd('SET', 'a', 'b')", ['redis.acl_check_cmd']],
  ['#!lua name=limits\n', ['a line that names the engine']]
]

for (const [lua, strange] of newer) {
  t.test(`this would be noticed: ${lua.trim()}`, async (t) => {
    t.strictSame(strangeTo62(lua), strange)
  })
}
