import { parseArgs } from 'node:util'
import { suggestNearest } from '../config/schema/suggest.js'

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
export function parseCommandLine (args: readonly string[], configFile: string | null): CommandLine {
  // Not strict, since the parser's own errors know nothing of the nearest flag.
  const { values, positionals, tokens } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: false, tokens: true })
  if (values.help === true) return { kind: 'help' }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(FLAGS, name)) return createMisuse(`unknown option ${quote(rawName)}${formatHint('--', suggestNearest(name, Object.keys(FLAGS)))}`)
    if (value !== undefined) return createMisuse(`${rawName} takes no value, got ${quote(value)}`)
  }
  if (values.version === true) return { kind: 'version' }
  const [command, ...files] = positionals
  if (command === undefined) return createMisuse('no command was given')
  if (!COMMANDS.includes(command)) return createMisuse(`unknown command ${quote(command)}${formatCommandHint(command)}`)
  if (files.length > 1) return createMisuse(`check takes one file, got ${files.length}`)
  const file = files[0] ?? configFile
  if (file === null) return createMisuse('check needs the path of a file, and RATE_LIMIT_CONFIG names none')
  if (file === '') return createMisuse('the path of the file is empty')
  const [json, env, explain, strict] = (['json', 'env', 'explain', 'strict'] as const).map((flag) => values[flag] === true)
  return { kind: 'check', file, json, env, explain, strict }
}

function createMisuse (message: string): CommandLine {
  return { kind: 'misuse', message }
}

function formatHint (dashes: string, near: string | null): string {
  return near === null ? '' : `, did you mean "${dashes}${near}"?`
}

function formatCommandHint (word: string): string {
  return word.endsWith('.toml') ? `, did you mean ${quote(`check ${word}`)}?` : formatHint('', suggestNearest(word, COMMANDS))
}

/** In one line, whatever was typed. */
function quote (text: string): string {
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
