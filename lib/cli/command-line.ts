import { parseArgs } from 'node:util'
import { toPrintable } from '../common/printable.js'
import { suggestNearest } from '../config/schema/suggest.js'
import {
  readSimulateOptions, SIMULATE_NAMES, SIMULATE_OPTIONS, type OptionValues, type SimulateOptions
} from './common/simulate-options.js'

/** The parsed arguments of the command. */
export type CommandLine =
  | { readonly kind: 'check', readonly file: string } & Readonly<Record<CheckFlag, boolean>>
  | { readonly kind: 'simulate' } & SimulateOptions
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'misuse', readonly message: string }

type CheckFlag = 'json' | 'env' | 'explain' | 'strict'

const OPTIONS = {
  json: { type: 'boolean' },
  env: { type: 'boolean' },
  explain: { type: 'boolean' },
  strict: { type: 'boolean' },
  ...SIMULATE_OPTIONS,
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' }
} as const

type OptionName = keyof typeof OPTIONS

const COMMON: readonly OptionName[] = ['json', 'env', 'help', 'version']
const COMMANDS: ReadonlyMap<string, readonly OptionName[]> = new Map<string, readonly OptionName[]>([
  ['check', [...COMMON, 'explain', 'strict']],
  ['simulate', [...COMMON, ...SIMULATE_NAMES]]
])

/** Parse the arguments after the command's name. `configFile`: the file to use if the arguments name none; may be `null`. */
export function parseCommandLine (args: readonly string[], configFile: string | null): CommandLine {
  // Not strict: the errors of the parser do not suggest the closest flag.
  const { values, positionals: [command, ...files], tokens } = parseArgs({
    args: [...args], options: OPTIONS, allowPositionals: true, strict: false, tokens: true
  })
  if (values.help === true) return { kind: 'help' }
  const known: readonly string[] = COMMANDS.get(command ?? '') ?? Object.keys(OPTIONS)
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!known.includes(name)) return createMisuse(`unknown option ${quote(rawName)}${formatHint('--', suggestNearest(name, known))}`)
    const takesValue = isOption(name) && OPTIONS[name].type === 'string'
    if (value !== undefined && !takesValue) return createMisuse(`${rawName} takes no value, got ${quote(value)}`)
    if (value === undefined && takesValue) return createMisuse(`${rawName} needs a value`)
  }
  if (values.version === true) return { kind: 'version' }
  if (command === undefined) return createMisuse('no command given')
  if (!COMMANDS.has(command)) return createMisuse(`unknown command ${quote(command)}${formatCommandHint(command)}`)
  if (command === 'simulate') return parseSimulate(values, files, configFile)
  if (files.length > 1) return createMisuse(`check takes one file, got ${files.length}`)
  const file = files[0] ?? configFile
  if (file === null) return createMisuse('check needs the path of a file, and SLUICE_CONFIG is not set')
  if (file === '') return createMisuse('the path of the file is empty')
  const [json, env, explain, strict] = (['json', 'env', 'explain', 'strict'] as const).map((flag) => values[flag] === true)
  return { kind: 'check', file, json, env, explain, strict }
}

function parseSimulate (values: OptionValues, files: readonly string[], configFile: string | null): CommandLine {
  const [stray] = files
  if (stray !== undefined) return createMisuse(`simulate takes no argument ${quote(stray)}, did you mean ${quote(`--log ${stray}`)}?`)
  const options = readSimulateOptions(values, configFile)
  return typeof options === 'string' ? createMisuse(options) : { kind: 'simulate', ...options }
}

function isOption (name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name)
}

function createMisuse (message: string): CommandLine {
  return { kind: 'misuse', message }
}

function formatHint (dashes: string, near: string | null): string {
  return near === null ? '' : `, did you mean "${dashes}${near}"?`
}

function formatCommandHint (word: string): string {
  return word.endsWith('.toml') ? `, did you mean ${quote(`check ${word}`)}?` : formatHint('', suggestNearest(word, [...COMMANDS.keys()]))
}

const MAX_ARGUMENT_LENGTH = 200

/** Quote an argument on one line, with control characters escaped. */
function quote (text: string): string {
  return toPrintable(JSON.stringify(text), MAX_ARGUMENT_LENGTH)
}

export const HELP = `Usage: fastify-sluice check [FILE] [--env] [--explain] [--json] [--strict]
       fastify-sluice simulate --log FILE [--config FILE] [--against FILE] ...

check: check a config file before it is deployed, and show the resulting
policies. Without FILE, the file in SLUICE_CONFIG is checked.

  --env          apply the SLUICE_ variables of this environment to the file
  --explain      show the source of each option, instead of the table
  --json         print only { ok, mistakes, warnings, policies }
  --strict       exit with 1 also for warnings

simulate: replay an access log through the policies of a config file, and
show what they would have refused. Nothing is sent anywhere.

  --log FILE     the log, also as gzip; - is standard input; may be repeated
                 for files that follow each other. Formats: nginx and Apache
                 (common, combined), Fastify (pino), AWS ALB, Cloudflare
                 Logpush, CSV and JSON lines with named fields
  --config FILE  the policies; default SLUICE_CONFIG, else the built-in ones
  --against FILE the policies to compare with: shows each request that only
                 one of both refuses
  --flips FILE   write all of these requests as JSON lines
  --env          apply the SLUICE_ variables of this environment to the files
  --share SHARE  advise limits that refuse at most this share of clients, such
                 as 0.1%; may be repeated; default 1%, 0.1% and 0.01%
  --fail-over SHARE          exit with 1 if more requests are refused
  --fail-over-clients SHARE  exit with 1 if more clients are ever refused
  --reorder TIME how far lines may be out of order; default 10s
  --hash         show a hash in place of each client
  --json         print the report as JSON
  --html         print the report as a page with plots

  -h, --help     show this text
  -v, --version  show the version

The options that the code passes to register are not known here. For options
that the file does not set, the built-in defaults are shown. A rule without
"match" is taken as a rule of the code. Mistakes and warnings are written to
standard error.

Exit status: 0 valid file and shares, 1 invalid file, unreadable log or a share
above --fail-over, 2 wrong usage.
`
