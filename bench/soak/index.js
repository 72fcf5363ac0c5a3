// Refuses one client at full speed for so many minutes on each store: the log must stay short and the heap flat.
//   npm run soak -- [MINUTES] [memory|redis]    10 on each if not said
// Exits with 1 where a bound does not hold.
import { endChildren, startChild } from '../children.js'
import { startRedisServer } from '../redis/redis-server.js'
import { spread } from '../statistics.js'

const SAMPLES = 30
/** The default of `log.interval`. */
const INTERVAL_MS = 10_000
/** One client and one limit: the first refusal of an interval, and the number of those after it. */
const LINES_PER_INTERVAL = 2
/** What a runtime may gain by itself, as compiled code and shapes of objects. A byte kept for each refusal is far more. */
const MOST_GROWTH_BYTES = 500_000

const minutes = Number(process.argv[2] ?? 10)
if (!(minutes > 0)) throw new Error(`expected a number of minutes, got ${process.argv[2]}`)
const asked = process.argv[3] ?? 'both'
if (!['both', 'memory', 'redis'].includes(asked)) throw new Error(`expected memory or redis, got ${asked}`)

function print (cells) {
  console.log(cells.map((cell) => String(cell).padStart(12)).join(''))
}

async function soak (redis) {
  const service = startChild(new URL('service.js', import.meta.url), { execArgv: ['--expose-gc'] })
  await service.ask({ step: 'start', redis })
  // Code is compiled, and the first interval begins, before the first sample.
  const forMs = minutes * 60_000 / SAMPLES
  const startedMs = performance.now()
  await service.ask({ step: 'refuse', forMs: Math.max(forMs, 2000) })
  print(['seconds', 'refused', 'log lines', 'heap, kB'])
  const heaps = []
  let refused = 0
  let others = 0
  for (let sample = 0; sample < SAMPLES; sample++) {
    const told = await service.ask({ step: 'refuse', forMs })
    refused += told.refused
    others += told.others + told.allowed
    heaps.push(told.heapBytes)
    print([((performance.now() - startedMs) / 1000).toFixed(0), refused, told.lines, Math.round(told.heapBytes / 1000)])
  }
  const { lines } = await service.ask({ step: 'stop' })
  service.end()
  // One more for the interval that was cut short by the end.
  const mostLines = LINES_PER_INTERVAL * (Math.ceil((performance.now() - startedMs) / INTERVAL_MS) + 1)
  const third = SAMPLES / 3
  const growth = Math.round(spread(heaps.slice(-third)).median - spread(heaps.slice(0, third)).median)
  console.log(`${refused} refusals, ${lines} lines (at most ${mostLines}), heap of the last third against the first: ${growth} bytes (at most ${MOST_GROWTH_BYTES})`)
  return refused > 0 && others === 0 && lines <= mostLines && growth <= MOST_GROWTH_BYTES
}

const server = await startRedisServer()
const failed = []
try {
  for (const [name, target] of [['memory', null], ['redis', server.target]]) {
    if (asked !== 'both' && asked !== name) continue
    console.log(`\n${name}`)
    if (!await soak(target)) failed.push(name)
  }
} finally {
  server.end()
  endChildren()
}
if (failed.length > 0) console.error(`\nNot as promised: ${failed.join(', ')}`)
process.exit(failed.length > 0 ? 1 : 0)
