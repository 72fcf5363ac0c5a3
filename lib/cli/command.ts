import { readFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { getConfigFile, type Environment } from '../config/environment/environment.js'
import { HELP, parseCommandLine, type CommandLine } from './command-line.js'
import { toJson } from './format-json.js'
import { formatExplanation, formatError, formatPolicyTable, formatWarning } from './format-text.js'
import { checkFile } from './check.js'

export const EXIT_INVALID = 1
const EXIT_OK = 0
const EXIT_USAGE = 2

interface Output {
  write (text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
}

/** The part of `process` that the command uses. */
export interface ProcessEnvironment {
  readonly env: Environment
  readonly stdout: Output
  readonly stderr: Output
}

/** Run the command with these arguments. Returns the exit status. */
export function runCommand (args: readonly string[], host: ProcessEnvironment): number {
  const { env, stdout, stderr } = host
  const command = parseCommandLine(args, getConfigFile(env))
  switch (command.kind) {
    case 'help':
      stdout.write(HELP)
      return EXIT_OK
    case 'version':
      stdout.write(`${readVersion()}\n`)
      return EXIT_OK
    case 'misuse':
      print(stderr, [`fastify-sluice: ${command.message}`, 'See fastify-sluice --help.'])
      return EXIT_USAGE
    case 'check': return check(command, host)
    default: return command satisfies never
  }
}

function check (command: Extract<CommandLine, { kind: 'check' }>, { env, stdout, stderr }: ProcessEnvironment): number {
  const { file, json, explain, strict } = command
  const report = checkFile(file, command.env ? env : null)
  const { mistakes, warnings, isEnabled } = report
  const isValid = mistakes.length === 0 && !(strict && warnings.length > 0)
  if (json) {
    print(stdout, [JSON.stringify(toJson(report, isValid), null, 2)])
  } else {
    print(stderr, [...mistakes.map(formatError), ...warnings.map(formatWarning)])
    if (mistakes.length === 0) {
      const [headings, ...rows] = explain ? formatExplanation(report) : formatPolicyTable(report)
      const isPlain = stdout.isTTY !== true || (env.NO_COLOR ?? '') !== ''
      print(stdout, [isPlain ? headings : styleText('bold', headings), ...rows])
      if (!isEnabled) print(stdout, ['', 'enabled is false, so no limit applies.'])
    }
  }
  return isValid ? EXIT_OK : EXIT_INVALID
}

function print (output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
}

function readVersion (): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
}
