import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { paired, rotated, spread } from '../statistics.js'
import { measureBytes } from './bytes.js'
import { redisContestants } from './contestants.js'
import { startRedisServer } from './redis-server.js'

/** What the others are compared with. */
export const INCUMBENT = 'fastifyRateLimit'
/** What everybody's latency is compared with: it asks no Redis. */
const CEILING = 'threeHeaders'

const SINGLE = ['threeHeaders', 'fastifyRateLimit', 'rateLimiterFlexible', 'sluice']
const LIMITERS = ['fastifyRateLimit', 'rateLimiterFlexible', 'sluice']
const CONNECTIONS = ['sluice', 'sluiceOverTwo', 'sluiceOverFour']

/**
 * Limiters on one redis-server, over HTTP: throughput with every connection busy, latency at half of ours, a client
 * that is always refused, a Cluster, and what a key takes. All servers are up; one at a time is loaded.
 */
export async function measureRedis (settings) {
  const load = startChild(new URL('load.js', import.meta.url))
  const single = await startRedisServer()
  try {
    const passing = await race({ load, redis: single, title: 'passing', names: SINGLE, rounds: settings.rounds, settings })
    const latency = await race({ load, redis: single, title: 'at half of saturation', names: SINGLE, rounds: settings.latencyRounds, settings, halfOf: 'sluice' })
    const refusing = await race({ load, redis: single, title: 'refusing', names: LIMITERS, rounds: settings.refusedRounds, settings, isRefusing: true })
    const connections = settings.connectionRounds === 0
      ? []
      : await race({ load, redis: single, title: 'connections', names: CONNECTIONS, reference: 'sluice', rounds: settings.connectionRounds, settings })
    return {
      settings,
      version: single.version,
      passing,
      latency,
      refusing,
      connections,
      cluster: await measureCluster(load, settings),
      bytes: await measureBytes(single)
    }
  } finally {
    load.end()
    single.end()
  }
}

async function measureCluster (load, settings) {
  const redis = await startRedisServer({ isCluster: true })
  try {
    return await race({ load, redis, title: 'Cluster', names: LIMITERS, rounds: settings.clusterRounds, settings })
  } finally {
    redis.end()
  }
}

/**
 * `halfOf`: whose throughput is measured at the beginning of each round, for requests of all to arrive at half of it. A
 * shared machine is not as fast in one round as in another, and a rate from another time would be any share of it.
 * Servers are started anew every few rounds: one process is faster than its twin by a fifth for as long as it lives.
 */
async function race ({ load, redis, title, names, rounds, settings, reference = INCUMBENT, halfOf = null, isRefusing = false }) {
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  const asked = { connections: settings.connections, clients: isRefusing ? 1 : settings.clients }
  for (let round = 0; round < rounds;) {
    await redis.client.flushdb()
    const servers = await startServers(names, redis, isRefusing)
    const one = (name, { isWarmUp = false, ...rest }) =>
      loadOne({ load, redis, server: servers.get(name), asked: { ...asked, ...rest }, isRefusing, isWarmUp })
    try {
      progress(`Redis, ${title}: warm up`)
      for (const name of names) await one(name, { seconds: settings.warmUpSeconds, isWarmUp: true })
      for (const last = Math.min(round + settings.roundsPerProcess, rounds); round < last; round++) {
        progress(`Redis, ${title}: round ${round + 1} of ${rounds}`)
        const perSecond = halfOf === null ? null : (await one(halfOf, { seconds: settings.seconds })).perSecond / 2
        for (const name of rotated(names, round)) {
          samples[name].push(await one(name, { seconds: settings.seconds, perSecond, leadInSeconds: settings.leadInSeconds }))
        }
      }
    } finally {
      for (const { child } of servers.values()) child.end()
    }
  }
  return names.map((name) => summary(name, samples, reference))
}

async function startServers (names, redis, isRefusing) {
  return new Map(await Promise.all(names.map(async (name) => {
    const child = startChild(new URL('server.js', import.meta.url), { args: [name, isRefusing ? 'refusing' : 'passing', JSON.stringify(redis.target)] })
    return [name, { child, port: await child.ask('port') }]
  })))
}

async function loadOne ({ load, redis, server, asked, isRefusing, isWarmUp = false }) {
  const [usageBefore, cpuBefore] = [await redis.usage(), await server.child.ask('cpu')]
  const { requests, seconds, statuses, p50Ms, p95Ms, p99Ms } = await load.ask({ port: server.port, ...asked })
  const [usage, cpu] = [await redis.usage(), await server.child.ask('cpu')]
  const expected = statuses[isRefusing ? '429' : '200'] ?? 0
  // The first request to a limiter that refuses everything passes.
  if (requests - expected > (isWarmUp ? 1 : 0)) throw new Error(`a contestant answered otherwise than it should: ${JSON.stringify(statuses)}`)
  return {
    perSecond: requests / seconds,
    cpuUs: (cpu - cpuBefore) / requests,
    calls: (usage.calls - usageBefore.calls) / requests,
    scriptUs: (usage.scriptUs - usageBefore.scriptUs) / requests,
    redisCpuUs: (usage.cpuUs - usageBefore.cpuUs) / requests,
    p50Ms,
    p95Ms,
    p99Ms
  }
}

function summary (name, samples, reference) {
  const figures = (of, name) => samples[name].map((sample) => sample[of])
  const above = (of) => samples[CEILING] === undefined ? null : paired(figures(of, name), figures(of, CEILING), (a, b) => a - b)
  return {
    name,
    title: redisContestants[name].title,
    perSecond: spread(figures('perSecond', name)),
    ratio: paired(figures('perSecond', name), figures('perSecond', reference), (a, b) => a / b),
    cpuUs: spread(figures('cpuUs', name)),
    calls: spread(figures('calls', name)),
    scriptUs: spread(figures('scriptUs', name)),
    redisCpuUs: spread(figures('redisCpuUs', name)),
    p50Ms: spread(figures('p50Ms', name)),
    p95Ms: spread(figures('p95Ms', name)),
    p99Ms: spread(figures('p99Ms', name)),
    extraP50Ms: above('p50Ms'),
    extraP95Ms: above('p95Ms'),
    extraP99Ms: above('p99Ms'),
    samples: samples[name]
  }
}
