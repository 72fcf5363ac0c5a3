import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import { runCommand } from '../../lib/cli/command.js'

export interface ProcessResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Only for a run in this process. */
  readonly stdin?: Readable
  /** What Node runs, in place of the package's command. */
  readonly program?: string
}

interface Manifest {
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
}

export const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest

/** The file that `npx fastify-sluice` runs. */
export const PROGRAM = resolve(manifest.bin['fastify-sluice'])

/** Start the command, without the settings of the test runner. */
export function startProgram (args: readonly string[], { cwd, env, program = PROGRAM }: RunOptions = {}) {
  return spawn(process.execPath, [program, ...args], { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Run the command to its end in this process, as its program would. */
export async function run (args: readonly string[], { cwd = '.', env = {}, stdin = Readable.from([]) }: Omit<RunOptions, 'program'> = {}): Promise<ProcessResult> {
  const output = { stdout: '', stderr: '' }
  const outputTo = (name: keyof typeof output) => ({ write: (text: string) => { output[name] += text } })
  const before = process.cwd()
  process.chdir(cwd)
  try {
    const status = await runCommand(args, { env, stdin, stdout: outputTo('stdout'), stderr: outputTo('stderr') })
    return { status, ...output }
  } finally {
    process.chdir(before)
  }
}

/** Run the program to its end, in a process of its own. */
export async function runProgram (args: readonly string[], runOptions: RunOptions = {}): Promise<ProcessResult> {
  const child = startProgram(args, runOptions)
  const [stdout, stderr, [status]] = await Promise.all([
    child.stdout.setEncoding('utf8').toArray(), child.stderr.setEncoding('utf8').toArray(), once(child, 'close')
  ])
  return { status, stdout: stdout.join(''), stderr: stderr.join('') }
}

/** Check a file of this content in a folder of its own. */
export function checkContent (t: Test, content: string, ...flags: readonly string[]): Promise<ProcessResult> {
  return run(['check', 'rate-limit.toml', ...flags], { cwd: t.testdir({ 'rate-limit.toml': content }) })
}
