import { parseArgs } from 'node:util'
import { toPrintable } from '../common/printable.js'
import { suggestNearest } from '../config/schema/suggest.js'

/** The parsed arguments of the command. */
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

/** Parse the arguments after the command's name. `configFile`: the file to check if the arguments name none; may be `null`. */
export function parseCommandLine (args: readonly string[], configFile: string | null): CommandLine {
  // Not strict: the errors of the parser do not suggest the closest flag.
  const { values, positionals, tokens } = parseArgs({
    args: [...args], options: FLAGS, allowPositionals: true, strict: false, tokens: true
  })
  if (values.help === true) return { kind: 'help' }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(FLAGS, name)) {
      return createMisuse(`unknown option ${quote(rawName)}${formatHint('--', suggestNearest(name, Object.keys(FLAGS)))}`)
    }
    if (value !== undefined) return createMisuse(`${rawName} takes no value, got ${quote(value)}`)
  }
  if (values.version === true) return { kind: 'version' }
  const [command, ...files] = positionals
  if (command === undefined) return createMisuse('no command given')
  if (!COMMANDS.includes(command)) return createMisuse(`unknown command ${quote(command)}${formatCommandHint(command)}`)
  if (files.length > 1) return createMisuse(`check takes one file, got ${files.length}`)
  const file = files[0] ?? configFile
  if (file === null) return createMisuse('check needs the path of a file, and SLUICE_CONFIG is not set')
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

const MAX_ARGUMENT_LENGTH = 200

/** Quote an argument on one line, with control characters escaped. */
function quote (text: string): string {
  return toPrintable(JSON.stringify(text), MAX_ARGUMENT_LENGTH)
}

export const HELP = `Usage: fastify-sluice check [FILE] [--env] [--explain] [--json] [--strict]

Check a config file before it is deployed, and show the resulting policies.
Without FILE, the file in SLUICE_CONFIG is checked.

  --env          apply the SLUICE_ variables of this environment to the file
  --explain      show the source of each option, instead of the table
  --json         print only { ok, mistakes, warnings, policies }
  --strict       exit with 1 also for warnings
  -h, --help     show this text
  -v, --version  show the version

The options that the code passes to register are not known here. For options
that the file does not set, the built-in defaults are shown. A rule without
"match" is taken as a rule of the code. Mistakes and warnings are written to
standard error.

Exit status: 0 valid file, 1 invalid file, 2 wrong usage.
`
