#!/usr/bin/env node
import { EXIT_INVALID, runCommand } from './command.js'

/** Whoever reads a pipe may stop, as `head` does: nothing of that is a mistake. */
function onOutputError (error: Error): void {
  if ('code' in error && error.code === 'EPIPE') return
  process.exitCode = EXIT_INVALID
  process.stderr.write(`fastify-sluice: ${error.message}\n`)
}

process.stdout.on('error', onOutputError)
process.stderr.on('error', () => {})
// Not by exit(), which would cut off what a pipe has not taken yet.
process.exitCode = runCommand(process.argv.slice(2), process)
