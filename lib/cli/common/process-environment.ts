import type { Readable } from 'node:stream'
import type { Environment } from '../../config/environment/environment.js'

export interface Output {
  write (text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean | undefined
}

/** The part of `process` that the command uses. */
export interface ProcessEnvironment {
  readonly env: Environment
  readonly stdin: Readable
  readonly stdout: Output
  readonly stderr: Output
}

/** Write lines, if there are any. */
export function print (output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
}
