#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { configFileOf } from '../config/environment.js'
import { readCommandLine, type CommandLine } from './command-line.js'
import { HELP } from './help.js'
import { jsonOf } from './json.js'
import { explanation, mistakeLine, policyTable, warningLine } from './text.js'
import { verdictOn } from './verdict.js'

const GOOD = 0
const BAD = 1
const MISUSE = 2

type Output = typeof process.stdout | typeof process.stderr

/** Answers the exit status. */
function run (command: CommandLine): number {
  switch (command.kind) {
    case 'help':
      process.stdout.write(HELP)
      return GOOD
    case 'version':
      process.stdout.write(`${version()}\n`)
      return GOOD
    case 'misuse':
      print(process.stderr, [`fastify-sluice: ${command.message}`, 'See fastify-sluice --help.'])
      return MISUSE
    case 'check': return check(command)
    default: return command satisfies never
  }
}

function check ({ file, env, json, explain, strict }: Extract<CommandLine, { kind: 'check' }>): number {
  const verdict = verdictOn(file, env ? process.env : null)
  const { mistakes, warnings, isEnabled } = verdict
  const isGood = mistakes.length === 0 && !(strict && warnings.length > 0)
  if (json) {
    print(process.stdout, [JSON.stringify(jsonOf(verdict, isGood), null, 2)])
  } else {
    print(process.stderr, [...mistakes.map(mistakeLine), ...warnings.map(warningLine)])
    if (mistakes.length === 0) {
      const [headings, ...rows] = explain ? explanation(verdict) : policyTable(verdict)
      print(process.stdout, [emphasised(headings), ...rows])
      if (!isEnabled) print(process.stdout, ['', 'enabled is false, so none of this holds.'])
    }
  }
  return isGood ? GOOD : BAD
}

function print (output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
}

function emphasised (text: string): string {
  const isPlain = !process.stdout.isTTY || (process.env.NO_COLOR ?? '') !== ''
  return isPlain ? text : styleText('bold', text)
}

function version (): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
}

/** Whoever reads a pipe may stop, as `head` does: nothing of that is a mistake. */
function endQuietly (error: Error): void {
  if ('code' in error && error.code === 'EPIPE') return
  process.exitCode = BAD
  process.stderr.write(`fastify-sluice: ${error.message}\n`)
}

process.stdout.on('error', endQuietly)
process.stderr.on('error', () => {})
// Not by exit(), which would cut off what a pipe has not taken yet.
process.exitCode = run(readCommandLine(process.argv.slice(2), configFileOf(process.env)))
