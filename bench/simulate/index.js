import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { progress } from '../progress.js'
import { spread } from '../statistics.js'
import { formats, writeLog } from './logs.js'

const run = promisify(execFile)
const WORKER = fileURLToPath(new URL('worker.js', import.meta.url))

const CONFIG = `max = 100
timeWindow = "1 minute"
[[rules]]
name = "login"
match = "/login/*"
max = 10
timeWindow = "1 minute"
`

/** Lines per second of one core: the start of the process and the report are part of it. */
export async function measureSimulate ({ requests, rounds }) {
  const folder = mkdtempSync(join(tmpdir(), 'fastify-sluice-bench-'))
  try {
    const config = join(folder, 'rate-limit.toml')
    writeFileSync(config, CONFIG)
    const rows = []
    for (const format of Object.keys(formats)) {
      const log = join(folder, `${format}.log`)
      writeLog(log, format, requests)
      const samples = []
      for (let round = 0; round < rounds; round++) {
        progress(`simulate: ${format}, round ${round + 1} of ${rounds}`)
        const { stdout, stderr } = await run(process.execPath, [WORKER, 'simulate', '--log', log, '--config', config, '--json'], { maxBuffer: 1e8 })
        const { log: { lines } } = JSON.parse(stdout)
        const { cpuSeconds, residentMiB } = JSON.parse(stderr.split('\n').at(-1))
        samples.push({ perSecond: lines / cpuSeconds, residentMiB })
      }
      rmSync(log)
      rows.push({ format, perSecond: spread(samples.map(({ perSecond }) => perSecond)), residentMiB: spread(samples.map(({ residentMiB }) => residentMiB)) })
    }
    return { settings: { requests, rounds }, rows }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
