import { traffic } from './lease/traffic.js'

/** What the design asks for; each reads its figure from the results of its part. */
const goals = {
  http: [
    goal('HTTP: at least 0.95 of the ceiling', 'at least', 0.95, ({ passing }) => rowOf(passing, 'sluice').ratio.median),
    // Against the same logger, which costs an application a sixth whether or not anything is limited.
    goal('HTTP: at least 0.93 of the ceiling with everything on', 'at least', 0.93, ({ passing }) => rowOf(passing, 'sluiceEverything').ratio.median / rowOf(passing, 'threeHeadersLogged').ratio.median),
    goal('HTTP: times @fastify/rate-limit', 'at least', 1, ({ passing }) => rowOf(passing, 'sluice').ratio.median / rowOf(passing, 'fastifyRateLimit').ratio.median),
    goal('HTTP: times rate-limiter-flexible', 'at least', 1, ({ passing }) => rowOf(passing, 'sluice').ratio.median / rowOf(passing, 'rateLimiterFlexible').ratio.median)
  ],
  inProcess: ['IPv4', 'IPv6'].map((family) =>
    goal(`in process: ns above three headers, ${family}`, 'at most', 900, ({ rows }) => rows.find((row) => row.name === 'sluice' && row.family === family).extraNs.median)),
  checks: [
    goal('check: ns, IPv4, 10,000 keys', 'at most', 700, ({ keys }) => checkOf(keys, 'IPv4', 10_000)),
    goal('check: ns, IPv6, 10,000 keys', 'at most', 1500, ({ keys }) => checkOf(keys, 'IPv6', 10_000)),
    goal('check: ns, IPv4, 1,000,000 keys', 'at most', 1000, ({ keys }) => checkOf(keys, 'IPv4', 1_000_000)),
    goal('check: slowest max over fastest', 'at most', 1.15, ({ max }) => {
      const ns = max.filter((row) => row.title.startsWith('max')).map((row) => row.ns.median)
      return Math.max(...ns) / Math.min(...ns)
    })
  ],
  growth: [
    goal('memory: bytes per key', 'at most', 100, ({ bytesPerKey }) => bytesPerKey.median),
    goal('memory: longest pause outside garbage collection, ms', 'at most', 15, ({ pauseOutsideGcMs }) => pauseOutsideGcMs.median)
  ],
  redis: [
    goal('Redis: times @fastify/rate-limit', 'at least', 1.35, ({ passing }) => rowOf(passing, 'sluice').ratio.median),
    goal('Redis: script calls per request', 'at most', 0.2, ({ passing }) => rowOf(passing, 'sluice').calls.median),
    goal('Redis: p95 above three headers at half of saturation, ms', 'at most', 1, ({ latency }) => rowOf(latency, 'sluice').extraP95Ms.median),
    goal('Redis Cluster: times @fastify/rate-limit', 'at least', 1.1, ({ cluster }) => rowOf(cluster, 'sluice').ratio.median),
    goal('Redis: bytes per token bucket', 'at most', 200, ({ bytes }) => bytesOf(bytes, 'token-bucket')),
    goal('Redis: bytes per full sliding window', 'at most', 1000, ({ bytes }) => bytesOf(bytes, 'sliding-window'))
  ],
  lease: [
    ...['uniform', 'hot'].flatMap((kind) => {
      const leases = (text, relation, bound, read) =>
        goal(`leases, ${traffic[kind].title}: ${text}`, relation, bound, ({ races }) => read(rowOf(races[kind], 'leased')))
      return [
        leases('throughput, times the memory store', 'at least', 0.95, ({ ratio }) => ratio.median),
        leases('processor time, times the memory store', 'at most', 1.04, ({ cpuRatio }) => cpuRatio.median),
        leases('script calls per request', 'at most', 0.02, ({ calls }) => calls.median),
        leases('processor time of Redis per request, µs', 'at most', 0.5, ({ redisCpuUs }) => redisCpuUs.median),
        // Within noise: the quartiles of the rounds reach it.
        leases('p99 above the memory store, lower quartile, ms', 'at most', 0, ({ extraP99Ms }) => extraP99Ms.low)
      ]
    }),
    ...['zipf', 'cold', 'halfBusy', 'flood'].map((kind) =>
      goal(`leases, ${traffic[kind].title}: throughput, times without leases, upper quartile`, 'at least', 1, ({ races }) => rowOf(races[kind], 'leased').ratioOfBaseline.high)),
    goal(`leases, ${traffic.halfBusy.title}: script calls, times without leases`, 'at most', 0.5, ({ races }) => rowOf(races.halfBusy, 'leased').callsOfBaseline.median)
  ],
  simulate: [
    goal('simulate: lines per second of a combined log', 'at least', 300_000, ({ rows }) => rows.find(({ format }) => format === 'combined').perSecond.median)
  ],
  adaptive: [
    goal('overload: answers in time with half of the workers, of their capacity', 'at least', 0.8, ({ settings: { workers, serviceMs }, rows }) =>
      rowOf(rows, 'adaptive').after.goodPerSecond / (workers / 2 * 1000 / serviceMs)),
    goal('overload: premium refused, of the share of the others', 'at most', 0.1, ({ rows }) => {
      const { premiumRefused, standardRefused } = rowOf(rows, 'adaptive').after
      return premiumRefused / standardRefused
    })
  ],
  start: [
    goal('start: time of the import, times @fastify/rate-limit', 'at most', 3, ({ rows }) => rowOf(rows, 'fastify-sluice').importMs.ratio.median),
    goal('start: processor time until the first answer, times @fastify/rate-limit', 'at most', 1.25, ({ rows }) => rowOf(rows, 'fastify-sluice').cpuMs.ratio.median),
    goal('start: resident memory, times @fastify/rate-limit', 'at most', 1.1, ({ rows }) => rowOf(rows, 'fastify-sluice').residentMiB.ratio.median)
  ]
}

/** One line per goal: met or missed. */
export function judge (parts) {
  return Object.entries(parts).flatMap(([part, results]) => goals[part].map(({ text, relation, bound, read }) => {
    const figure = read(results)
    const isMet = relation === 'at least' ? figure >= bound : figure <= bound
    return `${isMet ? 'met   ' : 'MISSED'} ${text}: ${Number(figure.toPrecision(3))} (${relation} ${bound})`
  }))
}

function goal (text, relation, bound, read) {
  return { text, relation, bound, read }
}

function rowOf (rows, name) {
  return rows.find((row) => row.name === name)
}

/** Of the window that takes most. */
function bytesOf (rows, algorithm) {
  return Math.max(...rows.filter((row) => row.algorithm === algorithm).map((row) => row.bytes))
}

function checkOf (rows, family, keys) {
  return rows.find((row) => row.title === 'fastify-sluice' && row.family === family && row.keys === keys).ns.median
}
