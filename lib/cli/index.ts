#!/usr/bin/env node
import { BAD, runCommand } from './command.js'

/** Whoever reads a pipe may stop, as `head` does: nothing of that is a mistake. */
function endQuietly (error: Error): void {
  if ('code' in error && error.code === 'EPIPE') return
  process.exitCode = BAD
  process.stderr.write(`fastify-sluice: ${error.message}\n`)
}

process.stdout.on('error', endQuietly)
process.stderr.on('error', () => {})
// Not by exit(), which would cut off what a pipe has not taken yet.
process.exitCode = runCommand(process.argv.slice(2), process)
