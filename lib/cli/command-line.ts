import { parseArgs } from 'node:util'
import { nearest } from '../config/schema/suggest.js'

/** What somebody wants of the command. */
export type CommandLine =
  | { readonly kind: 'check', readonly file: string } & Readonly<Record<CheckFlag, boolean>>
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'misuse', readonly message: string }

type CheckFlag = 'json' | 'env' | 'explain' | 'strict'

const FLAGS = {
  json: { type: 'boolean' },
  env: { type: 'boolean' },
  explain: { type: 'boolean' },
  strict: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' }
} as const

const COMMANDS = ['check']

/** Read the words after the command's name. `configFile`: what is checked where no file is named; `null`: nothing is. */
export function readCommandLine (words: readonly string[], configFile: string | null): CommandLine {
  // Not strict, since the parser's own errors know nothing of the nearest flag.
  const { values, positionals, tokens } = parseArgs({ args: [...words], options: FLAGS, allowPositionals: true, strict: false, tokens: true })
  if (values.help === true) return { kind: 'help' }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(FLAGS, name)) return misuse(`unknown option ${quoted(rawName)}${hint('--', nearest(name, Object.keys(FLAGS)))}`)
    if (value !== undefined) return misuse(`${rawName} takes no value, got ${quoted(value)}`)
  }
  if (values.version === true) return { kind: 'version' }
  const [command, ...files] = positionals
  if (command === undefined) return misuse('no command was given')
  if (!COMMANDS.includes(command)) return misuse(`unknown command ${quoted(command)}${commandHint(command)}`)
  if (files.length > 1) return misuse(`check takes one file, got ${files.length}`)
  const file = files[0] ?? configFile
  if (file === null) return misuse('check needs the path of a file, and RATE_LIMIT_CONFIG names none')
  if (file === '') return misuse('the path of the file is empty')
  const [json, env, explain, strict] = (['json', 'env', 'explain', 'strict'] as const).map((flag) => values[flag] === true)
  return { kind: 'check', file, json, env, explain, strict }
}

function misuse (message: string): CommandLine {
  return { kind: 'misuse', message }
}

function hint (dashes: string, near: string | null): string {
  return near === null ? '' : `, did you mean "${dashes}${near}"?`
}

function commandHint (word: string): string {
  return word.endsWith('.toml') ? `, did you mean ${quoted(`check ${word}`)}?` : hint('', nearest(word, COMMANDS))
}

/** In one line, whatever was typed. */
function quoted (text: string): string {
  return JSON.stringify(text)
}

export const HELP = `Usage: fastify-sluice check [FILE] [--env] [--explain] [--json] [--strict]

Check a config file before it is deployed, and show the policies that it makes.
Without FILE it is the one that RATE_LIMIT_CONFIG names.

  --env          lay the RATE_LIMIT_ variables of this environment over the file
  --explain      show where each option is from, in place of the table
  --json         print { ok, mistakes, warnings, policies } and nothing else
  --strict       let warnings fail too
  -h, --help     show this text
  -v, --version  show the version

What the code gives to register is not known here: where the file says nothing,
the built-in defaults stand in for it, and a rule without "match" is taken for
one that the code has made. Mistakes and warnings go to standard error.

Exit status: 0 the file is good, 1 it is not, 2 wrong usage.
`
