import { readFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { configFileOf, type Environment } from '../config/environment/environment.js'
import { readCommandLine, type CommandLine } from './command-line.js'
import { HELP } from './command-line.js'
import { jsonOf } from './format-json.js'
import { explanation, mistakeLine, policyTable, warningLine } from './format-text.js'
import { verdictOn } from './check.js'

export const BAD = 1
const GOOD = 0
const MISUSE = 2

interface Output {
  write (text: string): unknown
  /** Whether somebody looks at it. */
  readonly isTTY?: boolean
}

/** What a program has of its surroundings: `process`. */
export interface Surroundings {
  readonly env: Environment
  readonly stdout: Output
  readonly stderr: Output
}

/** Run the command of these words. Answers the exit status. */
export function runCommand (words: readonly string[], surroundings: Surroundings): number {
  const { env, stdout, stderr } = surroundings
  const command = readCommandLine(words, configFileOf(env))
  switch (command.kind) {
    case 'help':
      stdout.write(HELP)
      return GOOD
    case 'version':
      stdout.write(`${version()}\n`)
      return GOOD
    case 'misuse':
      print(stderr, [`fastify-sluice: ${command.message}`, 'See fastify-sluice --help.'])
      return MISUSE
    case 'check': return check(command, surroundings)
    default: return command satisfies never
  }
}

function check ({ file, env: isAsked, json, explain, strict }: Extract<CommandLine, { kind: 'check' }>, { env, stdout, stderr }: Surroundings): number {
  const verdict = verdictOn(file, isAsked ? env : null)
  const { mistakes, warnings, isEnabled } = verdict
  const isGood = mistakes.length === 0 && !(strict && warnings.length > 0)
  if (json) {
    print(stdout, [JSON.stringify(jsonOf(verdict, isGood), null, 2)])
  } else {
    print(stderr, [...mistakes.map(mistakeLine), ...warnings.map(warningLine)])
    if (mistakes.length === 0) {
      const [headings, ...rows] = explain ? explanation(verdict) : policyTable(verdict)
      const isPlain = stdout.isTTY !== true || (env.NO_COLOR ?? '') !== ''
      print(stdout, [isPlain ? headings : styleText('bold', headings), ...rows])
      if (!isEnabled) print(stdout, ['', 'enabled is false, so none of this holds.'])
    }
  }
  return isGood ? GOOD : BAD
}

function print (output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
}

function version (): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
}
