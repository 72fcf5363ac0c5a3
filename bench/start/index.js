import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { progress } from '../progress.js'
import { paired, rotated, spread } from '../statistics.js'

const run = promisify(execFile)
const WORKER = fileURLToPath(new URL('worker.js', import.meta.url))

/** What the others are compared with. */
const REFERENCE = '@fastify/rate-limit'
const PACKAGES = [REFERENCE, 'fastify-sluice', 'fastify-sluice/compat', 'none']

/** A cold start: a new process imports a package, registers it and answers one request. */
export async function measureStart ({ warmUpRounds, rounds }) {
  progress('start: warm up')
  const samples = Object.fromEntries(PACKAGES.map((name) => [name, []]))
  for (let round = -warmUpRounds; round < rounds; round++) {
    if (round > 0 && round % 10 === 0) progress(`start: round ${round + 1} of ${rounds}`)
    for (const name of rotated(PACKAGES, round + warmUpRounds)) {
      // No channel to this process: its setup would be part of the start.
      const { stdout } = await run(process.execPath, [WORKER, name])
      if (round >= 0) samples[name].push(JSON.parse(stdout))
    }
  }
  return { settings: { warmUpRounds, rounds }, rows: PACKAGES.map((name) => summary(name, samples)) }
}

function summary (name, samples) {
  const figure = (field) => {
    const own = samples[name].map((sample) => sample[field])
    return { ...spread(own), ratio: paired(own, samples[REFERENCE].map((sample) => sample[field]), (a, b) => a / b) }
  }
  return { name, importMs: figure('importMs'), importCpuMs: figure('importCpuMs'), cpuMs: figure('cpuMs'), residentMiB: figure('residentMiB') }
}
