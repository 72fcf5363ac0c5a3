// `npm run histories -- --minutes N`: see .ci/histories.js for its options.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { breakPackage, BROKEN } from './broken.js'
import { checkHistory, type Counts } from './check/check.js'
import { readHistory } from './history.js'
import type { Topology } from './promises.js'
import { formatCounts, formatViolation } from './report.js'
import { Resources } from './resources.js'
import { recordHistory } from './run.js'

const TOPOLOGIES: readonly Topology[] = ['single', 'sentinel', 'cluster']
const SECONDS = 60
const RATE = 3000
const CONNECTIONS = 8
const MAX_SHOWN = 5
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

function toNumber (text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text)
  if (!(number > 0)) throw new Error(`expected a number above 0, got ${text}`)
  return number
}

function toTopology (text: string): Topology {
  const found = TOPOLOGIES.find((topology) => topology === text)
  if (found === undefined) throw new Error(`expected ${TOPOLOGIES.join(', ')}, got ${text}`)
  return found
}

/** Check one file, and print what was found. */
async function checkFile (path: string): Promise<{ readonly counts: Counts, readonly isKept: boolean }> {
  const history = await readHistory(path)
  const { counts, violations } = checkHistory(history)
  console.log(`  ${formatCounts(counts)}`)
  for (const violation of violations.slice(0, MAX_SHOWN)) console.log(formatViolation(violation, history))
  if (violations.length > 0) console.log(`  ${violations.length} violations`)
  return { counts, isKept: violations.length === 0 }
}

/** Record and check one history. */
async function runHistory (options: Omit<Parameters<typeof recordHistory>[1], 'path'>, path: string): Promise<Awaited<ReturnType<typeof checkFile>>> {
  const resources = new Resources()
  const stop = () => { resources.close().finally(() => { process.exit(1) }) }
  for (const signal of SIGNALS) process.on(signal, stop)
  try {
    await recordHistory(resources, { ...options, path })
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop)
    await resources.close()
  }
  return await checkFile(path)
}

/** Returns the status to exit with: 0 if every promise was kept. */
export async function runCommand (args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      topology: { type: 'string' },
      rate: { type: 'string' },
      connections: { type: 'string' },
      broken: { type: 'string' },
      check: { type: 'string' },
      keep: { type: 'string' },
      only: { type: 'string' },
      quiet: { type: 'boolean', default: false }
    }
  })
  if (values.check !== undefined) return (await checkFile(values.check)).isKept ? 0 : 1

  const seconds = toNumber(values.seconds, SECONDS)
  const firstSeed = Math.floor(toNumber(values.seed, Date.now() % 1_000_000 + 1))
  const topologies = values.topology === undefined ? TOPOLOGIES : [toTopology(values.topology)]
  const count = values.minutes === undefined ? 1 : Math.ceil(toNumber(values.minutes, 1) * 60 / seconds)
  const ratePerSecond = toNumber(values.rate, RATE)
  const connectionsPerSlot = toNumber(values.connections, CONNECTIONS)
  if (values.broken !== undefined && !Object.hasOwn(BROKEN, values.broken)) throw new Error(`The wrong builds are: ${Object.keys(BROKEN).join(', ')}.`)
  const packageUrl = breakPackage(values.broken ?? null)

  const directory = values.keep ?? mkdtempSync(join(tmpdir(), 'sluice-histories-'))
  const total: Record<string, number> = {}
  let failed = 0
  for (let i = 0; i < count; i++) {
    const topology = topologies[i % topologies.length]
    const seed = firstSeed + i
    console.log(`${i + 1} of ${count}: --seed ${seed} --topology ${topology} --seconds ${seconds}`)
    const options = { seed, topology, lengthMs: seconds * 1000, ratePerSecond, connectionsPerSlot, packageUrl, hasFaults: !values.quiet, only: values.only }
    const path = join(directory, `${topology}-${seed}.jsonl`)
    const { counts, isKept } = await runHistory(options, path)
    for (const [name, number] of Object.entries(counts)) total[name] = (total[name] ?? 0) + number
    if (!isKept) failed++
    else if (values.keep === undefined) rmSync(path)
  }
  console.log(`\n${count} histories, ${failed} with violations: ${formatCounts(total as unknown as Counts)}`)
  if (failed > 0) console.log(`The histories with violations are in ${directory}: look again with --check FILE, or replay with the seed.`)
  else if (values.keep === undefined) rmSync(directory, { recursive: true })
  return failed > 0 ? 1 : 0
}
