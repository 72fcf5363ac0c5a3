import { readFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { getConfigFile } from '../config/environment/environment.js'
import { formatError } from './common/diagnostic.js'
import { print, type ProcessEnvironment } from './common/process-environment.js'
import { HELP, parseCommandLine, type CommandLine } from './command-line.js'
import { toJson } from './format-json.js'
import { formatExplanation, formatPolicyTable, formatWarning } from './format-text.js'
import { checkFile } from './check.js'

export const EXIT_INVALID = 1
const EXIT_OK = 0
const EXIT_USAGE = 2

/** Run the command with these arguments. Returns the exit status. */
export function runCommand (args: readonly string[], host: ProcessEnvironment): number | Promise<number> {
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
    case 'simulate': return simulate(command, host)
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

async function simulate (command: Extract<CommandLine, { kind: 'simulate' }>, host: ProcessEnvironment): Promise<number> {
  // Imported only here: to check a file, none of the code that limits requests is loaded.
  const { runSimulation } = await import('./simulate/simulate.js')
  return await runSimulation(command, host) ? EXIT_OK : EXIT_INVALID
}

function readVersion (): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
}
