#!/usr/bin/env node
import { escapeUnprintable } from '../common/printable.js'
import { EXIT_INVALID, runCommand } from './command.js'

/** EPIPE is not an error: the reader of a pipe may stop early, as `head` does. */
function onOutputError (error: Error): void {
  if ('code' in error && error.code === 'EPIPE') return
  process.exitCode = EXIT_INVALID
  process.stderr.write(`fastify-sluice: ${escapeUnprintable(error.message)}\n`)
}

process.stdout.on('error', onOutputError)
process.stderr.on('error', () => {})
// Not process.exit(), which would drop output that a pipe has not accepted yet. Set at once if possible: an output may fail.
const status = runCommand(process.argv.slice(2), process)
if (typeof status === 'number') process.exitCode = status
else status.then((settled) => { process.exitCode ??= settled }, onOutputError)
