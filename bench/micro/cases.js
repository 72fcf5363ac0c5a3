const YEAR_MS = 365 * 86_400_000

/** More do not fit into the incumbent's default cache, and are not asked of it. */
const MOST_OF_INCUMBENT = 10_000

/** Nothing is refused, and no bucket is full again before it is met again, so that `keys` buckets are there. */
function roomFor (keys) {
  return { max: Math.min(1e8, 1e10 / keys), timeWindow: YEAR_MS }
}

function sluiceCase (title, family, keys, options) {
  return { title, subject: 'sluice', family, keys, options: { memory: { maxKeys: Math.max(100_000, 2 * keys) }, ...options } }
}

function casesByKeys (family, keys) {
  const ours = sluiceCase('fastify-sluice', family, keys, roomFor(keys))
  if (keys > MOST_OF_INCUMBENT) return [ours]
  return [ours, { title: '@fastify/rate-limit', subject: 'fastifyRateLimit', family, keys, options: { cache: 2 * keys, ...roomFor(keys) } }]
}

/** The same rate for every `max`: a key is met twice per round of 20,000 checks, and has its units back for the next. */
function atEqualRate (max) {
  return { max, timeWindow: max * 50 }
}

const byMax = [10, 100, 1000, 10_000, 100_000, 1_000_000].map((max) =>
  sluiceCase(`max ${max.toLocaleString('en')}`, 'IPv4', 10_000, atEqualRate(max)))

const bySlidingMax = [
  sluiceCase('sliding window, max 10', 'IPv4', 10_000, { ...atEqualRate(10), algorithm: 'sliding-window' }),
  // Few keys that are always busy: the window's log is as long as it gets.
  ...[10_000, 1_000_000].map((max) =>
    sluiceCase(`sliding window, max ${max.toLocaleString('en')}`, 'IPv4', 100, { max, timeWindow: 1000, algorithm: 'sliding-window' }))
]

const byAlgorithm = [
  sluiceCase('token bucket', 'IPv4', 1000, roomFor(1000)),
  sluiceCase('sliding window', 'IPv4', 1000, { ...roomFor(1000), algorithm: 'sliding-window' }),
  sluiceCase('fixed window', 'IPv4', 1000, { ...roomFor(1000), algorithm: 'fixed-window' }),
  sluiceCase('two token buckets', 'IPv4', 1000, {
    limits: [{ name: 'long', ...roomFor(1000) }, { name: 'short', max: 1_000_000, timeWindow: 60_000 }]
  })
]

/** `keys`: by family, how many keys to compare. */
export function groupsOf (keys) {
  return [
    { name: 'keys', cases: Object.entries(keys).flatMap(([family, counts]) => counts.flatMap((count) => casesByKeys(family, count))) },
    { name: 'max', cases: [...byMax, ...bySlidingMax] },
    { name: 'algorithm', cases: byAlgorithm }
  ]
}
